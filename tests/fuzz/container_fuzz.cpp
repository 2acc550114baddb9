// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/container.hpp>

namespace funnel::fuzz {
namespace {

const Registered container_target({
    .name = "container",
    .run =
        [](const Input& input) {
            attempt([&] {
                const io::ContainerReader file(input.path, "fuzz", 3);
                attempt([&] { static_cast<void>(file.value<std::uint32_t>("value")); });
                attempt([&] { static_cast<void>(file.array<double>("array")); });
                attempt([&] { static_cast<void>(file.array<std::uint8_t>("bytes", 5)); });
                attempt([&] {
                    const Matrix<float> matrix = file.matrix<float>("matrix");
                    float sum = 0.0F;
                    for (std::size_t i = 0; i < matrix.rows() && matrix.cols() > 0; ++i) {
                        sum += matrix(i, matrix.cols() - 1);
                    }
                    static_cast<void>(sum);
                });
                attempt([&] {
                    const std::vector<std::string> texts = file.strings("strings");
                    check_round_trip(
                        texts,
                        [](const std::string& path) { return io::ContainerReader(path, "fuzz", 1).strings("strings"); },
                        [](const std::string& path, const std::vector<std::string>& written) {
                            io::ContainerWriter writer("fuzz", 1);
                            writer.strings("strings", written);
                            writer.save(path);
                        });
                });
            });
        },
    .seeds =
        [] {
            const std::vector<double> numbers{1.0, 2.0, 3.0};
            const std::vector<std::uint8_t> bytes{1, 2, 3, 4, 5};
            const Matrix<float> matrix(3, 2);
            io::ContainerWriter file("fuzz", 1);
            file.value("value", std::uint32_t{7});
            file.array("array", numbers);
            file.array("bytes", bytes);
            file.matrix("matrix", matrix);
            file.strings("strings", std::vector<std::string>{"a", "", "bcd"});
            return std::vector{saved([&](const std::string& path) { file.save(path); })};
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz

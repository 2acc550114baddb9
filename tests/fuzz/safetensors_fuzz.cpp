// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/safetensors.hpp>
#include <funnel/io/safetensors_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace funnel::fuzz::safetensors_target {
namespace {

void write(const std::string& path, const io::Safetensors& file) {
    io::SafetensorsWriter out;
    for (const io::Tensor& tensor : file.tensors()) {
        out.add(tensor.name, tensor.type, tensor.shape, {tensor.bytes.begin(), tensor.bytes.end()});
    }
    out.save(path);
}

void write_seed(const std::string& path) {
    const std::vector<float> numbers{1, 2, 3, 4, 5, 6};
    const std::vector<std::int64_t> counts{7};
    io::SafetensorsWriter out;
    out.add<float>("0.weight", {2, 3}, numbers);
    out.add<std::int64_t>("num_batches_tracked", {}, counts);
    out.add<float>("empty", {0, 3}, {});
    out.metadata("format", "pt");
    out.save(path);
}

const Registered safetensors({
    .name = "safetensors",
    .run =
        [](const Input& input) {
            attempt([&] {
                const io::Safetensors file = io::Safetensors::read(input.path);
                std::size_t bytes = 0;
                for (const io::Tensor& tensor : file.tensors()) {
                    bytes += tensor.bytes.size();
                    check(file.find(tensor.name) == &tensor, "tensors are found by name");
                }
                check(bytes + 8 <= input.bytes.size(), "tensors do not overlap");
                check_round_trip(file, io::Safetensors::read, write);
            });
        },
    .seeds = [] { return std::vector<std::string>{saved(write_seed)}; },
    .words = {"\"dtype\":\"F32\"", "\"shape\":[2,3]", "\"data_offsets\":[0,8]", "BF16", "I64", "U8", "__metadata__",
              "18446744073709551615", "4294967296"},
});

}  // namespace
}  // namespace funnel::fuzz::safetensors_target

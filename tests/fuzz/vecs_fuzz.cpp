// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/vecs.hpp>

namespace funnel::fuzz {
namespace {

const Registered vecs({
    .name = "vecs",
    .run =
        [](const Input& input) {
            attempt([&] { check_round_trip(io::read_fvecs(input.path), io::read_fvecs, io::write_fvecs); });
            attempt([&] { check_round_trip(io::read_ivecs(input.path), io::read_ivecs, io::write_ivecs); });
            attempt([&] { check_round_trip(io::read_bvecs(input.path), io::read_bvecs, io::write_bvecs); });
        },
    .seeds =
        [] {
            return std::vector{
                saved([](const std::string& path) { io::write_fvecs(path, Matrix<float>(3, 2)); }),
                saved([](const std::string& path) { io::write_ivecs(path, Matrix<std::int32_t>(2, 3)); }),
                saved([](const std::string& path) { io::write_bvecs(path, Matrix<std::uint8_t>(2, 5)); })};
        },
});

}  // namespace
}  // namespace funnel::fuzz

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/vecs.hpp>

namespace funnel::fuzz::vecs_target {
namespace {

const Registered vecs({
    .name = "vecs",
    .run =
        [](const Input& input) {
            check_rewrites(input, io::read_fvecs, io::write_fvecs);
            check_rewrites(input, io::read_ivecs, io::write_ivecs);
            check_rewrites(input, io::read_bvecs, io::write_bvecs);
        },
    .seeds =
        [] {
            return std::vector{
                saved([](const std::string& path) { io::write_fvecs(path, counting_matrix<float>(3, 2)); }),
                saved([](const std::string& path) { io::write_ivecs(path, counting_matrix<std::int32_t>(2, 3)); }),
                saved([](const std::string& path) { io::write_bvecs(path, counting_matrix<std::uint8_t>(2, 5)); })};
        },
});

}  // namespace
}  // namespace funnel::fuzz::vecs_target

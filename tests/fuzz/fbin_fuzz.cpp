// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/fbin.hpp>

namespace funnel::fuzz {
namespace {

const Registered fbin({
    .name = "fbin",
    .run =
        [](const Input& input) {
            attempt([&] { check_round_trip(io::read_fbin(input.path), io::read_fbin, io::write_fbin); });
            attempt([&] { check_round_trip(io::read_u8bin(input.path), io::read_u8bin, io::write_u8bin); });
            attempt([&] { check_round_trip(io::read_i8bin(input.path), io::read_i8bin, io::write_i8bin); });
            attempt([&] { check_round_trip(io::read_ibin(input.path), io::read_ibin, io::write_ibin); });
            attempt([&] {
                const io::NearestNeighbours truth = io::read_ground_truth(input.path);
                check(truth.ids.rows() == truth.distances.rows() && truth.ids.cols() == truth.distances.cols(),
                      "ids and distances have the same shape");
            });
        },
    .seeds =
        [] {
            return std::vector{
                saved([](const std::string& path) { io::write_fbin(path, Matrix<float>(3, 2)); }),
                saved([](const std::string& path) { io::write_fbin(path, Matrix<float>(0, 7)); }),
                saved([](const std::string& path) { io::write_u8bin(path, Matrix<std::uint8_t>(2, 4)); })};
        },
});

}  // namespace
}  // namespace funnel::fuzz

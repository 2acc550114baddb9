// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/byte_writer.hpp>
#include <funnel/io/fbin.hpp>
#include <funnel/io/file.hpp>

namespace funnel::fuzz {
namespace {

void write_ground_truth(const std::string& path, const io::NearestNeighbours& truth) {
    io::ByteWriter bytes;
    bytes.number(static_cast<std::uint32_t>(truth.ids.rows()));
    bytes.number(static_cast<std::uint32_t>(truth.ids.cols()));
    for (std::size_t i = 0; i < truth.ids.rows(); ++i) {
        bytes.numbers(truth.ids.row(i));
    }
    for (std::size_t i = 0; i < truth.ids.rows(); ++i) {
        bytes.numbers(truth.distances.row(i));
    }
    io::AtomicFile file(path);
    file.write(bytes.bytes());
    file.commit();
}

const Registered fbin({
    .name = "fbin",
    .run =
        [](const Input& input) {
            check_rewrites(input, io::read_fbin, io::write_fbin);
            check_rewrites(input, io::read_u8bin, io::write_u8bin);
            check_rewrites(input, io::read_i8bin, io::write_i8bin);
            check_rewrites(input, io::read_ibin, io::write_ibin);
            check_rewrites(input, io::read_ground_truth, write_ground_truth);
        },
    .seeds =
        [] {
            return std::vector{
                saved([](const std::string& path) { io::write_fbin(path, counting_matrix<float>(3, 2)); }),
                saved([](const std::string& path) { io::write_fbin(path, Matrix<float>(0, 7)); }),
                saved([](const std::string& path) { io::write_u8bin(path, counting_matrix<std::uint8_t>(2, 4)); })};
        },
    .words = {std::string("\0\0\1\0", 4), std::string("\0\0\0\x80", 4), "\xff\xff\xff\xff"},
});

}  // namespace
}  // namespace funnel::fuzz

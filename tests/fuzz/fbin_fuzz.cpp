// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/byte_writer.hpp>
#include <funnel/io/fbin.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>

namespace funnel::fuzz::fbin_target {
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

// Whether the numbers, of so many bytes each, fill the file. By division, which cannot overflow.
bool is_valid(std::string_view file, std::uint64_t size) {
    if (file.size() < 8) {
        return false;
    }
    const auto head = std::as_bytes(std::span(file)).first(8);
    const std::uint64_t rows = io::load_number<std::uint32_t>(head);
    const std::uint64_t cols = io::load_number<std::uint32_t>(head.subspan(4));
    const std::uint64_t rest = file.size() - 8;
    if (rows == 0) {
        return rest == 0 && cols <= 65536;
    }
    return cols > 0 && rest % size == 0 && rest / size % cols == 0 && rest / size / cols == rows;
}

template <class Read, class Write>
void check_format(const Input& input, std::uint64_t size, const Read& read, const Write& write) {
    const int before = counts.accepted;
    check_rewrites(input, read, write);
    check((counts.accepted > before) == is_valid(input.bytes, size), "exactly the valid files are accepted");
}

const Registered fbin({
    .name = "fbin",
    .run =
        [](const Input& input) {
            check_format(input, 4, io::read_fbin, io::write_fbin);
            check_format(input, 1, io::read_u8bin, io::write_u8bin);
            check_format(input, 1, io::read_i8bin, io::write_i8bin);
            check_format(input, 4, io::read_ibin, io::write_ibin);
            check_format(input, 8, io::read_ground_truth, write_ground_truth);
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
}  // namespace funnel::fuzz::fbin_target

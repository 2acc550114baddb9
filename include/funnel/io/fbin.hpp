// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/raw_matrix.hpp>
#include <funnel/io/recognise.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The true nearest neighbors of each query, nearest first, with distances as defined by the file.
struct NearestNeighbours {
    Matrix<std::uint32_t> ids;  ///< one row per query
    Matrix<float> distances;    ///< same shape as ids
};

namespace detail {

// A note for a file of unexpected size: "; the file looks like gzip data (unpack it first)".
[[nodiscard]] inline std::string looks_like(std::span<const std::byte> bytes) {
    const std::string_view known = known_format(bytes);
    return known.empty() ? "" : "; the file looks like " + std::string(known);
}

template <Number T>
[[nodiscard]] Matrix<T> parse_bin(std::span<const std::byte> bytes, std::string source) {
    ByteReader reader(bytes, std::move(source));
    const auto rows = reader.number<std::uint32_t>("number of rows");
    const auto cols = reader.number<std::uint32_t>("number of columns");
    expect_payload<T>(reader, rows, cols, looks_like(bytes));
    return read_rows<T>(reader, rows, cols);
}

[[nodiscard]] inline NearestNeighbours parse_ground_truth(std::span<const std::byte> bytes, std::string source) {
    ByteReader reader(bytes, std::move(source));
    const auto rows = reader.number<std::uint32_t>("number of queries");
    const auto k = reader.number<std::uint32_t>("neighbors per query");
    expect_payload<std::uint64_t>(reader, rows, k, looks_like(bytes));  // 8 bytes: an id and a distance
    Matrix<std::uint32_t> ids = read_rows<std::uint32_t>(reader, rows, k);
    return {.ids = std::move(ids), .distances = read_rows<float>(reader, rows, k)};
}

template <Number T>
void write_bin(const std::string& path, MatrixView<const T> matrix) {
    constexpr std::uint32_t max = std::numeric_limits<std::uint32_t>::max();
    require(matrix.rows() <= max && matrix.cols() <= max, "write_bin: there must be at most 2^32 - 1 rows and columns");
    require_payload(matrix, "write_bin");
    AtomicFile file(path);
    file.write(number_bytes(static_cast<std::uint32_t>(matrix.rows())));
    file.write(number_bytes(static_cast<std::uint32_t>(matrix.cols())));
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        write_row(file, matrix.row(i));
    }
    file.commit();
}

}  // namespace detail

/// Reads a matrix in the format of the billion-scale benchmarks: rows and columns (uint32 each), then the numbers row
/// by row.
/// .fbin holds float, .u8bin and .i8bin bytes, .ibin int32.
///
/// Numbers are returned unchanged, NaN included; the code that uses them must validate them.
///
/// Errors    IOError if the file cannot be read;  CorruptData if the numbers do not fill the file exactly, or if there
///           are rows without columns
/// Source    Simhadri et al., "Results of the NeurIPS'21 challenge on billion-scale approximate nearest neighbor
///           search", 2022
[[nodiscard]] inline Matrix<float> read_fbin(const std::string& path) {
    return detail::parse_bin<float>(read_file(path), path);
}
[[nodiscard]] inline Matrix<std::uint8_t> read_u8bin(const std::string& path) {
    return detail::parse_bin<std::uint8_t>(read_file(path), path);
}
[[nodiscard]] inline Matrix<std::int8_t> read_i8bin(const std::string& path) {
    return detail::parse_bin<std::int8_t>(read_file(path), path);
}
[[nodiscard]] inline Matrix<std::int32_t> read_ibin(const std::string& path) {
    return detail::parse_bin<std::int32_t>(read_file(path), path);
}

/// Writes a matrix in this format, completely or not at all.
///
/// Errors    InvalidArgument if there are rows without columns, no rows and more than 65536 columns, or too many of
///           either;  IOError
inline void write_fbin(const std::string& path, MatrixView<const float> matrix) {
    detail::write_bin(path, matrix);
}
inline void write_u8bin(const std::string& path, MatrixView<const std::uint8_t> matrix) {
    detail::write_bin(path, matrix);
}
inline void write_i8bin(const std::string& path, MatrixView<const std::int8_t> matrix) {
    detail::write_bin(path, matrix);
}
inline void write_ibin(const std::string& path, MatrixView<const std::int32_t> matrix) {
    detail::write_bin(path, matrix);
}

/// Reads the true neighbors of the same benchmarks: queries and k (uint32 each), all ids (uint32), then all distances
/// (float).
///
/// Errors    as for read_fbin
[[nodiscard]] inline NearestNeighbours read_ground_truth(const std::string& path) {
    return detail::parse_ground_truth(read_file(path), path);
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

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
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

template <Number T>
[[nodiscard]] Matrix<T> parse_vecs(std::span<const std::byte> bytes, std::string source) {
    ByteReader reader(bytes, std::move(source));
    const auto dim = reader.number<std::int32_t>("length of the first row");
    if (dim <= 0) {
        reader.fail_at(0, "length of the first row", "a number above 0",
                       std::to_string(dim) + "; the file looks like " + recognise(bytes));
    }
    const auto cols = static_cast<std::size_t>(dim);
    const std::size_t row_size = sizeof(dim) + cols * sizeof(T);
    if (bytes.size() % row_size != 0) {
        reader.fail_at(0, "length of the first row",
                       "rows that fill the file of " + std::to_string(bytes.size()) + " bytes",
                       "rows of " + std::to_string(row_size) + " bytes; the file looks like " + recognise(bytes));
    }

    const std::size_t rows = bytes.size() / row_size;
    for (std::size_t i = 1; i < rows; ++i) {
        const auto found = load_number<std::int32_t>(bytes.subspan(i * row_size));
        if (found != dim) {
            reader.fail_at(i * row_size, "length of row " + std::to_string(i), std::to_string(dim),
                           std::to_string(found));
        }
    }
    Matrix<T> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        load_numbers<T>(bytes.subspan(i * row_size + sizeof(dim), cols * sizeof(T)), matrix.row(i));
    }
    return matrix;
}

template <Number T>
void write_vecs(const std::string& path, MatrixView<const T> matrix) {
    require(matrix.rows() > 0 && matrix.cols() > 0, "write_vecs: the matrix must not be empty");
    require(matrix.cols() <= std::numeric_limits<std::int32_t>::max(),
            "write_vecs: there must be at most 2^31 - 1 columns");
    AtomicFile file(path);
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        file.write(number_bytes(static_cast<std::int32_t>(matrix.cols())));
        write_row(file, matrix.row(i));
    }
    file.commit();
}

}  // namespace detail

/// Reads vectors in the format of the SIFT and GIST benchmarks: each row is its length (int32), then its numbers.
/// .fvecs contains float, .ivecs int32 (such as the ids of true neighbors), .bvecs bytes.
///
/// Numbers are returned unchanged, NaN included; the code that uses them must validate them.
///
/// Returns   one row per vector; at least one row
/// Errors    IOError if the file cannot be read;  CorruptData if it is empty, if the lengths of the rows differ, or if
///           rows of that length do not fill the file
/// Source    corpus-texmex.irisa.fr; Jegou, Douze & Schmid, "Product quantization for nearest neighbor search",
///           PAMI 2011
[[nodiscard]] inline Matrix<float> read_fvecs(const std::string& path) {
    return detail::parse_vecs<float>(read_file(path), path);
}
[[nodiscard]] inline Matrix<std::int32_t> read_ivecs(const std::string& path) {
    return detail::parse_vecs<std::int32_t>(read_file(path), path);
}
[[nodiscard]] inline Matrix<std::uint8_t> read_bvecs(const std::string& path) {
    return detail::parse_vecs<std::uint8_t>(read_file(path), path);
}

/// Writes a matrix in this format, completely or not at all.
///
/// Errors    InvalidArgument if the matrix is empty, which the format cannot represent;  IOError
inline void write_fvecs(const std::string& path, MatrixView<const float> matrix) {
    detail::write_vecs(path, matrix);
}
inline void write_ivecs(const std::string& path, MatrixView<const std::int32_t> matrix) {
    detail::write_vecs(path, matrix);
}
inline void write_bvecs(const std::string& path, MatrixView<const std::uint8_t> matrix) {
    detail::write_vecs(path, matrix);
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

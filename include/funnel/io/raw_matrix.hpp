// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/container_format.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

// Shared by the readers and writers of plain matrix files: rows of numbers without anything between them.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

// Checks that rows x cols numbers fill the rest of the file, before memory is allocated. Rows without columns are
// rejected, because any number of them would fit into a file of any size. `note` is appended to the error message.
template <Number T>
void expect_payload(const ByteReader& reader, std::uint64_t rows, std::uint64_t cols, std::string_view note = {}) {
    const std::string shape = std::to_string(rows) + " x " + std::to_string(cols);
    const std::uint64_t size = reader.product(reader.product(rows, cols, "shape"), sizeof(T), "shape");
    if (size != reader.remaining()) {
        reader.fail("numbers", std::to_string(size) + " bytes for " + shape,
                    std::to_string(reader.remaining()) + std::string(note));
    }
    if (rows > 0 && cols == 0) {
        reader.fail("shape", "rows with columns", shape);
    }
    if (rows == 0 && cols > container_max_empty_columns) {  // otherwise, the file size bounds the columns
        reader.fail("shape", "at most 65536 columns where there are no rows", shape);
    }
}

// The same check before a matrix is written: every written file can be read.
template <Number T>
void require_payload(MatrixView<const T> matrix, const char* function) {
    if (matrix.rows() > 0 ? matrix.cols() == 0 : matrix.cols() > container_max_empty_columns) {
        raise<InvalidArgument>(std::string(function) +
                               (matrix.rows() > 0 ? ": a matrix with rows must have columns"
                                                  : ": a matrix without rows must have at most 65536 columns"));
    }
}

template <Number T, std::endian Order = std::endian::little>
[[nodiscard]] Matrix<T> read_rows(ByteReader& reader, std::uint64_t rows, std::uint64_t cols) {
    Matrix<T> matrix(rows, cols);
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        load_numbers<T, Order>(reader.bytes(cols * sizeof(T), "numbers"), matrix.row(i));
    }
    return matrix;
}

template <Number T>
void write_row(AtomicFile& file, std::span<const T> row) {
    if constexpr (std::endian::native == std::endian::little) {
        file.write(std::as_bytes(row));
    } else {
        ByteWriter converted;
        converted.numbers(row);
        file.write(converted.bytes());
    }
}

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

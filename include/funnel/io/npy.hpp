// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/byte_reader.hpp>
#include <funnel/io/byte_writer.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/npy_header.hpp>
#include <funnel/io/raw_matrix.hpp>
#include <funnel/io/recognise.hpp>

#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

// NumPy's name of a type, without the byte order: "f4", "u1".
template <Number T>
[[nodiscard]] std::string npy_type() {
    std::string type(1, std::floating_point<T> ? 'f' : std::signed_integral<T> ? 'i' : 'u');
    return type.append(std::to_string(sizeof(T)));
}

// An IEEE 754 half: 1 sign, 5 exponent and 10 fraction bits. A float can represent every half.
[[nodiscard]] constexpr float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(half >> 15) << 31;
    const std::uint32_t exponent = half >> 10 & 0x1FU;
    const std::uint32_t fraction = half & 0x3FFU;
    if (exponent == 0) {  // zero or subnormal: multiples of 2^-24
        const float magnitude = static_cast<float>(fraction) * 0x1p-24F;
        return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wider = exponent == 0x1F ? 0xFFU : exponent + 127 - 15;
    return std::bit_cast<float>(sign | wider << 23 | fraction << 13);
}

// Reads a number stored as Stored (std::uint16_t holds a half if T is floating) and converts it to T.
template <Number T, Number Stored, std::endian Order>
[[nodiscard]] T load_npy_number(const ByteReader& reader, std::uint64_t position, std::span<const std::byte> bytes) {
    const auto stored = load_number<Stored, Order>(bytes);
    if constexpr (std::same_as<T, Stored>) {
        return stored;
    } else if constexpr (std::same_as<Stored, std::uint16_t>) {
        return half_to_float(stored);
    } else {
        // At or above the midpoint between the largest float and the next power of two, the nearest float is infinity.
        if (sizeof(T) < sizeof(Stored) && math::is_finite(stored) &&
            math::abs(static_cast<double>(stored)) >= 0x1.ffffffp127) {
            std::array<char, 32> found{};
            static_cast<void>(std::snprintf(found.data(), found.size(), "%.9g", static_cast<double>(stored)));
            reader.fail_at(position, "numbers", "a number that a float can hold", found.data());
        }
        return static_cast<T>(stored);
    }
}

template <Number T, Number Stored, std::endian Order>
[[nodiscard]] Matrix<T> read_npy_numbers(ByteReader& reader, std::uint64_t rows, std::uint64_t cols, bool transposed) {
    expect_payload<Stored>(reader, rows, cols);
    if constexpr (std::same_as<T, Stored>) {
        if (!transposed) {
            return read_rows<T, Order>(reader, rows, cols);
        }
    }
    Matrix<T> matrix(rows, cols);
    const std::uint64_t begin = reader.position();
    const auto numbers = reader.bytes(rows * cols * sizeof(Stored), "numbers");
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        for (std::size_t j = 0; j < matrix.cols(); ++j) {
            const std::size_t at = (transposed ? j * matrix.rows() + i : i * matrix.cols() + j) * sizeof(Stored);
            matrix(i, j) = load_npy_number<T, Stored, Order>(reader, begin + at, numbers.subspan(at));
        }
    }
    return matrix;
}

template <Number T, Number Stored>
[[nodiscard]] Matrix<T> read_npy_array(ByteReader& reader, const NpyHeader& header) {
    const std::uint64_t cols = header.shape.back();
    const std::uint64_t rows = header.shape.size() == 2 ? header.shape[0] : cols == 0 ? 0 : 1;
    const bool transposed = header.column_major && header.shape.size() == 2;
    return header.order() == std::endian::big
               ? read_npy_numbers<T, Stored, std::endian::big>(reader, rows, cols, transposed)
               : read_npy_numbers<T, Stored, std::endian::little>(reader, rows, cols, transposed);
}

inline constexpr std::string_view npy_magic = "\x93NUMPY";

template <Number T>
[[nodiscard]] Matrix<T> parse_npy(std::span<const std::byte> bytes, std::string source) {
    constexpr std::uint64_t max_header = 65536;
    ByteReader reader(bytes, std::move(source));
    if (bytes.size() < npy_magic.size() || reader.text(npy_magic.size(), "magic") != npy_magic) {
        reader.fail_at(0, "magic", "a NumPy .npy array", recognise(bytes));
    }
    const auto major = reader.number<std::uint8_t>("version");
    const auto minor = reader.number<std::uint8_t>("version");
    if (major < 1 || major > 3 || minor != 0) {
        reader.fail_at(6, "version", "1.0, 2.0 or 3.0", std::to_string(major) + "." + std::to_string(minor));
    }
    const std::uint64_t length =
        major == 1 ? reader.number<std::uint16_t>("header length") : reader.number<std::uint32_t>("header length");
    if (length > max_header) {
        reader.fail("header length", "at most 64 KiB", std::to_string(length));
    }
    const std::uint64_t position = reader.position();
    const std::string text = reader.text(length, "array header");
    const NpyHeader header = NpyHeaderParser(reader, position, text).parse();

    if (header.shape.empty() || header.shape.size() > 2) {
        reader.fail_at(position, "shape", "1 or 2 dimensions", std::to_string(header.shape.size()));
    }
    const std::string_view type = header.type();
    if (type == npy_type<T>()) {
        return read_npy_array<T, T>(reader, header);
    }
    if constexpr (std::floating_point<T>) {
        if (type == "f2") {
            return read_npy_array<T, std::uint16_t>(reader, header);
        }
        if (type == "f4") {
            return read_npy_array<T, float>(reader, header);
        }
        if (type == "f8") {
            return read_npy_array<T, double>(reader, header);
        }
    }
    const bool is_pickle = type.find('O') != std::string_view::npos;
    reader.fail_at(position, "type of the numbers", std::floating_point<T> ? "f2, f4 or f8" : npy_type<T>(),
                   header.dtype + (is_pickle ? ": objects are stored as programs and never loaded"
                                             : " (convert in NumPy with .astype)"));
}

}  // namespace detail

/// Reads a NumPy array of one or two dimensions. Integers must have exactly the requested type. read_npy<float> and
/// read_npy<double> read float16, float32 and float64, and convert; a float64 is rounded to the nearest float.
///
/// Numbers are returned unchanged, NaN and infinities included. Both byte orders, both storage orders and versions 1.0
/// to 3.0 of the format are supported. Arrays of objects are rejected, because they contain pickled programs.
///
/// Returns   the array; an array of one dimension becomes a matrix of one row, or of no rows if it is empty
/// Errors    IOError if the file cannot be read;  CorruptData if the header does not describe such an array, if the
///           numbers do not fill the file exactly, if there are rows without columns, or, with its position, if a
///           number is too large for a float
/// Source    numpy.lib.format, "NPY format" (NEP 1)
template <Number T>
[[nodiscard]] Matrix<T> read_npy(const std::string& path) {
    return detail::parse_npy<T>(read_file(path), path);
}

/// Writes a file that numpy.load reads as an array with the shape of the matrix. It is written completely or not at
/// all.
///
/// Errors    InvalidArgument if there are rows without columns, or no rows and more than 65536 columns;  IOError
template <Number T>
void write_npy(const std::string& path, MatrixView<const T> matrix) {
    detail::require_payload(matrix, "write_npy");
    std::string header = "{'descr': '" + ((sizeof(T) == 1 ? "|" : "<") + detail::npy_type<T>()) +
                         "', 'fortran_order': False, 'shape': (" + std::to_string(matrix.rows()) + ", " +
                         std::to_string(matrix.cols()) + "), }";
    constexpr std::size_t before_header = 10;
    header.resize((before_header + header.size() + 1 + 63) / 64 * 64 - before_header - 1, ' ');  // aligned to 64
    header += '\n';

    ByteWriter head;
    head.text(detail::npy_magic);
    head.number(std::uint8_t{1});
    head.number(std::uint8_t{0});
    head.number(static_cast<std::uint16_t>(header.size()));
    head.text(header);
    AtomicFile file(path);
    file.write(head.bytes());
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        detail::write_row(file, matrix.row(i));
    }
    file.commit();
}

template <Number T>
void write_npy(const std::string& path, const Matrix<T>& matrix) {
    write_npy(path, matrix.view());
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

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
#include <funnel/io/raw_matrix.hpp>
#include <funnel/io/recognise.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::io {

namespace detail {

struct NpyHeader {
    std::string dtype;  // "<f4"
    bool column_major = false;
    std::vector<std::uint64_t> shape;
};

// The dictionary of a .npy file, by a grammar of its own: three known keys, each once, in any order. Python would
// allow more; no writer of arrays does.
class NpyHeaderParser {
public:
    NpyHeaderParser(const ByteReader& file, std::uint64_t position, std::string_view text)
        : file_(file), start_(position), text_(text) {}

    [[nodiscard]] NpyHeader parse() {
        NpyHeader header;
        bool has_dtype = false;
        bool has_order = false;
        bool has_shape = false;
        expect("{");
        while (!accept("}")) {
            const std::string key = quoted();
            expect(":");
            if (key == "descr" && !std::exchange(has_dtype, true)) {
                header.dtype = quoted();
            } else if (key == "fortran_order" && !std::exchange(has_order, true)) {
                header.column_major = accept("True");
                if (!header.column_major) {
                    expect("False");
                }
            } else if (key == "shape" && !std::exchange(has_shape, true)) {
                header.shape = shape();
            } else {
                fail("the keys descr, fortran_order and shape, each once");
            }
            if (!accept(",")) {
                expect("}");
                break;
            }
        }
        skip_spaces();
        if (at_ != text_.size() || !has_dtype || !has_order || !has_shape) {
            fail("one dictionary with descr, fortran_order and shape");
        }
        return header;
    }

private:
    void skip_spaces() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) {
            ++at_;
        }
    }

    [[nodiscard]] bool accept(std::string_view token) {
        skip_spaces();
        const bool is_next = text_.substr(at_, token.size()) == token;
        at_ += is_next ? token.size() : 0;
        return is_next;
    }

    void expect(std::string_view token) {
        if (!accept(token)) {
            fail(token);
        }
    }

    [[nodiscard]] std::string quoted() {
        const std::string_view quote = accept("\"") ? "\"" : "'";
        if (quote == "'" && !accept("'")) {
            fail("a quoted name (arrays of structures are not supported)");
        }
        const std::size_t end = text_.find(quote, at_);
        if (end == std::string_view::npos) {
            fail("a closing quote");
        }
        std::string name(text_.substr(at_, end - at_));
        at_ = end + 1;
        return name;
    }

    [[nodiscard]] std::vector<std::uint64_t> shape() {
        std::vector<std::uint64_t> sizes;
        expect("(");
        while (!accept(")")) {
            sizes.push_back(number());
            if (!accept(",")) {
                expect(")");
                break;
            }
        }
        return sizes;
    }

    [[nodiscard]] std::uint64_t number() {
        skip_spaces();
        const std::size_t first = at_;
        std::uint64_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
            if (value > std::numeric_limits<std::int64_t>::max() / 10) {
                fail("a size that a machine can address");
            }
            value = value * 10 + static_cast<std::uint64_t>(text_[at_] - '0');
        }
        if (at_ == first) {
            fail("a whole number");
        }
        return value;
    }

    [[noreturn]] void fail(std::string_view expected) const {
        const std::string_view rest = text_.substr(at_, 16);
        file_.fail_at(start_ + at_, "array header", expected,
                      rest.empty() ? "its end" : "\"" + std::string(rest) + "\"");
    }

    const ByteReader& file_;
    std::uint64_t start_;
    std::string_view text_;
    std::size_t at_ = 0;
};

// NumPy's name of a type, without the byte order: "f4", "u1".
template <Number T>
[[nodiscard]] std::string npy_type() {
    return (std::floating_point<T> ? "f" : std::signed_integral<T> ? "i" : "u") + std::to_string(sizeof(T));
}

// IEEE 754 binary16, which C++20 has no type for.
struct Half {
    std::uint16_t bits;
};

[[nodiscard]] constexpr float to_float(Half half) noexcept {
    const auto sign = static_cast<std::uint32_t>(half.bits & 0x8000U) << 16;
    const std::uint32_t exponent = half.bits >> 10 & 0x1FU;
    const std::uint32_t fraction = half.bits & 0x3FFU;
    if (exponent == 0) {  // fraction * 2^-24, exact
        const float magnitude = static_cast<float>(fraction) * 5.9604644775390625e-8F;
        return sign != 0 ? -magnitude : magnitude;
    }
    const std::uint32_t wide = exponent == 0x1F ? 0xFFU : exponent + 112;  // infinity and NaN stay what they are
    return std::bit_cast<float>(sign | wide << 23 | fraction << 13);
}

// The next number of a file, as a T.
template <Number T, class Stored, std::endian Order>
[[nodiscard]] T read_npy_number(ByteReader& reader) {
    if constexpr (std::same_as<Stored, Half>) {
        return static_cast<T>(to_float({reader.number<std::uint16_t, Order>("numbers")}));
    } else {
        const std::uint64_t position = reader.position();
        const Stored number = reader.number<Stored, Order>("numbers");
        if constexpr (sizeof(T) < sizeof(Stored)) {
            constexpr auto largest = static_cast<Stored>(std::numeric_limits<T>::max());
            if (math::is_finite(number) && (number > largest || number < -largest)) {
                reader.fail_at(position, "numbers", "values that a float can hold", std::to_string(number));
            }
        }
        return static_cast<T>(number);
    }
}

// The numbers of a file that holds them as `Stored`.
template <Number T, class Stored, std::endian Order>
[[nodiscard]] Matrix<T> read_npy_numbers(ByteReader& reader, std::uint64_t rows, std::uint64_t cols, bool transposed) {
    expect_payload<std::conditional_t<std::same_as<Stored, Half>, std::uint16_t, Stored>>(reader, rows, cols);
    if constexpr (std::same_as<Stored, T>) {
        if (!transposed) {
            return read_rows<T, Order>(reader, rows, cols);
        }
    }
    Matrix<T> matrix(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    for (std::size_t outer = 0; outer < (transposed ? matrix.cols() : matrix.rows()); ++outer) {
        for (std::size_t inner = 0; inner < (transposed ? matrix.rows() : matrix.cols()); ++inner) {
            T& number = transposed ? matrix(inner, outer) : matrix(outer, inner);
            number = read_npy_number<T, Stored, Order>(reader);
        }
    }
    return matrix;
}

template <Number T, class Stored>
[[nodiscard]] Matrix<T> read_npy_numbers(ByteReader& reader, std::uint64_t rows, std::uint64_t cols, bool transposed,
                                         bool is_swapped) {
    return is_swapped ? read_npy_numbers<T, Stored, std::endian::big>(reader, rows, cols, transposed)
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

    // "<f4" and "|u1" are what NumPy writes; "f4" and "=f4" stand for the byte order of this machine.
    const bool has_order = header.dtype.find_first_of(sizeof(T) == 1 ? "<>=|" : "<>=") == 0;
    const std::string type = header.dtype.substr(has_order ? 1 : 0);
    const bool is_swapped = header.dtype.starts_with('>');
    const bool is_converted = std::floating_point<T> && (type == "f2" || type == "f4" || type == "f8");
    if (type != npy_type<T>() && !is_converted) {
        const bool is_pickle = header.dtype.find('O') != std::string::npos;
        reader.fail_at(position, "type of the numbers", npy_type<T>(),
                       header.dtype + (is_pickle ? ": objects are stored as programs and never loaded"
                                                 : " (convert in NumPy with .astype)"));
    }
    if (header.shape.empty() || header.shape.size() > 2) {
        reader.fail_at(position, "shape", "1 or 2 dimensions", std::to_string(header.shape.size()));
    }
    const std::uint64_t cols = header.shape.back();
    const std::uint64_t rows = header.shape.size() == 2 ? header.shape[0] : cols == 0 ? 0 : 1;
    const bool transposed = header.column_major && header.shape.size() == 2;
    if constexpr (std::floating_point<T>) {
        if (type == "f2") {
            return read_npy_numbers<T, Half>(reader, rows, cols, transposed, is_swapped);
        }
        return type == "f4" ? read_npy_numbers<T, float>(reader, rows, cols, transposed, is_swapped)
                            : read_npy_numbers<T, double>(reader, rows, cols, transposed, is_swapped);
    } else {
        return read_npy_numbers<T, T>(reader, rows, cols, transposed, is_swapped);
    }
}

}  // namespace detail

/// A NumPy array of one or two dimensions, of the asked type: read_npy<std::int32_t> reads int32. Floating-point numbers
/// are converted: read_npy<float> reads float16, float32 and float64, the last one to the nearest float.
///
/// Both byte orders and both storage orders are understood, and versions 1.0 to 3.0 of the format. Arrays of objects
/// are refused: they hold pickled programs.
///
/// Returns   the array; one of one dimension becomes a matrix of one row, or of none if it is empty
/// Errors    IOError if the file cannot be read;  CorruptData if the header is not that of such an array, if the
///           numbers do not fill the file exactly, if there are rows without columns, or if a float64 is too large for
///           the float that was asked for
/// Source    numpy.lib.format, "NPY format" (NEP 1)
template <Number T>
[[nodiscard]] Matrix<T> read_npy(const std::string& path) {
    return detail::parse_npy<T>(read_file(path), path);
}

/// A file that numpy.load reads as an array of the shape of the matrix. It appears completely or not at all.
///
/// Errors    InvalidArgument if there are rows without columns;  IOError
template <Number T>
void write_npy(const std::string& path, MatrixView<const T> matrix) {
    require(matrix.cols() > 0 || matrix.rows() == 0, "write_npy: a matrix with rows must have columns");
    std::string header = "{'descr': '" + ((sizeof(T) == 1 ? "|" : "<") + detail::npy_type<T>()) +
                         "', 'fortran_order': False, 'shape': (" + std::to_string(matrix.rows()) + ", " +
                         std::to_string(matrix.cols()) + "), }";
    constexpr std::size_t before_header = 10;
    header.resize((before_header + header.size() + 1 + 63) / 64 * 64 - before_header - 1, ' ');  // numbers at 64 k
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

}  // namespace funnel::io

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
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

template <Number T, std::endian Order>
[[nodiscard]] Matrix<T> read_npy_numbers(ByteReader& reader, std::uint64_t rows, std::uint64_t cols, bool transposed) {
    if (!transposed) {
        return read_rows<T, Order>(reader, rows, cols);
    }
    Matrix<T> matrix(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    for (std::size_t j = 0; j < matrix.cols(); ++j) {
        for (std::size_t i = 0; i < matrix.rows(); ++i) {
            matrix(i, j) = reader.number<T, Order>("numbers");
        }
    }
    return matrix;
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

    const bool is_swapped = header.dtype == ">" + npy_type<T>() && sizeof(T) > 1;
    if (header.dtype != (sizeof(T) == 1 ? "|" : "<") + npy_type<T>() && !is_swapped) {
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
    expect_payload<T>(reader, rows, cols);
    const bool transposed = header.column_major && header.shape.size() == 2;
    return is_swapped ? read_npy_numbers<T, std::endian::big>(reader, rows, cols, transposed)
                      : read_npy_numbers<T, std::endian::little>(reader, rows, cols, transposed);
}

}  // namespace detail

/// A NumPy array of one or two dimensions, of exactly the asked type: read_npy<float> reads float32.
///
/// Both byte orders and both storage orders are understood, and versions 1.0 to 3.0 of the format. Arrays of objects
/// are refused: they hold pickled programs.
///
/// Returns   the array; one of one dimension becomes a matrix of one row, or of none if it is empty
/// Errors    IOError if the file cannot be read;  CorruptData if the header is not that of such an array, if the
///           numbers do not fill the file exactly, or if there are rows without columns
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/npy.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::io::read_npy;
using funnel::io::write_npy;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
using namespace std::string_literals;
namespace fs = std::filesystem;

namespace {

Bytes bytes_from(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

// A .npy file with this header text, of version 1.0 or another.
Bytes npy(std::string header, std::string_view numbers, char version = 1) {
    header += '\n';
    std::string file = "\x93NUMPY"s + version + '\0';
    file += static_cast<char>(header.size() & 0xFF);
    file += static_cast<char>(header.size() >> 8);
    file += std::string(version == 1 ? 0 : 2, '\0');
    return bytes_from(file + header + std::string(numbers));
}

template <class T>
std::vector<T> numbers_of(const Matrix<T>& matrix) {
    std::vector<T> out;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        out.insert(out.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return out;
}

template <class T>
std::vector<T> read(const Bytes& bytes, std::size_t rows, std::size_t cols) {
    const Matrix<T> matrix = funnel::io::detail::parse_npy<T>(bytes, "x.npy");
    CHECK(matrix.rows() == rows);
    CHECK(matrix.cols() == cols);
    return numbers_of(matrix);
}

template <class T = float>
std::string error_of(const Bytes& bytes) {
    try {
        (void)funnel::io::detail::parse_npy<T>(bytes, "x.npy");
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

constexpr std::string_view one_to_six{"\1\0\2\0\3\0\4\0\5\0\6\0", 12};

}  // namespace

TEST_CASE("read_npy: both storage orders, both byte orders, all versions") {
    using Numbers = std::vector<std::int16_t>;
    const auto header = [](const std::string& type, const std::string& order, const std::string& shape) {
        return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }   ";
    };
    const Numbers by_rows{1, 2, 3, 4, 5, 6};
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(2, 3)"), one_to_six), 2, 3) == by_rows);
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(2, 3)"), one_to_six, 2), 2, 3) == by_rows);
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(2, 3)"), one_to_six, 3), 2, 3) == by_rows);

    // Columns (1, 2), (3, 4), (5, 6).
    CHECK(read<std::int16_t>(npy(header("<i2", "True", "(2, 3)"), one_to_six), 2, 3) == Numbers{1, 3, 5, 2, 4, 6});
    CHECK(read<std::int16_t>(npy(header(">i2", "True", "(2, 3)"), one_to_six), 2, 3) ==
          Numbers{0x100, 0x300, 0x500, 0x200, 0x400, 0x600});
    CHECK(read<std::int16_t>(npy(header(">i2", "False", "(1, 2)"), {"\1\2\3\4", 4}), 1, 2) == Numbers{0x102, 0x304});

    // One dimension is one row, in either storage order.
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(6,)"), one_to_six), 1, 6) == by_rows);
    CHECK(read<std::int16_t>(npy(header("<i2", "True", "(6,)"), one_to_six), 1, 6) == by_rows);
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(0,)"), ""), 0, 0).empty());
    CHECK(read<std::int16_t>(npy(header("<i2", "False", "(0, 3)"), ""), 0, 3).empty());
}

TEST_CASE("read_npy: headers as other writers make them") {
    const std::vector<std::uint8_t> numbers{7, 8};
    for (const char* header : {"{'shape':(1,2),'fortran_order':False,'descr':'|u1'}",
                               "{\"descr\": \"|u1\", \"fortran_order\": False, \"shape\": (1, 2)}",
                               "  { 'descr' : '|u1' , 'shape' : ( 1 , 2 ) , 'fortran_order' : False , }  \n  "}) {
        CHECK(read<std::uint8_t>(npy(header, "\7\10"), 1, 2) == numbers);
    }
}

TEST_CASE("write_npy: the bytes that numpy.save writes") {
    // numpy.save(file, numpy.array([[1, 2], [3, -4]], dtype=numpy.float32))
    std::string expected = "\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"s;
    expected.resize(127, ' ');
    expected += "\n\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40\0\0\x80\xc0"s;

    const TempDir dir;
    Matrix<float> matrix(2, 2);
    matrix(0, 0) = 1.0F;
    matrix(0, 1) = 2.0F;
    matrix(1, 0) = 3.0F;
    matrix(1, 1) = -4.0F;
    write_npy(dir / "x.npy", matrix);
    CHECK((bytes_of(dir / "x.npy") == bytes_from(expected)));
    CHECK(numbers_of(read_npy<float>(dir / "x.npy")) == numbers_of(matrix));
}

TEST_CASE("write_npy: single bytes have no byte order, as numpy.save writes them") {
    // numpy.save(file, numpy.array([[7]], dtype=numpy.uint8))
    std::string expected = "\x93NUMPY\x01\0v\0{'descr': '|u1', 'fortran_order': False, 'shape': (1, 1), }"s;
    expected.resize(127, ' ');
    expected += "\n\x07"s;

    const TempDir dir;
    Matrix<std::uint8_t> matrix(1, 1);
    matrix(0, 0) = 7;
    write_npy(dir / "x.npy", matrix);
    CHECK((bytes_of(dir / "x.npy") == bytes_from(expected)));
}

TEST_CASE_TEMPLATE("write_npy: reads back the same", T, std::uint8_t, std::int8_t, std::uint16_t, std::int16_t,
                   std::uint32_t, std::int32_t, std::uint64_t, std::int64_t, float, double) {
    const TempDir dir;
    for (const std::size_t rows : {0U, 1U, 13U}) {
        Matrix<T> matrix(rows, 9);
        for (std::size_t i = 0; i < rows; ++i) {
            for (std::size_t j = 0; j < 9; ++j) {
                matrix(i, j) = static_cast<T>(static_cast<T>(i * 9 + j) - std::numeric_limits<T>::max() / 2);
            }
        }
        write_npy(dir / "x.npy", matrix);
        const Matrix<T> loaded = read_npy<T>(dir / "x.npy");
        CHECK(loaded.rows() == rows);
        CHECK(loaded.cols() == 9);
        CHECK(numbers_of(loaded) == numbers_of(matrix));
        CHECK((fs::file_size(dir / "x.npy") - rows * 9 * sizeof(T)) % 64 == 0);
    }
    CHECK_THROWS_AS(write_npy(dir / "y.npy", Matrix<T>(2, 0)), InvalidArgument);
    CHECK_THROWS_AS(write_npy(dir / "y.npy", Matrix<T>(0, 65537)), InvalidArgument);  // nobody could read it
}

TEST_CASE("read_npy: every way to write a type, with or without a byte order") {
    const auto header = [](const std::string& type, const std::string& order = "False") {
        return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': (1, 2), }";
    };
    constexpr std::string_view little("\0\0\x80\x3f\0\0\0\xc0", 8);  // 1, -2
    constexpr std::string_view big("\x3f\x80\0\0\xc0\0\0\0", 8);
    const std::vector<float> expected{1.0F, -2.0F};
    for (const char* type : {"<f4", "=f4", "f4", "|f4"}) {
        CAPTURE(type);
        CHECK(read<float>(npy(header(type), little), 1, 2) == expected);
        CHECK(read<double>(npy(header(type), little), 1, 2) == std::vector<double>{1.0, -2.0});
    }
    CHECK(read<float>(npy(header(">f4"), big), 1, 2) == expected);
    CHECK(read<double>(npy(header(">f4", "True"), big), 1, 2) == std::vector<double>{1.0, -2.0});
    CHECK(read<std::int16_t>(npy(header("i2"), std::string_view("\1\0\2\0", 4)), 1, 2) ==
          std::vector<std::int16_t>{1, 2});
    for (const char* type : {"u1", "|u1", "<u1", ">u1", "=u1"}) {
        CHECK(read<std::uint8_t>(npy(header(type), "\1\2"), 1, 2) == std::vector<std::uint8_t>{1, 2});
    }
}

TEST_CASE("read_npy: every float16 becomes the float it stands for") {
    std::string little;
    std::string big;
    std::vector<float> expected;
    for (unsigned half = 0; half < 65536; ++half) {
        little += {static_cast<char>(half & 0xFF), static_cast<char>(half >> 8)};
        big += {static_cast<char>(half >> 8), static_cast<char>(half & 0xFF)};
        const int exponent = static_cast<int>(half >> 10 & 31);
        const int fraction = static_cast<int>(half & 1023);
        const double sign = half >> 15 == 0 ? 1.0 : -1.0;
        expected.push_back(static_cast<float>(exponent == 0    ? sign * std::ldexp(fraction, -24)
                                              : exponent == 31 ? 0.0  // below
                                                               : sign * std::ldexp(1024 + fraction, exponent - 25)));
    }
    for (const bool is_big : {false, true}) {
        const Bytes file =
            npy(std::string("{'descr': '") + (is_big ? ">" : "<") + "f2', 'fortran_order': False, 'shape': (65536,), }",
                is_big ? big : little);
        const std::vector<float> numbers = read<float>(file, 1, 65536);
        for (unsigned half = 0; half < 65536; ++half) {
            CAPTURE(half);
            const std::uint32_t bits = std::bit_cast<std::uint32_t>(numbers[half]);
            if ((half >> 10 & 31) == 31) {  // infinities and NaN keep their sign and payload
                REQUIRE(bits == ((half >> 15) << 31 | 0x7F800000U | (half & 1023) << 13));
            } else {
                REQUIRE(numbers[half] == expected[half]);
                REQUIRE((bits >> 31) == (half >> 15));
            }
        }
    }
}

TEST_CASE("read_npy: float64 is rounded to float, and one that no float can hold is an error with its position") {
    const auto file = [](const std::vector<double>& numbers, bool is_big = false, const char* order = "False") {
        std::string raw;
        for (const double number : numbers) {
            const auto bytes =
                is_big ? funnel::io::number_bytes<double, std::endian::big>(number) : funnel::io::number_bytes(number);
            raw.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
        }
        return npy(std::string("{'descr': '") + (is_big ? ">" : "<") + "f8', 'fortran_order': " + order +
                       ", 'shape': (2, " + std::to_string(numbers.size() / 2) + "), }",
                   raw);
    };
    const double largest = std::numeric_limits<float>::max();
    const double middle = 0x1.ffffffp127;  // between it and 2^128
    const std::vector<double> numbers{0.1, -largest, std::nextafter(middle, 0.0), 1e-300};
    const std::vector<float> rounded{0.1F, -static_cast<float>(largest), static_cast<float>(largest), 0.0F};
    CHECK(read<float>(file(numbers), 2, 2) == rounded);
    CHECK(read<float>(file(numbers, true), 2, 2) == rounded);
    CHECK(read<float>(file(numbers, false, "True"), 2, 2) ==
          std::vector<float>{rounded[0], rounded[2], rounded[1], rounded[3]});
    CHECK(read<double>(file(numbers, true), 2, 2) == numbers);
    CHECK(read<double>(file({1e300, 1.0}), 2, 1) == std::vector<double>{1e300, 1.0});

    for (const bool is_big : {false, true}) {
        const Bytes bad = file({1.0, 2.0, 3.0, -1e300}, is_big);
        CHECK(error_of(bad) == "x.npy: byte " + std::to_string(bad.size() - 8) +
                                   " (numbers): expected a number that a float can hold, found -1e+300");
    }
    CHECK(contains(error_of(file({middle, 1.0})), "expected a number that a float can hold, found 3.40282357e+38"));
    const std::vector<float> special =
        read<float>(file({std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}), 2, 1);
    CHECK(funnel::math::is_inf(special[0]));
    CHECK(funnel::math::is_nan(special[1]));
}

TEST_CASE("read_npy: errors name the place, what was expected and what was found") {
    const auto header = [](const std::string& type, const std::string& shape) {
        return "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
    };
    CHECK(error_of(npy(header("<c8", "(1,)"), "12345678")) ==
          "x.npy: byte 10 (type of the numbers): expected f2, f4 or f8, found <c8 (convert in NumPy with .astype)");
    CHECK(contains(error_of(npy(header("|O", "(1,)"), "12345678")), "stored as programs and never loaded"));
    CHECK(contains(error_of(npy(header("<i4", "(1,)"), "1234")), "expected f2, f4 or f8, found <i4"));
    CHECK(contains(error_of<std::uint32_t>(npy(header("<i4", "(1,)"), "1234")), "expected u4, found <i4"));
    CHECK(contains(error_of<std::uint16_t>(npy(header("<f2", "(1,)"), "12")), "expected u2, found <f2"));
    CHECK(contains(error_of<std::uint8_t>(npy(header("<u2", "(1,)"), "12")), "expected u1, found <u2"));
    CHECK(contains(error_of(npy(header("<<f4", "(1,)"), "1234")), "found <<f4"));
    CHECK(contains(error_of(npy(header("", "(1,)"), "1234")), "found  (convert"));
    CHECK(contains(error_of(npy(header("<", "(1,)"), "1234")), "found < (convert"));
    CHECK(contains(error_of(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", "1234")),
                   "byte 20 (array header): expected a quoted name (arrays of structures"));
    CHECK(contains(error_of(npy(header("<f4", "()"), "1234")), "expected 1 or 2 dimensions, found 0"));
    CHECK(contains(error_of(npy(header("<f4", "(1, 1, 1)"), "1234")), "expected 1 or 2 dimensions, found 3"));
    CHECK(contains(error_of(npy(header("<f4", "(2, 1)"), "1234")), "expected 8 bytes for 2 x 1, found 4"));
    CHECK(contains(error_of(npy(header("<f4", "(1, 1)"), "12345")), "expected 4 bytes for 1 x 1, found 5"));
    CHECK(contains(error_of(npy(header("<f4", "(4294967296, 4294967296)"), "")), "a size that a machine can address"));
    CHECK(contains(error_of(npy(header("<f4", "(4611686018427387904, 1)"), "")), "a size that a machine can address"));
    CHECK(contains(error_of(npy(header("<f4", "(99999999999999999999, 1)"), "")), "a size that a machine can address"));
    CHECK(contains(error_of(npy(header("<f4", "(18446744073709551617,)"), "1234")), "can address"));  // 2^64 + 1
    CHECK(contains(error_of(npy(header("<f4", "(0, 9000000000000000000)"), "")), "at most 65536 columns"));
    CHECK(read<float>(npy(header("<f4", "(0, 65536)"), ""), 0, 65536).empty());
    CHECK(contains(error_of(npy(header("<f4", "(0, 65537)"), "")), "at most 65536 columns"));
    CHECK(contains(error_of(npy(header("<f4", "(9000000000000000000, 0)"), "")), "rows with columns"));
    CHECK(contains(error_of(npy(header("<f4", "(-1,)"), "1234")), "expected a whole number, found \"-1"));
    CHECK(contains(error_of(npy("{'descr': '<f4', 'shape': (1,), }", "1234")), "descr, fortran_order and shape"));
    CHECK(contains(error_of(npy("{'descr': '<f4', 'descr': '<f4', }", "1234")), "each once"));
    CHECK(contains(error_of(npy("{'shape': (1,), 'shape': (1,), 'descr': '<f4', 'fortran_order': False}", "1234")),
                   "each once"));
    CHECK(contains(
        error_of(npy("{'fortran_order': True, 'fortran_order': False, 'shape': (1,), 'descr': '<f4'}", "1234")),
        "each once"));
    CHECK(
        contains(error_of(npy("{'descr': '<f4', 'fortran_order': False}", "1234")), "descr, fortran_order and shape"));
    CHECK(contains(error_of(npy("{'descr': '<f4', 'x': 1}", "1234")), "each once"));
    CHECK(contains(error_of(npy(header("<f4", "(1,)") + " x", "1234")), "one dictionary"));
    CHECK(contains(error_of(npy("{'descr': '<f4", "")), "a closing quote"));
    CHECK(contains(error_of(npy("{'descr': '<f4', 'fortran_order': 0, 'shape': (1,)}", "1234")), "expected False"));
    CHECK(contains(error_of(npy("", "")), "expected {, found"));
    CHECK(contains(error_of(npy(header("<f4", "(1,)"), "1234", 4)), "expected 1.0, 2.0 or 3.0, found 4.0"));
    CHECK(contains(error_of(npy(header("<f4", "(1,)"), "1234", 0)), "expected 1.0, 2.0 or 3.0, found 0.0"));
    CHECK(contains(error_of(bytes_from("\x93NUMPY\x02\0\x01\0\x01\0"s + std::string(70000, ' '))), "at most 64 KiB"));
    CHECK(contains(error_of(bytes_from("\x93NUMPY\x01\0\x64\0{"s)), "expected 100 bytes, found 1"));
    CHECK(contains(error_of(bytes_from("PK\x03\x04"s)), "a ZIP archive"));
    CHECK(contains(error_of(bytes_from("\x1f\x8b\x08\0"s)), "found gzip data (unpack it first)"));
    for (std::size_t at = 0; at < 256; ++at) {  // of the minor versions there is but one
        Bytes other = npy(header("<f4", "(1,)"), "1234");
        other[7] = static_cast<std::byte>(at);
        CHECK(contains(error_of(other), "expected 1.0, 2.0 or 3.0, found 1." + std::to_string(at)) == (at != 0));
    }
    CHECK(contains(error_of(bytes_from("\x93NUM"s)), "expected a NumPy .npy array, found bytes 93 4e 55 4d"));
    CHECK(contains(error_of({}), "an empty file"));
}

TEST_CASE("read_npy: a damaged file is an error or fills its matrix") {
    const TempDir dir;
    Matrix<std::uint32_t> matrix(5, 3);
    for (std::uint32_t i = 0; i < 15; ++i) {
        matrix(i / 3, i % 3) = 1000 * i;
    }
    write_npy(dir / "x.npy", matrix);
    const auto load = [](const fs::path& path) {
        const Matrix<std::uint32_t> loaded = read_npy<std::uint32_t>(path);
        CHECK(loaded.rows() * loaded.cols() * 4 < fs::file_size(path));
        return numbers_of(loaded);
    };
    funnel::testing::check_damage(bytes_of(dir / "x.npy"), load, {.has_checksum = false});
}

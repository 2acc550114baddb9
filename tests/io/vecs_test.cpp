// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/vecs.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
namespace fs = std::filesystem;
namespace io = funnel::io;

namespace {

Bytes bytes_from(std::string_view text) {
    const auto raw = std::as_bytes(std::span(text));
    return {raw.begin(), raw.end()};
}

// The shape and the bits of all numbers, so that NaN equals itself.
template <class T>
std::vector<std::uint64_t> contents(const Matrix<T>& matrix) {
    std::vector<std::uint64_t> out{matrix.rows(), matrix.cols()};
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        for (const T number : matrix.row(i)) {
            if constexpr (sizeof(T) == 4) {
                out.push_back(std::bit_cast<std::uint32_t>(number));
            } else {
                out.push_back(static_cast<std::uint64_t>(number));
            }
        }
    }
    return out;
}

template <class T>
Matrix<T> counting(std::size_t rows, std::size_t cols) {
    Matrix<T> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j) {
            matrix(i, j) = static_cast<T>(i * cols + j + 1);
        }
    }
    return matrix;
}

}  // namespace

TEST_CASE("read_fvecs: a file by hand") {
    const TempDir dir;
    // Two rows of two: (1, -2), (0.5, 3).
    put_bytes(dir / "x.fvecs", bytes_from({"\x02\0\0\0"
                                           "\0\0\x80\x3f"
                                           "\0\0\0\xc0"
                                           "\x02\0\0\0"
                                           "\0\0\0\x3f"
                                           "\0\0\x40\x40",
                                           24}));
    const Matrix<float> matrix = io::read_fvecs(dir / "x.fvecs");
    REQUIRE(matrix.rows() == 2);
    REQUIRE(matrix.cols() == 2);
    CHECK(matrix(0, 0) == 1.0F);
    CHECK(matrix(0, 1) == -2.0F);
    CHECK(matrix(1, 0) == 0.5F);
    CHECK(matrix(1, 1) == 3.0F);

    io::write_fvecs(dir / "y.fvecs", matrix);
    CHECK((bytes_of(dir / "y.fvecs") == bytes_of(dir / "x.fvecs")));

    put_bytes(dir / "x.bvecs", bytes_from({"\x03\0\0\0"
                                           "\x01\x02\xff",
                                           7}));
    CHECK(contents(io::read_bvecs(dir / "x.bvecs")) == std::vector<std::uint64_t>{1, 3, 1, 2, 255});
    put_bytes(dir / "x.ivecs", bytes_from({"\x01\0\0\0"
                                           "\xfe\xff\xff\xff",
                                           8}));
    CHECK(io::read_ivecs(dir / "x.ivecs")(0, 0) == -2);
}

TEST_CASE("write_fvecs, write_ivecs, write_bvecs: read back the same, NaN and all") {
    const TempDir dir;
    for (const std::size_t cols : {1U, 16U, 33U}) {
        Matrix<float> floats = counting<float>(7, cols);
        floats(3, 0) = std::numeric_limits<float>::quiet_NaN();
        floats(4, 0) = -std::numeric_limits<float>::infinity();
        io::write_fvecs(dir / "f", floats);
        CHECK(contents(io::read_fvecs(dir / "f")) == contents(floats));
        CHECK(fs::file_size(dir / "f") == 7 * (4 + 4 * cols));

        io::write_ivecs(dir / "i", counting<std::int32_t>(7, cols));
        CHECK(contents(io::read_ivecs(dir / "i")) == contents(counting<std::int32_t>(7, cols)));
        io::write_bvecs(dir / "b", counting<std::uint8_t>(7, cols));
        CHECK(contents(io::read_bvecs(dir / "b")) == contents(counting<std::uint8_t>(7, cols)));
    }
}

TEST_CASE("read_fvecs: errors name the place, and what the file seems to be") {
    const TempDir dir;
    const auto message = [&](std::string_view content) -> std::string {
        put_bytes(dir / "x.fvecs", bytes_from(content));
        try {
            (void)io::read_fvecs(dir / "x.fvecs");
        } catch (const CorruptData& error) {
            return error.what();
        }
        return "no error";
    };
    const auto contains = [](const std::string& text, std::string_view part) {
        return text.find(part) != std::string::npos;
    };
    CHECK(contains(message(""), "x.fvecs: byte 0 (length of the first row): expected 4 bytes, found 0"));
    CHECK(contains(message({"\0\0\0\0", 4}), "expected a number above 0, found 0"));
    CHECK(contains(message("\xff\xff\xff\xff"), "expected a number above 0, found -1"));
    CHECK(contains(message({"\xff\xff\xff\x7f", 4}), "rows that fill the file of 4"));
    CHECK(contains(message("version https://git-lfs.github.com/spec/v1"), "git lfs pull"));
    CHECK(contains(message({"\1\0\0\0aaaa\2\0\0\0bbbb", 16}), "byte 8 (length of row 1): expected 1, found 2"));

    CHECK_THROWS_AS(io::write_fvecs(dir / "y", Matrix<float>(0, 3)), InvalidArgument);
    CHECK_THROWS_AS(io::write_fvecs(dir / "y", Matrix<float>(3, 0)), InvalidArgument);
    CHECK_FALSE(fs::exists(dir / "y"));
}

TEST_CASE("read_fvecs, read_ivecs, read_bvecs: a damaged file is an error or fills its matrix") {
    const TempDir dir;
    const auto check = [&](auto sample, auto write, auto read) {
        write(dir / "x", sample);
        using T = std::remove_cvref_t<decltype(sample(0, 0))>;
        const auto load = [&](const fs::path& path) {
            const Matrix<T> matrix = read(path);
            CHECK(fs::file_size(path) == matrix.rows() * (4 + matrix.cols() * sizeof(T)));
            return contents(matrix);
        };
        funnel::testing::check_damage(bytes_of(dir / "x"), load, {.has_checksum = false, .head = 64});
    };
    check(counting<float>(9, 5), [](const auto& path, const auto& m) { io::write_fvecs(path, m); }, io::read_fvecs);
    check(
        counting<std::int32_t>(9, 5), [](const auto& path, const auto& m) { io::write_ivecs(path, m); },
        io::read_ivecs);
    check(
        counting<std::uint8_t>(9, 5), [](const auto& path, const auto& m) { io::write_bvecs(path, m); },
        io::read_bvecs);
}

TEST_CASE("read_fvecs: a compressed file or UTF-16 text is named as such") {
    const TempDir dir;
    for (const std::string_view content : {std::string_view("\x1f\x8b\x08\0\0\0\0\0\0\3+I", 12),
                                           std::string_view("\x28\xb5\x2f\xfd\4\0\0\0\0\0\0\0", 12),
                                           std::string_view("\xff\xfe"
                                                            "1\0,\0002\0\n\0",
                                                            10)}) {
        put_bytes(dir / "x.fvecs", bytes_from(content));
        CHECK_THROWS_WITH_AS(static_cast<void>(io::read_fvecs(dir / "x.fvecs")), doctest::Contains(" first)"),
                             CorruptData);
    }
}

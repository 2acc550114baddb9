// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/fbin.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <bit>
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

TEST_CASE("read_fbin: a file by hand") {
    const TempDir dir;
    // Two rows of one: 1, -2.
    put_bytes(dir / "x.fbin", bytes_from({"\x02\0\0\0\x01\0\0\0"
                                          "\0\0\x80\x3f"
                                          "\0\0\0\xc0",
                                          16}));
    const Matrix<float> matrix = io::read_fbin(dir / "x.fbin");
    REQUIRE(matrix.rows() == 2);
    REQUIRE(matrix.cols() == 1);
    CHECK(matrix(0, 0) == 1.0F);
    CHECK(matrix(1, 0) == -2.0F);
    io::write_fbin(dir / "y.fbin", matrix);
    CHECK((bytes_of(dir / "y.fbin") == bytes_of(dir / "x.fbin")));
}

TEST_CASE("read_ground_truth: all ids come before all distances") {
    const TempDir dir;
    // One query with two neighbours: 7 at 0.5, 258 at 1.
    put_bytes(dir / "x", bytes_from({"\x01\0\0\0\x02\0\0\0"
                                     "\x07\0\0\0\x02\x01\0\0"
                                     "\0\0\0\x3f"
                                     "\0\0\x80\x3f",
                                     24}));
    const io::NearestNeighbours truth = io::read_ground_truth(dir / "x");
    CHECK(contents(truth.ids) == std::vector<std::uint64_t>{1, 2, 7, 258});
    CHECK(truth.distances.rows() == 1);
    CHECK(truth.distances(0, 0) == 0.5F);
    CHECK(truth.distances(0, 1) == 1.0F);
}

TEST_CASE("write_fbin and the others: read back the same, NaN and all") {
    const TempDir dir;
    Matrix<float> floats = counting<float>(5, 17);
    floats(3, 0) = std::numeric_limits<float>::quiet_NaN();
    io::write_fbin(dir / "f", floats);
    CHECK(contents(io::read_fbin(dir / "f")) == contents(floats));
    io::write_u8bin(dir / "u", counting<std::uint8_t>(5, 50));
    CHECK(contents(io::read_u8bin(dir / "u")) == contents(counting<std::uint8_t>(5, 50)));
    io::write_i8bin(dir / "c", counting<std::int8_t>(5, 50));
    CHECK(contents(io::read_i8bin(dir / "c")) == contents(counting<std::int8_t>(5, 50)));
    io::write_ibin(dir / "i", counting<std::int32_t>(5, 3));
    CHECK(contents(io::read_ibin(dir / "i")) == contents(counting<std::int32_t>(5, 3)));

    io::write_fbin(dir / "none", Matrix<float>(0, 4));
    CHECK(io::read_fbin(dir / "none").rows() == 0);
    CHECK(io::read_fbin(dir / "none").cols() == 4);
    CHECK_THROWS_AS(io::write_fbin(dir / "y", Matrix<float>(3, 0)), InvalidArgument);
    CHECK_THROWS_AS(io::write_fbin(dir / "y", Matrix<float>(0, 65537)), InvalidArgument);  // nobody could read it
    CHECK_FALSE(fs::exists(dir / "y"));
}

TEST_CASE("read_fbin: sizes that cannot be are found before memory is taken") {
    const TempDir dir;
    const auto message = [&](std::string_view content) -> std::string {
        put_bytes(dir / "x.fbin", bytes_from(content));
        try {
            (void)io::read_fbin(dir / "x.fbin");
        } catch (const CorruptData& error) {
            return error.what();
        }
        return "no error";
    };
    const auto contains = [](const std::string& text, std::string_view part) {
        return text.find(part) != std::string::npos;
    };
    CHECK(contains(message(""), "x.fbin: byte 0 (number of rows): expected 4 bytes, found 0"));
    CHECK(contains(message({"\1\0\0\0", 4}), "number of columns"));
    CHECK(contains(message("\xff\xff\xff\xff\xff\xff\xff\xff"), "expected a size that a machine can address"));
    CHECK(contains(message({"\0\0\0\x80\0\0\0\x80", 8}), "shape"));  // 2^62 numbers wrap to 0 bytes
    CHECK(contains(message({"\1\0\0\x40\1\0\0\0"
                            "aaaa",
                            12}),
                   "numbers"));  // 2^30 + 1 rows wrap to 4 bytes in 32 bits
    CHECK(contains(message({"\xff\xff\xff\xff\0\0\0\0", 8}), "expected rows with columns, found 4294967295 x 0"));
    CHECK(contains(message({"\1\0\0\0\1\0\0\0"
                            "aaaaa",
                            13}),
                   "expected 4 bytes for 1 x 1, found 5"));
}

TEST_CASE("read_fbin and the others: a damaged file is an error or fills its matrix") {
    const TempDir dir;
    const auto check = [&](auto sample, auto write, auto read) {
        write(dir / "x", sample);
        using T = std::remove_cvref_t<decltype(sample(0, 0))>;
        const auto load = [&](const fs::path& path) {
            const Matrix<T> matrix = read(path);
            CHECK(fs::file_size(path) == 8 + matrix.rows() * matrix.cols() * sizeof(T));
            return contents(matrix);
        };
        funnel::testing::check_damage(bytes_of(dir / "x"), load, {.has_checksum = false, .head = 64});
    };
    check(counting<float>(9, 5), [](const auto& path, const auto& m) { io::write_fbin(path, m); }, io::read_fbin);
    check(
        counting<std::uint8_t>(9, 5), [](const auto& path, const auto& m) { io::write_u8bin(path, m); },
        io::read_u8bin);
    check(
        counting<std::int8_t>(9, 5), [](const auto& path, const auto& m) { io::write_i8bin(path, m); }, io::read_i8bin);
    check(
        counting<std::int32_t>(9, 5), [](const auto& path, const auto& m) { io::write_ibin(path, m); }, io::read_ibin);

    io::write_ibin(dir / "truth", counting<std::int32_t>(6, 4));  // 3 queries, 4 ids and 4 distances each
    Bytes truth = bytes_of(dir / "truth");
    truth[0] = std::byte{3};
    const auto load = [](const fs::path& path) {
        const io::NearestNeighbours loaded = io::read_ground_truth(path);
        CHECK(fs::file_size(path) == 8 + 8 * loaded.ids.rows() * loaded.ids.cols());
        return std::pair(contents(loaded.ids), contents(loaded.distances));
    };
    funnel::testing::check_damage(truth, load, {.has_checksum = false, .head = 64});
}

TEST_CASE("read_fbin: a compressed file or UTF-16 text is named as such") {
    const TempDir dir;
    const auto error_of = [&](std::string_view content) -> std::string {
        put_bytes(dir / "x.fbin", bytes_from(content));
        try {
            static_cast<void>(io::read_fbin(dir / "x.fbin"));
        } catch (const CorruptData& error) {
            return error.what();
        }
        return "no error";
    };
    CHECK(
        error_of({"\x1f\x8b\x08\0\0\0\0\0\0\3+I", 12}).ends_with("; the file looks like gzip data (unpack it first)"));
    CHECK(error_of({"\xff\xfe"
                    "1\0,\0002\0\n\0",
                    10})
              .ends_with("; the file looks like UTF-16 text (convert it to UTF-8 first)"));
    CHECK(error_of({"\2\0\0\0\2\0\0\0", 8}).ends_with("found 0"));
}

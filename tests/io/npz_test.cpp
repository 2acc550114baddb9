// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/npz.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/io/byte_writer.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::Matrix;
using funnel::io::NPZ;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;

namespace {

struct ArchiveOptions {
    bool is_zip64 = false;
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    std::uint32_t wrong_crc = 0;
    std::string local_name = {};
};

// A ZIP archive of these files, as its specification (APPNOTE 6.3) describes it.
Bytes archive(const std::vector<std::pair<std::string, Bytes>>& files, const ArchiveOptions& options = {}) {
    funnel::io::ByteWriter out;
    funnel::io::ByteWriter directory;
    std::uint64_t position = 0;
    for (const auto& [name, content] : files) {
        const std::uint32_t crc = funnel::io::detail::crc32(content) ^ options.wrong_crc;
        const std::string local_name = options.local_name.empty() ? name : options.local_name;
        const auto size = static_cast<std::uint32_t>(content.size());
        out.number(std::uint32_t{0x04034B50});
        for (const std::uint16_t field :
             {std::uint16_t{45}, options.flags, options.method, std::uint16_t{0}, std::uint16_t{0}}) {
            out.number(field);
        }
        out.number(crc);
        out.number(size);
        out.number(size);
        out.number(static_cast<std::uint16_t>(local_name.size()));
        out.number(std::uint16_t{3});
        out.text(local_name);
        out.text("abc");  // an extra field
        directory.number(std::uint32_t{0x02014B50});
        for (const std::uint16_t field : {std::uint16_t{45}, std::uint16_t{45}, options.flags, options.method,
                                          std::uint16_t{0}, std::uint16_t{0}}) {
            directory.number(field);
        }
        directory.number(crc);
        directory.number(options.is_zip64 ? 0xFFFFFFFFU : size);
        directory.number(options.is_zip64 ? 0xFFFFFFFFU : size);
        directory.number(static_cast<std::uint16_t>(name.size()));
        directory.number(static_cast<std::uint16_t>(options.is_zip64 ? 28 : 0));
        directory.number(std::uint16_t{0});  // comment
        directory.number(std::uint64_t{0});  // disk, attributes
        directory.number(options.is_zip64 ? 0xFFFFFFFFU : static_cast<std::uint32_t>(position));
        directory.text(name);
        if (options.is_zip64) {
            directory.number(std::uint16_t{1});
            directory.number(std::uint16_t{24});
            directory.number(std::uint64_t{size});
            directory.number(std::uint64_t{size});
            directory.number(position);
        }
        out.text(std::string_view(reinterpret_cast<const char*>(content.data()), content.size()));
        position = out.bytes().size();
    }
    const std::uint64_t directory_size = directory.bytes().size();
    const auto entries = static_cast<std::uint16_t>(files.size());
    out.text(std::string_view(reinterpret_cast<const char*>(directory.bytes().data()), directory_size));
    if (options.is_zip64) {
        const std::uint64_t end = out.bytes().size();
        out.number(std::uint32_t{0x06064B50});
        out.number(std::uint64_t{44});
        out.number(std::uint32_t{0});
        out.number(std::uint64_t{0});
        out.number(std::uint64_t{entries});
        out.number(std::uint64_t{entries});
        out.number(directory_size);
        out.number(position);
        out.number(std::uint32_t{0x07064B50});
        out.number(std::uint32_t{0});
        out.number(end);
        out.number(std::uint32_t{1});
    }
    out.number(std::uint32_t{0x06054B50});
    out.number(std::uint32_t{0});
    out.number(options.is_zip64 ? std::uint16_t{0xFFFF} : entries);
    out.number(options.is_zip64 ? std::uint16_t{0xFFFF} : entries);
    out.number(options.is_zip64 ? 0xFFFFFFFFU : static_cast<std::uint32_t>(directory_size));
    out.number(options.is_zip64 ? 0xFFFFFFFFU : static_cast<std::uint32_t>(position));
    out.number(std::uint16_t{0});
    const auto bytes = out.bytes();
    return {bytes.begin(), bytes.end()};
}

// Two arrays: a = [[1, 2], [3, 4]] as float, and b = [5] as integer.
std::vector<std::pair<std::string, Bytes>> two_arrays() {
    const TempDir dir;
    Matrix<float> a(2, 2);
    for (std::size_t i = 0; i < 4; ++i) {
        a(i / 2, i % 2) = static_cast<float>(i + 1);
    }
    Matrix<std::int32_t> b(1, 1);
    b(0, 0) = 5;
    funnel::io::write_npy(dir / "a.npy", a);
    funnel::io::write_npy(dir / "b.npy", b);
    return {{"a.npy", bytes_of(dir / "a.npy")}, {"b.npy", bytes_of(dir / "b.npy")}};
}

std::vector<float> read_both(const std::string& path) {
    const NPZ file = NPZ::read(path);
    const Matrix<float> a = file.array<float>("a");
    std::vector<float> out;
    for (std::size_t i = 0; i < a.rows(); ++i) {
        out.insert(out.end(), a.row(i).begin(), a.row(i).end());
    }
    out.push_back(static_cast<float>(file.array<std::int32_t>("b")(0, 0)));
    return out;
}

std::vector<float> read(const Bytes& bytes) {
    const TempDir dir;
    put_bytes(dir / "x.npz", bytes);
    return read_both(dir / "x.npz");
}

std::string error_of(const Bytes& bytes) {
    try {
        static_cast<void>(read(bytes));
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "no error";
}

bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("npz: the checksum of ZIP of a published text") {
    const std::string_view digits = "123456789";  // the check value of CRC-32/ISO-HDLC
    CHECK(funnel::io::detail::crc32(std::as_bytes(std::span(digits))) == 0xCBF43926U);
}

TEST_CASE("npz: arrays by name, also with sizes and positions of 64 bits") {
    for (const bool is_zip64 : {false, true}) {
        CHECK(read(archive(two_arrays(), {.is_zip64 = is_zip64})) == std::vector<float>{1, 2, 3, 4, 5});
    }
    const TempDir dir;
    put_bytes(dir / "x.npz", archive(two_arrays()));
    const NPZ file = NPZ::read(dir / "x.npz");
    CHECK(file.contains("a"));
    CHECK_FALSE(file.contains("a.npy"));
    CHECK_FALSE(file.contains("c"));
    CHECK_THROWS_WITH_AS(static_cast<void>(file.array<float>("c")),
                         doctest::Contains("x.npz: expected an array \"c\", found none"), CorruptData);
    CHECK_THROWS_WITH_AS(static_cast<void>(file.array<float>("b")), doctest::Contains("x.npz: b: byte "), CorruptData);
}

TEST_CASE("npz: what it cannot read is rejected, and compression names np.savez") {
    CHECK(contains(error_of(archive(two_arrays(), {.method = 8})), "np.savez, not np.savez_compressed"));
    CHECK(contains(error_of(archive(two_arrays(), {.flags = 1})), "without encryption"));
    CHECK(contains(error_of(archive(two_arrays(), {.wrong_crc = 1})), "the checksum of the content"));
    CHECK(contains(error_of(archive(two_arrays(), {.local_name = "c.npy"})), "the name of the directory"));
    auto twice = two_arrays();
    twice.push_back(twice.front());
    CHECK(contains(error_of(archive(twice)), "each name once"));
    CHECK(contains(error_of(bytes_of("/dev/null")), "a .npz file of numpy.savez"));
    CHECK(contains(error_of(two_arrays().front().second), "a NumPy .npy array"));
}

TEST_CASE("npz: damage ends in an error or in the same arrays") {
    for (const bool is_zip64 : {false, true}) {
        const auto report = funnel::testing::check_damage(archive(two_arrays(), {.is_zip64 = is_zip64}), read_both,
                                                          {.has_checksum = false, .bit_flips = 20'000});
        CHECK(report.accepted_other == 0);
    }
}

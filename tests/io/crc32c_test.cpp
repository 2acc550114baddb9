// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/crc32c.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

using funnel::io::crc32c;

namespace {

using Bytes = std::vector<std::byte>;

// The definition: division of polynomials, one bit at a time.
std::uint32_t crc32c_by_definition(std::span<const std::byte> bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const std::byte byte : bytes) {
        crc ^= std::to_integer<std::uint32_t>(byte);
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82F63B78 : crc >> 1;
        }
    }
    return crc ^ 0xFFFFFFFF;
}

}  // namespace

TEST_CASE("crc32c: agrees with the definition, for any length and alignment") {
    funnel::Random random(1);
    Bytes bytes(300);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::byte>(random() & 0xFF); });
    for (std::size_t first = 0; first < 9; ++first) {
        for (std::size_t size = 0; size < 40; ++size) {
            const auto part = std::span(bytes).subspan(first, size);
            CHECK(crc32c(part) == crc32c_by_definition(part));
            CHECK(funnel::io::detail::crc32c_by_tables(part, 0) == crc32c_by_definition(part));
        }
    }
    CHECK(crc32c(bytes) == crc32c_by_definition(bytes));
}

TEST_CASE("crc32c: published values") {
    const std::string_view digits = "123456789";
    CHECK(crc32c(std::as_bytes(std::span(digits))) == 0xE3069283);

    // RFC 3720, appendix B.4.
    Bytes bytes(32);
    CHECK(crc32c(bytes) == 0x8A9136AA);
    std::fill(bytes.begin(), bytes.end(), std::byte{0xFF});
    CHECK(crc32c(bytes) == 0x62A8AB43);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bytes[i] = static_cast<std::byte>(i);
    }
    CHECK(crc32c(bytes) == 0x46DD794E);
    std::reverse(bytes.begin(), bytes.end());
    CHECK(crc32c(bytes) == 0x113FDB5C);
}

TEST_CASE("crc32c: parts can be added one after another") {
    const std::string_view text = "a checksum that is taken in two parts";
    const auto bytes = std::as_bytes(std::span(text));
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        CHECK(crc32c(bytes.subspan(cut), crc32c(bytes.first(cut))) == crc32c(bytes));
        CHECK(funnel::io::detail::crc32c_by_tables(bytes.subspan(cut), crc32c(bytes.first(cut))) == crc32c(bytes));
    }
    CHECK(crc32c({}) == 0);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/io/little_endian.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#ifdef __AVX__
#include <nmmintrin.h>
#endif

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

using CrcTables = std::array<std::uint32_t, 2048>;

// tables[256 k + b]: the contribution of byte b to the checksum when k bytes follow it in its block of eight.
[[nodiscard]] inline CrcTables crc32c_tables() noexcept {
    CrcTables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
        }
        tables[byte] = crc;
    }
    for (std::size_t k = 1; k < 8; ++k) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t crc = tables[256 * (k - 1) + byte];
            tables[256 * k + byte] = crc >> 8 ^ tables[crc & 0xFF];
        }
    }
    return tables;
}

// Processes eight bytes per step, in plain C++.
[[nodiscard]] inline std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t crc) noexcept {
    static const CrcTables tables = crc32c_tables();  // computed at the first call: slow at compile time
    crc = ~crc;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        std::uint64_t block = load_number<std::uint64_t>(bytes) ^ crc;
        crc = 0;
        for (std::size_t k = 8; k-- > 0; block >>= 8) {
            crc ^= tables[256 * k + (block & 0xFF)];
        }
    }
    for (const std::byte byte : bytes) {
        crc = crc >> 8 ^ tables[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xFF];
    }
    return ~crc;
}

}  // namespace detail

/// CRC-32C (Castagnoli), the checksum of iSCSI, ext4 and .fnl files. Detects every error burst of up to 32 bits.
///
/// For two parts, crc32c(second, crc32c(first)) is the checksum of their concatenation. The checksum detects
/// corruption, not tampering: an attacker can correct it.
///
/// Cost      about 1 byte per cycle with tables; 3 and more if the build enables AVX, which implies SSE 4.2
/// Source    RFC 3720 (appendix B.4); Kounavis & Berry, "A systematic approach to building high performance
///           software-based CRC generators", ISCC 2005
[[nodiscard]] inline std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t crc = 0) noexcept {
// AVX rather than SSE 4.2: FUNNEL_ABI encodes AVX, so the two variants never meet in one program.
#ifdef __AVX__
    std::uint64_t state = ~crc;
    for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
        state = _mm_crc32_u64(state, load_number<std::uint64_t>(bytes));
    }
    for (const std::byte byte : bytes) {
        state = _mm_crc32_u8(static_cast<std::uint32_t>(state), std::to_integer<unsigned char>(byte));
    }
    return ~static_cast<std::uint32_t>(state);
#else
    return detail::crc32c_by_tables(bytes, crc);
#endif
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

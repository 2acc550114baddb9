// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// A number type with the same meaning on every machine: an integer of 8 to 64 bits, or IEEE float or double. Excluded
/// are bool, character types (char may be signed or unsigned) and long double.
template <class T>
concept Number = std::same_as<T, float> || std::same_as<T, double> ||
                 (std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                  !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>);

/// Reads a number from the first bytes, little-endian by default. The bytes need no alignment.
///
/// Shapes    bytes: at least sizeof(T) (not checked)
template <Number T, std::endian Order = std::endian::little>
[[nodiscard]] T load_number(std::span<const std::byte> bytes) noexcept {
    FUNNEL_ASSERT(bytes.size() >= sizeof(T));
    std::array<std::byte, sizeof(T)> raw;
    std::memcpy(raw.data(), bytes.data(), sizeof(T));
    if constexpr (Order != std::endian::native) {
        std::reverse(raw.begin(), raw.end());
    }
    return std::bit_cast<T>(raw);
}

/// The bytes of a number, little-endian by default.
template <Number T, std::endian Order = std::endian::little>
[[nodiscard]] constexpr std::array<std::byte, sizeof(T)> number_bytes(T number) noexcept {
    auto raw = std::bit_cast<std::array<std::byte, sizeof(T)>>(number);
    if constexpr (Order != std::endian::native) {
        std::reverse(raw.begin(), raw.end());
    }
    return raw;
}

/// Fills out with numbers from contiguous bytes: one memcpy if the byte orders of machine and file are the same.
///
/// Shapes    bytes: out.size() * sizeof(T) (not checked)
template <Number T, std::endian Order = std::endian::little>
void load_numbers(std::span<const std::byte> bytes, std::span<T> out) noexcept {
    FUNNEL_ASSERT(bytes.size() >= out.size_bytes());
    if constexpr (Order == std::endian::native || sizeof(T) == 1) {
        if (!out.empty()) {
            std::memcpy(out.data(), bytes.data(), out.size_bytes());
        }
    } else {
        for (std::size_t i = 0; i < out.size(); ++i) {
            out[i] = load_number<T, Order>(bytes.subspan(i * sizeof(T)));
        }
    }
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <bit>
#include <concepts>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// IEEE 754 binary16: 1 sign bit, 5 bits of exponent, 10 of fraction. Finite values reach 65504, and their relative
/// error is at most 2^-11 down to 2^-14. Smaller ones have an absolute error of at most 2^-25.
struct Float16 {
    std::uint16_t bits = 0;

    static constexpr float largest = 65504.0F;

    /// The nearest value, ties to the one whose last bit is 0. From 65520 on, that is infinity. NaN stays NaN: it
    /// becomes quiet, and keeps its sign and the upper bits of its payload, as in the instructions of processors.
    [[nodiscard]] static constexpr Float16 nearest(float x) noexcept {
        const auto word = std::bit_cast<std::uint32_t>(x);
        const std::uint32_t sign = word >> 16 & 0x8000U;
        const std::uint32_t size = word & 0x7FFF'FFFFU;
        std::uint32_t rounded = 0;
        if (size >= 0x4780'0000U) {  // 2^16: infinity or NaN
            rounded = size > 0x7F80'0000U ? 0x7E00U | (size >> 13 & 0x3FFU) : 0x7C00U;
        } else if (size < 0x3880'0000U) {  // 2^-14: the addition rounds to multiples of 2^-24
            rounded = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5F) - 0x3F00'0000U;
        } else {  // half of the last place, less 1 if ties go down; a carry goes into the exponent, as it should
            rounded = (size - 0x3800'0000U + 0xFFFU + (size >> 13 & 1U)) >> 13;
        }
        return {static_cast<std::uint16_t>(sign | rounded)};
    }

    /// Exact. (Not std::bit_cast, which is host code.)
    [[nodiscard]] FUNNEL_HOST_DEVICE constexpr float value() const noexcept {
        const std::uint32_t sign = (bits & 0x8000U) << 16;
        const std::uint32_t size = (bits & 0x7FFFU) << 13;  // in place, but for the offset of the exponent
        std::uint32_t word = size + 0x3800'0000U;
        if (size >= 0x0F80'0000U) {  // infinity or NaN
            word = size + 0x7000'0000U;
            word |= size > 0x0F80'0000U ? 0x0040'0000U : 0U;
        } else if (size < 0x0080'0000U) {  // a multiple of 2^-24
            word = __builtin_bit_cast(std::uint32_t, __builtin_bit_cast(float, word + 0x0080'0000U) - 0x1p-14F);
        }
        return __builtin_bit_cast(float, sign | word);
    }

    friend constexpr bool operator==(const Float16&, const Float16&) noexcept = default;
};

/// bfloat16: the upper half of a float. The range is that of float, the relative error at most 2^-8.
struct BFloat16 {
    std::uint16_t bits = 0;

    /// As Float16::nearest. Values that round past the largest finite one become infinity.
    [[nodiscard]] static constexpr BFloat16 nearest(float x) noexcept {
        const auto word = std::bit_cast<std::uint32_t>(x);
        if ((word & 0x7FFF'FFFFU) > 0x7F80'0000U) {
            return {static_cast<std::uint16_t>(word >> 16 | 0x40U)};
        }
        return {static_cast<std::uint16_t>((word + 0x7FFFU + (word >> 16 & 1U)) >> 16)};
    }

    /// Exact.
    [[nodiscard]] FUNNEL_HOST_DEVICE constexpr float value() const noexcept {
        return __builtin_bit_cast(float, std::uint32_t{bits} << 16);
    }

    friend constexpr bool operator==(const BFloat16&, const BFloat16&) noexcept = default;
};

/// A float of 16 bits: Float16 or BFloat16.
template <class H>
concept HalfFloat = std::same_as<H, Float16> || std::same_as<H, BFloat16>;

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

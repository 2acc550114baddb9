// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::detail {

// How int8_dense rounds rows and weights to bytes in [-127, 127] times a step: one definition, so that all backends
// give the same bytes, and devices, too. __builtin_bit_cast, because std::bit_cast is host code.

/// The magnitude of a number, as the bits of a float: NaN is above infinity. Also with -ffast-math.
[[nodiscard]] FUNNEL_HOST_DEVICE inline std::uint32_t magnitude(const float& number) noexcept {
    return __builtin_bit_cast(std::uint32_t, number) & 0x7FFF'FFFFU;
}

/// The largest magnitude.
[[nodiscard]] inline std::uint32_t largest_magnitude(std::span<const float> numbers) noexcept {
    std::uint32_t largest = 0;
    for (const float& number : numbers) {
        largest = std::max(largest, magnitude(number));
    }
    return largest;
}

struct ByteScale {
    float step = 0.0F;      ///< what a byte is multiplied with; NaN if a number is not finite
    float per_step = 0.0F;  ///< what a number is multiplied with, to round it; 0 if a number is not finite

    /// The byte of a number. Ties go to the even byte.
    [[nodiscard]] FUNNEL_HOST_DEVICE int byte(float number) const noexcept {
        return per_step == 0.0F ? 0 : static_cast<int>(std::nearbyint(number * per_step));
    }
};

/// The scale of numbers with this largest magnitude. The product of two steps and a sum of bytes does not underflow.
[[nodiscard]] FUNNEL_HOST_DEVICE inline ByteScale byte_scale(std::uint32_t largest) noexcept {
    if (largest >= 0x7F80'0000U) {
        return {__builtin_bit_cast(float, 0x7FC0'0000U), 0.0F};  // NaN
    }
    constexpr float least = 0x1p-60F;
    const float step = __builtin_bit_cast(float, largest) / 127.0F;
    return step > least ? ByteScale{step, 1.0F / step} : ByteScale{least, 1.0F / least};
}

}  // namespace kernels::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

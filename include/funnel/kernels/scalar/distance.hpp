// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

[[nodiscard]] constexpr float squared_l2(Scalar, std::span<const float> a, std::span<const float> b) noexcept {
    float sum = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const float difference = a[i] - b[i];
        sum += difference * difference;
    }
    return sum;
}

namespace detail {

// Two square roots, because the product of the two squared lengths overflows or underflows too early.
[[nodiscard]] inline float cosine_of(float ab, float aa, float bb) noexcept {
    return aa > 0.0F && bb > 0.0F ? ab / (math::sqrt(aa) * math::sqrt(bb)) : 0.0F;
}

}  // namespace detail

[[nodiscard]] inline float cosine(Scalar, std::span<const float> a, std::span<const float> b) noexcept {
    float ab = 0.0F;
    float aa = 0.0F;
    float bb = 0.0F;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
    }
    return detail::cosine_of(ab, aa, bb);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

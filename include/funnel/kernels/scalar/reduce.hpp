// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

[[nodiscard]] constexpr float sum(Scalar, std::span<const float> x) noexcept {
    float total = 0.0F;
    for (const float element : x) {
        total += element;
    }
    return total;
}

[[nodiscard]] constexpr float max(Scalar, std::span<const float> x) noexcept {
    if (x.empty()) {
        return -std::numeric_limits<float>::infinity();
    }
    float largest = x.front();  // not -infinity: with -ffast-math, clang may evaluate comparisons with it either way
    for (const float element : x.subspan(1)) {
        largest = element > largest ? element : largest;
    }
    return largest;
}

[[nodiscard]] constexpr std::size_t argmax(Scalar, std::span<const float> x) noexcept {
    std::size_t best = 0;
    for (std::size_t i = 1; i < x.size(); ++i) {
        best = x[i] > x[best] ? i : best;
    }
    return best;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

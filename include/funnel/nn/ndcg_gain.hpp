// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

// What the losses that are built from NDCG share: gains, discounts, and the DCG of the best order.

#include <funnel/core/math.hpp>
#include <funnel/nn/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

inline constexpr const char* gain_label_rule = "must lie in [0, 512]";  // so that sums of gains are finite

[[nodiscard]] inline bool is_gain_label(const float& y) noexcept {
    return math::is_finite(y) && y >= 0.0F && y <= 512.0F;
}

/// 2^label - 1.
[[nodiscard]] inline double gain(float label) noexcept {
    return math::exp2(static_cast<double>(label)) - 1.0;
}

/// 1 / log2(2 + position); the first position is 0.
[[nodiscard]] inline double discount(std::size_t position) noexcept {
    return 1.0 / math::log2(2.0 + static_cast<double>(position));
}

/// The largest DCG that the first k positions can have. memory: one element per gain, overwritten.
[[nodiscard]] inline double best_dcg(std::span<const double> gains, std::size_t k, std::span<double> memory) {
    std::copy(gains.begin(), gains.end(), memory.begin());
    const std::size_t shown = std::min(k, gains.size());
    std::partial_sort(memory.begin(), memory.begin() + static_cast<std::ptrdiff_t>(shown), memory.end(),
                      std::greater<>());
    double sum = 0.0;
    for (std::size_t i = 0; i < shown; ++i) {
        sum += memory[i] * discount(i);
    }
    return sum;
}

/// The positions of a list in the order of its scores: the highest first, ties by position.
inline void order_by_score(std::span<const double> scores, std::span<std::size_t> order) {
    for (std::size_t i = 0; i < order.size(); ++i) {
        order[i] = i;
    }
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
}

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

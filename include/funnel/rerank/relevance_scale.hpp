// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// How relevance is brought to the scale of similarity. Equal relevances become 0 (Softmax: 1 / n).
enum class RelevanceScale {
    Raw,      ///< as it is
    MinMax,   ///< (r - lowest) / (highest - lowest), in [0, 1]
    ZScore,   ///< (r - mean) / standard deviation
    Rank,     ///< the share of the other candidates that are less relevant, in [0, 1]
    Softmax,  ///< exp(r) / sum of exp, in (0, 1]; for logits
};

namespace detail {

// Writes the scaled relevances to out. `order` is memory for n numbers, used by Rank.
inline void scale_relevance(std::span<const float> relevance, RelevanceScale scale, std::span<std::uint32_t> order,
                            std::span<float> out) noexcept {
    const std::size_t n = relevance.size();
    std::copy(relevance.begin(), relevance.end(), out.begin());
    if (n == 0 || scale == RelevanceScale::Raw) {
        return;
    }
    const auto [low, high] = std::minmax_element(relevance.begin(), relevance.end());
    const auto lowest = static_cast<double>(*low);
    const auto highest = static_cast<double>(*high);
    if (lowest == highest) {
        const float equal = scale == RelevanceScale::Softmax ? 1.0F / static_cast<float>(n) : 0.0F;
        std::fill(out.begin(), out.end(), equal);
        return;
    }
    // (value - subtract) / divide for MinMax and ZScore
    const auto shift = [out](double subtract, double divide) {
        for (float& x : out) {
            x = static_cast<float>((static_cast<double>(x) - subtract) / divide);
        }
    };
    switch (scale) {
        case RelevanceScale::Raw:
            break;
        case RelevanceScale::MinMax:
            shift(lowest, highest - lowest);
            break;
        case RelevanceScale::ZScore: {
            double mean = 0.0;
            for (const float r : relevance) {
                mean += static_cast<double>(r) / static_cast<double>(n);
            }
            double variance = 0.0;
            for (const float r : relevance) {
                const double off = static_cast<double>(r) - mean;
                variance += off * off / static_cast<double>(n);
            }
            shift(mean, math::sqrt(variance));
            break;
        }
        case RelevanceScale::Rank: {
            std::iota(order.begin(), order.end(), std::uint32_t{0});
            std::sort(order.begin(), order.end(),
                      [&](std::uint32_t a, std::uint32_t b) { return relevance[a] < relevance[b]; });
            std::size_t less = 0;
            for (std::size_t at = 0; at < n; ++at) {
                less = at > 0 && relevance[order[at]] > relevance[order[at - 1]] ? at : less;
                out[order[at]] = static_cast<float>(static_cast<double>(less) / static_cast<double>(n - 1));
            }
            break;
        }
        case RelevanceScale::Softmax: {
            double sum = 0.0;
            for (const float r : relevance) {
                sum += math::exp(static_cast<double>(r) - highest);
            }
            for (float& x : out) {
                x = static_cast<float>(math::exp(static_cast<double>(x) - highest) / sum);
            }
            break;
        }
    }
}

// The scaled relevances, in `memory` unless they are as they were.
[[nodiscard]] inline std::span<const float> scaled_relevance(std::span<const float> relevance, RelevanceScale scale,
                                                             std::vector<float>& memory) {
    if (scale == RelevanceScale::Raw) {
        return relevance;
    }
    memory.resize(relevance.size());
    std::vector<std::uint32_t> order(relevance.size());
    scale_relevance(relevance, scale, order, memory);
    return memory;
}

}  // namespace detail

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline std::size_t scores_at_least(Scalar, std::span<const std::uint16_t> sums, float scale, float offset,
                                   std::span<const float> penalties, float threshold,
                                   std::span<std::uint32_t> positions, std::span<float> scores) noexcept {
    std::size_t count = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
        float score = scale * static_cast<float>(sums[i]) + offset;
        if (!penalties.empty()) {
            score -= penalties[i];
        }
        if (score >= threshold) {
            positions[count] = static_cast<std::uint32_t>(i);
            scores[count++] = score;
        }
    }
    return count;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline std::size_t scores_not_below(Scalar, std::span<const float> scores, float threshold,
                                    std::span<Scored<>> out) noexcept {
    constexpr std::size_t group = 16;
    std::size_t count = 0;
    for (std::size_t begin = 0; begin < scores.size(); begin += group) {
        const auto some = scores.subspan(begin, std::min(group, scores.size() - begin));
        std::uint32_t reach = 0;  // a bit for each; this loop has no branch, so compilers vectorize it
        for (std::size_t i = 0; i < some.size(); ++i) {
            reach |= (some[i] < threshold ? 0U : 1U) << i;
        }
        for (; reach != 0; reach &= reach - 1U) {  // most groups have none
            const auto i = static_cast<std::size_t>(std::countr_zero(reach));
            out[count++] = {static_cast<std::uint32_t>(begin + i), some[i]};
        }
    }
    return count;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

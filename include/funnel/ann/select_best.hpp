// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// A score that exactly `count` candidates reach; none if ties or scores of very different size prevent it. It halves
/// an interval. No branch depends on a single candidate, and compilers count with vector instructions.
///
/// Shapes    candidates: n, without NaN;  1 <= count <= n (not checked)
[[nodiscard]] inline std::optional<float> score_reached_by(std::span<const Scored<>> candidates,
                                                           std::size_t count) noexcept {
    FUNNEL_ASSERT(count >= 1 && count <= candidates.size());
    float low = candidates[0].score;
    float high = low;
    for (const Scored<>& candidate : candidates) {
        low = candidate.score < low ? candidate.score : low;
        high = candidate.score > high ? candidate.score : high;
    }
    if (count == candidates.size()) {
        return low;
    }
    constexpr int most_steps = 32;
    for (int step = 0; step < most_steps; ++step) {  // more than `count` reach low
        const float middle = 0.5F * low + 0.5F * high;
        if (!(middle > low)) {
            break;
        }
        std::uint32_t reached = 0;
        for (const Scored<>& candidate : candidates) {
            reached += candidate.score >= middle ? 1U : 0U;
        }
        if (reached == count) {
            return middle;
        }
        (reached > count ? low : high) = middle;
    }
    return std::nullopt;
}

/// Moves the best `count` to the front, in no order. What stood elsewhere is lost. It takes a fraction of the time of
/// std::nth_element.
///
/// Shapes    candidates: n, without NaN;  1 <= count <= n (not checked)
/// Returns   a score that all of the best reach, and no other if there are no ties
inline float select_best(std::span<Scored<>> candidates, std::size_t count) noexcept {
    if (const std::optional<float> score = score_reached_by(candidates, count)) {
        std::size_t front = 0;
        for (const Scored<> candidate : candidates) {
            candidates[front] = candidate;
            front += candidate.score >= *score ? 1U : 0U;
        }
        return *score;
    }
    const auto last = candidates.begin() + static_cast<std::ptrdiff_t>(count - 1);
    std::nth_element(candidates.begin(), last, candidates.end(), ranks_before);
    return last->score;
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scores_not_below.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Whole numbers in the order of floats without NaN; -0 and 0 have one. Compilers find the least one, or count those
/// above another one, with vector instructions.
using OrderKey = std::int32_t;
[[nodiscard]] inline OrderKey key_of(float x) noexcept {
    const auto bits = std::bit_cast<OrderKey>(x);
    return bits < 0 ? std::numeric_limits<OrderKey>::min() - bits : bits;
}
[[nodiscard]] inline float value_of(OrderKey key) noexcept {
    return std::bit_cast<float>(key < 0 ? std::numeric_limits<OrderKey>::min() - key : key);
}

[[nodiscard]] inline float score_of(const Scored<>& candidate) noexcept {
    return candidate.score;
}
[[nodiscard]] inline float score_of(float score) noexcept {
    return score;
}

/// A score that at least `count` candidates reach, and at most `most`; none if ties or scores of very different size
/// prevent it. It halves an interval. No branch depends on a single candidate, and compilers count with vector
/// instructions.
///
/// Shapes    candidates: n, without NaN;  1 <= count <= n, count <= most (not checked)
template <class Candidate>
[[nodiscard]] std::optional<float> score_reached_by(std::span<Candidate> candidates, std::size_t count,
                                                    std::size_t most) noexcept {
    FUNNEL_ASSERT(count >= 1 && count <= candidates.size());
    OrderKey least = std::numeric_limits<OrderKey>::max();
    OrderKey largest = std::numeric_limits<OrderKey>::min();
    for (const Candidate& candidate : candidates) {
        least = std::min(least, key_of(score_of(candidate)));
        largest = std::max(largest, key_of(score_of(candidate)));
    }
    float low = value_of(least);
    float high = value_of(largest);
    if (most >= candidates.size()) {
        return low;
    }
    constexpr int most_steps = 32;
    for (int step = 0; step < most_steps; ++step) {  // more than `most` reach low
        const float middle = 0.5F * low + 0.5F * high;
        if (!(middle > low)) {
            break;
        }
        std::uint32_t reached = 0;
        for (const Candidate& candidate : candidates) {
            reached += score_of(candidate) >= middle ? 1U : 0U;
        }
        if (reached >= count && reached <= most) {
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
    if (const std::optional<float> score = score_reached_by(candidates, count, count)) {
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

/// The best `count` of some scores, best first: their positions and scores. Ties go to the smaller position.
///
/// Shapes    scores: n, without NaN;  1 <= count <= n;  out: n, of which the rest is lost (not checked)
template <kernels::HostBackend Backend>
void order_best(std::span<const float> scores, std::size_t count, std::span<Scored<>> out) noexcept {
    FUNNEL_ASSERT(count >= 1 && count <= scores.size());
    // A score that some more reach is found in fewer steps.
    const float least = score_reached_by(scores, count, 4 * count).value_or(-std::numeric_limits<float>::infinity());
    select_best(out.first(kernels::scores_not_below<Backend>(scores, least, out)), count);
    std::sort(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count), ranks_before);
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

/// A policy that learns which of its arms give high rewards, without context.
///
/// select(k) returns min(k, arms) distinct arms, best first. propensities() returns the probability of each arm to be
/// the first one. It depends only on the rewards so far, so it may be called before or after select(). The same seed,
/// calls and rewards give the same choices.
template <class P>
concept Policy = requires(P& policy, const P& learned, std::size_t k, std::size_t arm, double reward) {
    { policy.select(k) } -> std::same_as<std::vector<std::size_t>>;
    policy.update(arm, reward);
    { learned.propensities() } -> std::same_as<std::vector<double>>;
    { learned.arms() } -> std::convertible_to<std::size_t>;
};

namespace detail {

/// The positions of the k highest scores, best first; ties go to the smaller position.
template <class Score>
[[nodiscard]] std::vector<std::size_t> best_positions(std::span<const Score> scores, std::size_t k) {
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const std::size_t count = std::min(k, scores.size());
    const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(order.begin(), middle, order.end(), [&](std::size_t i, std::size_t j) {
        return scores[i] != scores[j] ? scores[i] > scores[j] : i < j;
    });
    order.erase(middle, order.end());
    return order;
}

}  // namespace detail
}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel

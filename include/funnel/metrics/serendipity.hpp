// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

// Two metrics of literature are named serendipity. Both count relevant items that are not obvious: that a list of the
// most popular items would not show, or that are unlike the history of the user.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// For each item, how popular it is: 1 for the most popular items, 0 for an item without any user.
///
///     (n + 1 - rank) / n,    rank 1 for the largest count, the same rank for equal counts, no rank left out
///
/// Shapes    users_of_item: number of users who know each of n items
/// Returns   n values in [0, 1], for unexpected_relevance
/// Cost      O(n log n)
[[nodiscard]] inline std::vector<double> popularity_levels(std::span<const std::uint32_t> users_of_item) {
    std::vector<std::uint32_t> counts(users_of_item.begin(), users_of_item.end());
    std::sort(counts.begin(), counts.end(), std::greater<>());
    counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
    std::vector<double> levels;
    const auto n = static_cast<double>(users_of_item.size());
    for (const std::uint32_t users : users_of_item) {
        const auto rank = std::lower_bound(counts.begin(), counts.end(), users, std::greater<>()) - counts.begin() + 1;
        levels.push_back(users > 0 ? (n + 1.0 - static_cast<double>(rank)) / n : 0.0);
    }
    return levels;
}

/// Serendipity against popularity: relevant items count by how much higher they stand than their popularity suggests.
///
///     1/k sum over ranks r <= k that hold a hit of max(0, (n + 1 - r) / n - level of the item)
///
/// Shapes    shown: labels in the order shown;  levels: of the shown items, from popularity_levels;  items: n
/// Returns   a value in [0, 1]
/// Errors    InvalidArgument if the sizes differ, a label is negative, infinite or NaN, a level is not in [0, 1], or
///           more items are shown than there are
/// Source    as RecTools computes it; Kaminskas & Bridge, "Diversity, serendipity, novelty, and coverage", TiiS 2016
[[nodiscard]] inline double unexpected_relevance(std::span<const float> shown, std::span<const double> levels,
                                                 std::size_t items, const RankingOptions& options = {}) {
    detail::require_labels(shown, "unexpected_relevance");
    require_equal(levels.size(), shown.size(), "unexpected_relevance: number of levels");
    require(shown.size() <= items, "unexpected_relevance: no more items may be shown than there are");
    const auto n = static_cast<double>(items);
    double sum = 0.0;
    for (std::size_t i = 0; i < std::min(options.k, shown.size()); ++i) {
        require_between(levels[i], 0.0, 1.0, "unexpected_relevance: levels");
        const double surprise = (n - static_cast<double>(i)) / n - levels[i];
        sum += detail::is_relevant(shown[i]) && surprise > 0.0 ? surprise : 0.0;
    }
    return detail::part(sum, options.k);
}

/// Serendipity against the history: relevant items count by how unlike the user's history they are.
///
///     1/min(k, n) sum over the first k items that are relevant of (1 - similarity of the item to the history)
///
/// Shapes    shown: labels of n items in the order shown
///           similarity: of each shown item, the mean cosine to the items of the history, in [-1, 1]
/// Returns   a value in [0, 2]; 0 for an empty list
/// Errors    InvalidArgument if the sizes differ, a label is negative, infinite or NaN, or a similarity is not in [-1,
///           1]
/// Source    Zhang et al., "Auralist: introducing serendipity into music recommendation", WSDM 2012, with the factor
///           for relevance that Microsoft recommenders use
[[nodiscard]] inline double unlike_history(std::span<const float> shown, std::span<const double> similarity,
                                           const RankingOptions& options = {}) {
    detail::require_labels(shown, "unlike_history");
    require_equal(similarity.size(), shown.size(), "unlike_history: number of similarities");
    const std::size_t counted = std::min(options.k, shown.size());
    double sum = 0.0;
    for (std::size_t i = 0; i < counted; ++i) {
        require_between(similarity[i], -1.0, 1.0, "unlike_history: similarity");
        sum += detail::is_relevant(shown[i]) ? 1.0 - similarity[i] : 0.0;
    }
    return detail::part(sum, counted);
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

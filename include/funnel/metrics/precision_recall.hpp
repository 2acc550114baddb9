// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// The share of the first k ranks that hold a relevant item.
///
///     precision = hits in the first k / k
///
/// A list shorter than k is also divided by k: its empty places are misses.
///
/// Shapes    shown: labels in the order shown;  judged: labels of all judged items
/// Returns   a value in [0, 1]; 0 if k is 0
/// Cost      O(n + m) for n items shown and m judged
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or if more relevant items are shown than judged
[[nodiscard]] inline double precision(std::span<const float> shown, std::span<const float> judged,
                                      const RankingOptions& options = {}) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "precision");
    return relevant > 0 ? detail::ratio(detail::count_relevant(shown, options.k), options.k)
                        : options.if_nothing_relevant;
}

/// The share of the relevant items that are among the first k.
///
///     recall = hits in the first k / R,    R relevant items in all
///
/// A user with more than k relevant items cannot reach 1; see capped_recall.
///
/// Shapes, Returns, Cost, Errors    as precision
[[nodiscard]] inline double recall(std::span<const float> shown, std::span<const float> judged,
                                   const RankingOptions& options = {}) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "recall");
    return relevant > 0 ? detail::ratio(detail::count_relevant(shown, options.k), relevant)
                        : options.if_nothing_relevant;
}

/// Recall divided by the best value possible with k ranks. Papers on variational autoencoders and linear item models
/// report this metric under the name "recall".
///
///     capped_recall = hits in the first k / min(R, k)
///
/// Shapes, Returns, Cost, Errors    as precision
/// Source    Liang et al., "Variational autoencoders for collaborative filtering", WWW 2018 (section 4.2)
[[nodiscard]] inline double capped_recall(std::span<const float> shown, std::span<const float> judged,
                                          const RankingOptions& options = {}) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "capped_recall");
    return relevant > 0 ? detail::ratio(detail::count_relevant(shown, options.k), std::min(relevant, options.k))
                        : options.if_nothing_relevant;
}

/// 1 if any of the first k items is relevant, else 0. Its mean over users is the share of users with at least one hit.
///
/// Shapes, Cost, Errors    as precision
[[nodiscard]] inline double hit_rate(std::span<const float> shown, std::span<const float> judged,
                                     const RankingOptions& options = {}) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "hit_rate");
    if (relevant == 0) {
        return options.if_nothing_relevant;
    }
    return detail::count_relevant(shown, options.k) > 0 ? 1.0 : 0.0;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

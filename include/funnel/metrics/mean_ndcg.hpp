// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

// The NDCG of each list; -1 for a list without a label above 0. Shapes and errors as in mean_ndcg.
template <Gain G, Executor E>
[[nodiscard]] std::vector<double> ndcg_of_lists(std::span<const double> scores, std::span<const float> labels,
                                                std::span<const std::size_t> group_sizes, std::size_t k, const G& gain,
                                                E& executor) {
    require_equal(labels.size(), scores.size(), "mean_ndcg: number of labels");
    require(std::none_of(scores.begin(), scores.end(), [](const double& score) { return math::is_nan(score); }),
            "mean_ndcg: scores must not be NaN");
    require_labels(labels, "mean_ndcg");
    const std::size_t all = scores.size();
    std::vector<std::size_t> begins{0};
    for (const std::size_t size : group_sizes.empty() ? std::span(&all, 1) : group_sizes) {
        begins.push_back(math::saturating_add(begins.back(), size));
    }
    require_equal(begins.back(), scores.size(), "mean_ndcg: sum of group_sizes");

    std::vector<double> values(begins.size() - 1, 0.0);
    parallel_for(executor, values.size(), 16, [&](std::size_t list) {
        const auto list_labels = labels.subspan(begins[list], begins[list + 1] - begins[list]);
        std::vector<std::size_t> order(list_labels.size());
        std::iota(order.begin(), order.end(), begins[list]);
        std::sort(order.begin(), order.end(),
                  [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
        std::vector<float> shown(order.size());
        std::transform(order.begin(), order.end(), shown.begin(), [&](std::size_t item) { return labels[item]; });
        values[list] = ndcg(shown, list_labels, {.k = k, .if_nothing_relevant = -1.0}, gain);
    });
    return values;
}

}  // namespace detail

/// Mean NDCG of lists whose items have scores: how well a ranker orders them.
///
///     mean_ndcg = mean of ndcg(labels in the order of the scores, k) over the lists with a label above 0
///
/// The highest score comes first, and ties go to the smaller position. Lists without a label above 0 are left out:
/// every order of them is as good. (LightGBM counts them as 1.) LightGBM and XGBoost use ExponentialGain.
///
/// Shapes    scores, labels: n, list after list;  group_sizes: number of items of each list, n in all; empty: one list
/// Returns   a value in [0, 1]; NaN if no list has a label above 0. The same bits for any number of threads
/// Cost      O(n log n) time, O(longest list) memory per thread
/// Errors    InvalidArgument if the sizes do not match, a score is NaN, a label is negative, infinite or NaN, or a sum
///           of gains is not finite
template <Gain G = LinearGain, Executor E = Serial>
[[nodiscard]] double mean_ndcg(std::span<const double> scores, std::span<const float> labels,
                               std::span<const std::size_t> group_sizes, std::size_t k, const G& gain = {},
                               E&& executor = E{}) {
    double sum = 0.0;
    std::size_t counted = 0;
    for (const double value : detail::ndcg_of_lists(scores, labels, group_sizes, k, gain, executor)) {
        sum += value >= 0.0 ? value : 0.0;
        counted += value >= 0.0 ? 1U : 0U;
    }
    return counted > 0 ? sum / static_cast<double>(counted) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

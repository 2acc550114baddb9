// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// Area under the ROC curve: the share of pairs (relevant item, other item) in which the relevant item scores higher.
///
///     auc = (pairs in the right order + pairs with equal scores / 2) / pairs
///
/// A tie counts one half, so a model that gives all items the same score gets 0.5. A label > 0 means relevant. You may
/// score only a random sample of the items that are not relevant: the expected AUC stays the same. Other ranking
/// metrics change.
///
/// Shapes    scores, labels: n, one of each per item, in any order
/// Returns   a value in [0, 1]; NaN if there is no pair (all items are relevant, or none). Counting is exact, one
///           division is rounded.
/// Cost      O(n log n) time, O(n) memory
/// Errors    InvalidArgument if the sizes differ, n is 2^32 or more, a score is NaN, or a label is negative, infinite
///           or NaN
/// Source    Mann & Whitney, "On a test of whether one of two random variables is stochastically larger", 1947
[[nodiscard]] inline double auc(std::span<const float> scores, std::span<const float> labels) {
    require_equal(labels.size(), scores.size(), "auc: number of labels");
    require(scores.size() <= std::numeric_limits<std::uint32_t>::max(),
            "auc: scores must have fewer than 2^32 elements");
    require(std::none_of(scores.begin(), scores.end(), [](const float& score) { return math::is_nan(score); }),
            "auc: scores must not be NaN");
    detail::require_labels(labels, "auc");

    struct Example {
        float score;
        bool is_relevant;
    };
    std::vector<Example> examples(scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        examples[i] = {.score = scores[i], .is_relevant = detail::is_relevant(labels[i])};
    }
    std::sort(examples.begin(), examples.end(), [](const Example& a, const Example& b) { return a.score < b.score; });

    // Ascending, one group of equal scores at a time. Counts are integers, so nothing is rounded.
    std::uint64_t positives = 0;
    std::uint64_t negatives = 0;
    std::uint64_t twice_won = 0;  // a won pair counts 2, a tied pair 1
    for (std::size_t begin = 0, end = 0; begin < examples.size(); begin = end) {
        std::uint64_t tied_positives = 0;
        for (; end < examples.size() && examples[end].score == examples[begin].score; ++end) {
            tied_positives += examples[end].is_relevant ? 1U : 0U;
        }
        const std::uint64_t tied_negatives = end - begin - tied_positives;
        twice_won += tied_positives * (2 * negatives + tied_negatives);
        positives += tied_positives;
        negatives += tied_negatives;
    }
    if (positives == 0 || negatives == 0) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return static_cast<double>(twice_won) / (2.0 * static_cast<double>(positives) * static_cast<double>(negatives));
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

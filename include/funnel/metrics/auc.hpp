// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
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

/// Area under the ROC curve: how often a relevant item scores higher than one that is not, over all such pairs.
///
///     auc = (pairs in the right order + pairs with equal scores / 2) / pairs
///
/// Half a point for a tie makes it 0.5 for a model that scores everything alike, as it should be. Of all ranking
/// metrics it alone keeps its expected value when the items that are not relevant are a random sample.
///
/// Shapes    scores, labels: n, one of each for an item, in any order
/// Returns   a value in [0, 1], to the last bit; NaN if there is no pair: all items are relevant, or none is
/// Cost      O(n log n) time, O(n) memory
/// Errors    InvalidArgument if the sizes differ, n is 2^32 or more, a score is NaN, or a label is negative, infinite
///           or NaN
/// Source    Mann & Whitney, "On a test of whether one of two random variables is stochastically larger", 1947
[[nodiscard]] inline double auc(std::span<const float> scores, std::span<const float> labels) {
    require(scores.size() == labels.size(), "auc: there must be one label for each score");
    require(scores.size() <= std::numeric_limits<std::uint32_t>::max(), "auc: there must be less than 2^32 scores");
    require(std::none_of(scores.begin(), scores.end(), [](const float& score) { return math::is_nan(score); }),
            "auc: a score must not be NaN");
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

    // From the lowest score up, one group of equal scores at a time. In whole numbers, so that nothing is rounded.
    std::uint64_t positives = 0;
    std::uint64_t negatives = 0;
    std::uint64_t twice_won = 0;
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

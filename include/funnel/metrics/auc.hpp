// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
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

/// What a user counts in grouped_auc.
enum class GroupWeight : std::uint8_t {
    Examples,   ///< the number of their examples (impressions)
    Positives,  ///< the number of their relevant examples, as RecBole does
    Uniform,    ///< 1
};

/// AUC of each user, averaged: pairs of examples of different users do not count. A model of the users alone, which
/// ranks nothing, gets 0.5.
///
///     grouped_auc = sum over users of weight * auc / sum of weights,    users without a pair are left out
///
/// Shapes    scores, labels, users: n, one of each per example, in any order
/// Returns   a value in [0, 1]; NaN if no user has a pair
/// Cost      O(n log n) time, O(n) memory
/// Errors    as auc, and InvalidArgument if the number of users is not n
/// Source    Zhu et al., "Optimized cost per click in Taobao display advertising", KDD 2017
[[nodiscard]] inline double grouped_auc(std::span<const float> scores, std::span<const float> labels,
                                        std::span<const std::uint32_t> users,
                                        GroupWeight weight = GroupWeight::Examples) {
    require_equal(labels.size(), scores.size(), "grouped_auc: number of labels");
    require_equal(users.size(), scores.size(), "grouped_auc: number of users");
    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return users[a] != users[b] ? users[a] < users[b] : a < b; });
    double sum = 0.0;
    double weights = 0.0;
    std::vector<float> scores_of_user;
    std::vector<float> labels_of_user;
    for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        scores_of_user.clear();
        labels_of_user.clear();
        for (; end < order.size() && users[order[end]] == users[order[begin]]; ++end) {
            scores_of_user.push_back(scores[order[end]]);
            labels_of_user.push_back(labels[order[end]]);
        }
        const double of_user = auc(scores_of_user, labels_of_user);
        if (math::is_nan(of_user)) {
            continue;
        }
        double counts = 1.0;
        if (weight != GroupWeight::Uniform) {
            counts = static_cast<double>(weight == GroupWeight::Examples ? labels_of_user.size()
                                                                         : detail::count_relevant(labels_of_user));
        }
        sum += counts * of_user;
        weights += counts;
    }
    return weights > 0.0 ? sum / weights : std::numeric_limits<double>::quiet_NaN();
}

/// AUC of a list of the first k of a catalogue, as if the items that are not shown were ordered at random. implicit and
/// buffalo call this AUC at k.
///
/// Shapes    shown: labels in the order shown;  relevant: number of relevant items;  items: size of the catalogue
/// Returns   a value in [0, 1]; NaN if there is no pair
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or if more relevant or other items are shown than
///           there are
[[nodiscard]] inline double auc_of_list(std::span<const float> shown, std::size_t relevant, std::size_t items) {
    detail::require_labels(shown, "auc_of_list");
    const std::size_t shown_hits = detail::count_relevant(shown);
    require(relevant <= items && shown_hits <= relevant && shown.size() - shown_hits <= items - relevant,
            "auc_of_list: no more relevant or other items may be shown than there are");
    double won = 0.0;
    double hits = 0.0;
    for (const float label : shown) {
        if (detail::is_relevant(label)) {
            hits += 1.0;
        } else {
            won += hits;
        }
    }
    const auto others = static_cast<double>(items - relevant);
    const auto misses = static_cast<double>(shown.size() - shown_hits);
    const auto all = static_cast<double>(relevant);
    won += (hits + all) / 2.0 * (others - misses);
    return all > 0.0 && others > 0.0 ? won / (all * others) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

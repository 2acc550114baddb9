// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/labels.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

// Lists of this library have one order: score down, then id up. A model that gives many items the same score owes part
// of its figures to the ids. Here is what other orders of the tied items would have given: at best, at worst, on
// average.
//
//     ndcg(optimistic(scores, shown), judged)         the relevant ones first
//     ndcg(pessimistic(scores, shown), judged)        the relevant ones last
//     expected::ndcg(scores, shown, judged)           the mean over all orders
//
// Pass a tie to its end, also past the first k; what is not passed takes no part.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

// Neighbours in a list that have the same score: any order of their labels is as good.
struct Tie {
    std::size_t first;              // position of the first
    std::span<const float> labels;  // of all of them
    std::size_t counted;            // how many of their places are among the first k
    double relevant;                // how many of the labels are hits

    [[nodiscard]] double size() const { return static_cast<double>(labels.size()); }

    // The chance that the next place is a miss, after so many misses. 0 at the first place that must be a hit; what
    // comes after it does not matter.
    [[nodiscard]] double next_misses(std::size_t drawn) const {
        const double left = size() - static_cast<double>(drawn);
        return (left - relevant) / left;
    }
};

inline std::vector<Tie> ties(std::span<const float> scores, std::span<const float> shown, std::size_t k,
                             const char* function) {
    if (scores.size() != shown.size()) {
        raise<InvalidArgument>(std::string(function) + ": scores must have one element for each label shown");
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (math::is_nan(scores[i]) || (i > 0 && scores[i] > scores[i - 1])) {
            raise<InvalidArgument>(std::string(function) + ": scores must not be NaN and must not rise");
        }
    }
    std::vector<Tie> found;
    for (std::size_t begin = 0, end = 0; begin < scores.size(); begin = end) {
        while (end < scores.size() && scores[end] == scores[begin]) {
            ++end;
        }
        const std::span<const float> labels = shown.subspan(begin, end - begin);
        found.push_back(
            {begin, labels, std::min(end, std::max(begin, k)) - begin, static_cast<double>(count_relevant(labels))});
    }
    return found;
}

template <class Before>
std::vector<float> with_ties_sorted(std::span<const float> scores, std::span<const float> shown, const Before& before,
                                    const char* function) {
    require_labels(shown, function);
    std::vector<float> labels(shown.begin(), shown.end());
    for (const Tie& tie : ties(scores, shown, shown.size(), function)) {
        const auto begin = labels.begin() + static_cast<std::ptrdiff_t>(tie.first);
        std::sort(begin, begin + static_cast<std::ptrdiff_t>(tie.labels.size()), before);
    }
    return labels;
}

// What the expected metrics share: how many items are relevant in all, and the ties of the list.
struct TiedList {
    std::size_t relevant;
    std::vector<Tie> ties;

    // To be expected among the first k.
    [[nodiscard]] double hits() const {
        double sum = 0.0;
        for (const Tie& tie : ties) {
            sum += tie.relevant * static_cast<double>(tie.counted) / tie.size();
        }
        return sum;
    }
};

inline TiedList checked_ties(std::span<const float> scores, std::span<const float> shown, std::span<const float> judged,
                             std::size_t k, const char* function) {
    return {checked_relevant(shown, judged, function), ties(scores, shown, k, function)};
}

}  // namespace detail

/// The labels of a list in the order that is kindest to it: of items with the same score the best labels come first.
/// To be passed to any metric of one list.
///
/// Shapes    scores: of the items in the order shown, from the highest down;  shown: their labels
/// Returns   shown, with neighbours of the same score sorted by label
/// Cost      O(n log n)
/// Errors    InvalidArgument if the sizes differ, a score is NaN or higher than the one before, or a label is negative,
///           infinite or NaN
[[nodiscard]] inline std::vector<float> optimistic(std::span<const float> scores, std::span<const float> shown) {
    return detail::with_ties_sorted(scores, shown, [](float a, float b) { return a > b; }, "optimistic");
}

/// The same in the order that is worst: a model that gives all items one score gains nothing by it.
///
/// Shapes, Returns, Cost, Errors    as optimistic
[[nodiscard]] inline std::vector<float> pessimistic(std::span<const float> scores, std::span<const float> shown) {
    return detail::with_ties_sorted(scores, shown, [](float a, float b) { return a < b; }, "pessimistic");
}

/// What a metric is on average over all orders of items with the same score, by closed forms. Without ties, it is the
/// metric of this name.
///
/// Shapes    scores: of the items in the order shown, from the highest down;  shown: their labels
///           judged: labels of all judged items
/// Cost      that of the metric
/// Errors    as the metric; InvalidArgument if scores and shown differ in size, or a score is NaN or higher than
///           the one before
/// Source    McSherry & Najork, "Computing information retrieval performance measures efficiently in the presence of
///           tied scores", ECIR 2008
namespace expected {

[[nodiscard]] inline double precision(std::span<const float> scores, std::span<const float> shown,
                                      std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::precision");
    return list.relevant > 0 ? detail::part(list.hits(), options.k) : options.if_nothing_relevant;
}

[[nodiscard]] inline double recall(std::span<const float> scores, std::span<const float> shown,
                                   std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::recall");
    return list.relevant > 0 ? detail::part(list.hits(), list.relevant) : options.if_nothing_relevant;
}

[[nodiscard]] inline double capped_recall(std::span<const float> scores, std::span<const float> shown,
                                          std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::capped_recall");
    return list.relevant > 0 ? detail::part(list.hits(), std::min(list.relevant, options.k))
                             : options.if_nothing_relevant;
}

[[nodiscard]] inline double hit_rate(std::span<const float> scores, std::span<const float> shown,
                                     std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::hit_rate");
    double no_hit = 1.0;
    for (const detail::Tie& tie : list.ties) {
        for (std::size_t drawn = 0; drawn < tie.counted; ++drawn) {
            no_hit *= tie.next_misses(drawn);
        }
    }
    return list.relevant > 0 ? 1.0 - no_hit : options.if_nothing_relevant;
}

[[nodiscard]] inline double reciprocal_rank(std::span<const float> scores, std::span<const float> shown,
                                            std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::reciprocal_rank");
    double no_hit = 1.0;
    double sum = 0.0;
    for (const detail::Tie& tie : list.ties) {
        for (std::size_t drawn = 0; drawn < tie.counted; ++drawn) {
            const double miss = tie.next_misses(drawn);
            sum += no_hit * (1.0 - miss) / static_cast<double>(tie.first + drawn + 1);
            no_hit *= miss;
        }
    }
    return list.relevant > 0 ? sum : options.if_nothing_relevant;
}

template <Gain G = LinearGain>
[[nodiscard]] double ndcg(std::span<const float> scores, std::span<const float> shown, std::span<const float> judged,
                          const RankingOptions& options = {}, const G& gain = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::ndcg");
    double sum = 0.0;
    for (const detail::Tie& tie : list.ties) {
        double gains = 0.0;
        for (const float label : tie.labels) {
            gains += gain(label);
        }
        for (std::size_t i = 0; i < tie.counted; ++i) {
            sum += gains / tie.size() * discount(tie.first + i + 1);
        }
    }
    if (list.relevant == 0) {
        return options.if_nothing_relevant;
    }
    require(math::is_finite(sum), "expected::ndcg: gains and their sum must be finite");
    const double best = detail::best_dcg(judged, options.k, gain);
    return best > 0.0 ? sum / best : 0.0;
}

/// Errors    also InvalidArgument if the denominator is APDenominator::Hits, for which there is no closed form
[[nodiscard]] inline double average_precision(std::span<const float> scores, std::span<const float> shown,
                                              std::span<const float> judged,
                                              const AveragePrecisionOptions& options = {}) {
    require(options.denominator != APDenominator::Hits, "expected::average_precision: denominator must not be Hits");
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::average_precision");
    double hits = 0.0;  // in all ties before
    double precisions = 0.0;
    for (const detail::Tie& tie : list.ties) {
        for (std::size_t i = 0; i < tie.counted && tie.relevant > 0.0; ++i) {
            // If this place holds a hit, the other hits of the tie are spread evenly over its other places.
            const double others = tie.labels.size() > 1 ? (tie.relevant - 1.0) / (tie.size() - 1.0) : 0.0;
            const double in_first = hits + 1.0 + static_cast<double>(i) * others;
            precisions += tie.relevant / tie.size() * in_first / static_cast<double>(tie.first + i + 1);
        }
        hits += tie.relevant;
    }
    if (list.relevant == 0) {
        return options.if_nothing_relevant;
    }
    return precisions > 0.0 ? precisions / detail::ap_divisor(options, list.relevant) : 0.0;
}

}  // namespace expected

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

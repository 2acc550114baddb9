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

// Lists in this library have one order: higher score first, then smaller id. If a model gives many items the same
// score, its metrics partly depend on the ids. The functions here compute the metric for other orders of the tied
// items: the best order, the worst order, and the average over all orders.
//
//     ndcg(optimistic(scores, shown), judged)         relevant items first
//     ndcg(pessimistic(scores, shown), judged)        relevant items last
//     expected::ndcg(scores, shown, judged)           the mean over all orders
//
// Pass complete ties, even beyond the first k; items that are not passed are ignored.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

// Adjacent items with the same score: the order of their labels is arbitrary.
struct Tie {
    std::size_t first;              // position of the first item
    std::span<const float> labels;  // labels of all tied items
    std::size_t counted;            // number of tied positions among the first k
    double relevant;                // number of hits among the labels

    [[nodiscard]] double size() const { return static_cast<double>(labels.size()); }

    // Probability that the next position of the tie is a miss, given that its first `drawn` positions are misses. It is
    // 0 at the first position that must be a hit. Values beyond that position have no meaning: callers multiply the
    // probabilities, so that 0 cancels them.
    [[nodiscard]] double next_misses(std::size_t drawn) const {
        const double left = size() - static_cast<double>(drawn);
        return (left - relevant) / left;
    }
};

// Splits a list into its ties; an item with a score of its own is a tie of one.
inline std::vector<Tie> ties(std::span<const float> scores, std::span<const float> shown, std::size_t k,
                             const char* function) {
    if (scores.size() != shown.size()) {
        raise<InvalidArgument>(std::string(function) + ": scores must have one element for each label shown");
    }
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (math::is_nan(scores[i]) || (i > 0 && scores[i] > scores[i - 1])) {
            raise<InvalidArgument>(std::string(function) + ": scores must not be NaN and must not increase");
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

// Input shared by the expected metrics: the number of relevant items, and the ties of the list.
struct TiedList {
    std::size_t relevant;
    std::vector<Tie> ties;

    // Expected number of hits among the first k.
    [[nodiscard]] double hits() const {
        double sum = 0.0;
        for (const Tie& tie : ties) {
            sum += tie.relevant * static_cast<double>(tie.counted) / tie.size();
        }
        return sum;
    }

    // Probability of no hit among the first k.
    [[nodiscard]] double no_hit() const {
        double probability = 1.0;
        for (const Tie& tie : ties) {
            for (std::size_t drawn = 0; drawn < tie.counted; ++drawn) {
                probability *= tie.next_misses(drawn);
            }
        }
        return probability;
    }

    // Expected 1 / rank of the first hit, 0 without a hit.
    [[nodiscard]] double reciprocal_rank() const {
        double misses = 1.0;  // probability that all positions so far are misses
        double sum = 0.0;
        for (const Tie& tie : ties) {
            for (std::size_t drawn = 0; drawn < tie.counted; ++drawn) {
                const double miss = tie.next_misses(drawn);
                sum += misses * (1.0 - miss) / static_cast<double>(tie.first + drawn + 1);
                misses *= miss;
            }
        }
        return sum;
    }

    // Expected sum of the precision at the ranks of the hits.
    [[nodiscard]] double precisions() const {
        double before = 0.0;  // hits in all previous ties
        double sum = 0.0;
        for (const Tie& tie : ties) {
            for (std::size_t i = 0; i < tie.counted && tie.relevant > 0.0; ++i) {
                // If this position is a hit, the other hits of the tie are spread evenly over its other positions.
                const double others = tie.labels.size() > 1 ? (tie.relevant - 1.0) / (tie.size() - 1.0) : 0.0;
                const double in_first = before + 1.0 + static_cast<double>(i) * others;
                sum += tie.relevant / tie.size() * in_first / static_cast<double>(tie.first + i + 1);
            }
            before += tie.relevant;
        }
        return sum;
    }

    // Expected sum of the gains, each times the weight of its rank.
    template <class G, class Weight>
    [[nodiscard]] double gains(const G& gain, const Weight& weight) const {
        double sum = 0.0;
        for (const Tie& tie : ties) {
            double in_tie = 0.0;
            for (const float label : tie.labels) {
                in_tie += gain(label);
            }
            for (std::size_t i = 0; i < tie.counted; ++i) {
                sum += in_tie / tie.size() * weight(tie.first + i + 1);
            }
        }
        return sum;
    }
};

inline TiedList checked_ties(std::span<const float> scores, std::span<const float> shown, std::span<const float> judged,
                             std::size_t k, const char* function) {
    return {checked_relevant(shown, judged, function), ties(scores, shown, k, function)};
}

}  // namespace detail

/// Sorts tied labels in the best order: among items with the same score, higher labels come first. Pass the result to
/// any metric of one list.
///
/// Shapes    scores: of the items in the order shown, from the highest down;  shown: their labels
/// Returns   shown, with the labels of each tie sorted
/// Cost      O(n log n)
/// Errors    InvalidArgument if the sizes differ, a score is NaN or higher than the one before, or a label is negative,
///           infinite or NaN
[[nodiscard]] inline std::vector<float> optimistic(std::span<const float> scores, std::span<const float> shown) {
    return detail::with_ties_sorted(scores, shown, [](float a, float b) { return a > b; }, "optimistic");
}

/// Sorts tied labels in the worst order, so that a model cannot gain by giving all items the same score.
///
/// Shapes, Returns, Cost, Errors    as optimistic
[[nodiscard]] inline std::vector<float> pessimistic(std::span<const float> scores, std::span<const float> shown) {
    return detail::with_ties_sorted(scores, shown, [](float a, float b) { return a < b; }, "pessimistic");
}

/// Expected value of a metric over all orders of tied items, in closed form. Without ties, it equals the metric of the
/// same name.
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
    return list.relevant > 0 ? 1.0 - list.no_hit() : options.if_nothing_relevant;
}

[[nodiscard]] inline double reciprocal_rank(std::span<const float> scores, std::span<const float> shown,
                                            std::span<const float> judged, const RankingOptions& options = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::reciprocal_rank");
    return list.relevant > 0 ? list.reciprocal_rank() : options.if_nothing_relevant;
}

template <Gain G = LinearGain>
[[nodiscard]] double ndcg(std::span<const float> scores, std::span<const float> shown, std::span<const float> judged,
                          const RankingOptions& options = {}, const G& gain = {}) {
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::ndcg");
    const double sum = list.gains(gain, discount);
    if (list.relevant == 0) {
        return options.if_nothing_relevant;
    }
    require(math::is_finite(sum), "expected::ndcg: gains and their sum must be finite");
    const double best = detail::best_dcg(judged, options.k, gain);
    return best > 0.0 ? sum / best : 0.0;
}

/// Errors    also InvalidArgument if the denominator is APDenominator::Hits, which has no closed form
[[nodiscard]] inline double average_precision(std::span<const float> scores, std::span<const float> shown,
                                              std::span<const float> judged,
                                              const AveragePrecisionOptions& options = {}) {
    require(options.denominator != APDenominator::Hits, "expected::average_precision: denominator must not be Hits");
    const auto list = detail::checked_ties(scores, shown, judged, options.k, "expected::average_precision");
    const double precisions = list.precisions();
    if (list.relevant == 0) {
        return options.if_nothing_relevant;
    }
    return precisions > 0.0 ? precisions / detail::ap_divisor(options, list.relevant, shown.size()) : 0.0;
}

}  // namespace expected

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

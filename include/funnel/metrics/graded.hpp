// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/labels.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

// Metrics of one list that model a user who reads it from the top, and metrics of information retrieval without a
// cut-off.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

struct RankBiasedOptions {
    std::size_t k = 10;        ///< number of ranks that count
    double persistence = 0.8;  ///< probability that the user looks at the next item, in (0, 1)
};

/// Rank-biased precision: the expected share of relevant items among those that a user looks at, who goes on to the
/// next item with a fixed probability.
///
///     rbp = (1 - p) sum over ranks r <= k that hold a hit of p^(r - 1)
///
/// Labels count as relevant or not; graded gains would allow values above 1. A list of k hits scores 1 - p^k.
///
/// Shapes    shown: labels in the order shown
/// Cost      O(min(k, n))
/// Errors    InvalidArgument if persistence is not in (0, 1), or a label is negative, infinite or NaN
/// Source    Moffat & Zobel, "Rank-biased precision for measurement of retrieval effectiveness", TOIS 2008
[[nodiscard]] inline double rank_biased_precision(std::span<const float> shown, const RankBiasedOptions& options = {}) {
    require_inside(options.persistence, 0.0, 1.0, "rank_biased_precision: persistence");
    detail::require_labels(shown, "rank_biased_precision");
    double sum = 0.0;
    double weight = 1.0 - options.persistence;
    for (const float label : shown.first(std::min(options.k, shown.size()))) {
        sum += detail::is_relevant(label) ? weight : 0.0;
        weight *= options.persistence;
    }
    return sum;
}

struct ExpectedReciprocalRankOptions {
    std::size_t k = 10;         ///< number of ranks that count
    float largest_label = 4.0;  ///< of the scale, not of the list; > 0
};

/// Expected reciprocal rank: the mean of 1 / rank at which a user stops, who stops at an item with a probability that
/// grows with its label. A good item counts less behind other good items.
///
///     err = sum over ranks r <= k of  R_r / r  times the product over s < r of (1 - R_s)
///     R_r = (2^label - 1) / 2^largest_label
///
/// Shapes    shown: labels in the order shown
/// Returns   a value in [0, 1)
/// Cost      O(min(k, n))
/// Errors    InvalidArgument if a label is negative, infinite, NaN or above largest_label
/// Source    Chapelle et al., "Expected reciprocal rank for graded relevance", CIKM 2009
[[nodiscard]] inline double expected_reciprocal_rank(std::span<const float> shown,
                                                     const ExpectedReciprocalRankOptions& options = {}) {
    require_positive(options.largest_label, "expected_reciprocal_rank: largest_label");
    detail::require_labels(shown, "expected_reciprocal_rank");
    require(std::all_of(shown.begin(), shown.end(), [&](float label) { return label <= options.largest_label; }),
            "expected_reciprocal_rank: labels must not be above largest_label");
    const auto largest = static_cast<double>(options.largest_label);
    double sum = 0.0;
    double still_searching = 1.0;
    for (std::size_t i = 0; i < std::min(options.k, shown.size()); ++i) {
        const double stops = math::exp2(static_cast<double>(shown[i]) - largest) - math::exp2(-largest);
        sum += still_searching * stops / static_cast<double>(i + 1);
        still_searching *= 1.0 - stops;
    }
    return sum;
}

/// Precision at rank R, where R is the number of relevant items: precision and recall are equal there.
///
/// Shapes    shown: labels in the order shown;  judged: labels of all judged items
/// Returns   a value in [0, 1]; 0 if nothing is relevant
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or if more relevant items are shown than judged
[[nodiscard]] inline double r_precision(std::span<const float> shown, std::span<const float> judged) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "r_precision");
    return detail::ratio(detail::count_relevant(shown, relevant), relevant);
}

/// The label of an item that nobody judged, for bpref.
inline constexpr float unjudged = -1.0F;

/// Bpref: how often judged irrelevant items stand before relevant ones. Items that nobody judged are passed over, so
/// the metric changes little if judgements are incomplete.
///
///     bpref = 1/R sum over retrieved relevant items of (1 - min(judged irrelevant before it, R) / min(R, N))
///
/// Shapes    shown: labels in the order shown; `unjudged` for an item without judgement
///           judged: labels of all judged items; R are relevant, N are not
/// Returns   a value in [0, 1]; 0 if nothing is relevant
/// Cost      O(n + m)
/// Errors    InvalidArgument if a label of judged is negative, infinite or NaN, a label of shown as well unless it is
///           `unjudged`, or if more relevant items are shown than judged
/// Source    Buckley & Voorhees, "Retrieval evaluation with incomplete information", SIGIR 2004, as trec_eval computes
///           it
[[nodiscard]] inline double bpref(std::span<const float> shown, std::span<const float> judged) {
    std::vector<float> seen(shown.begin(), shown.end());
    std::erase(seen, unjudged);
    const std::size_t relevant = detail::checked_relevant(seen, judged, "bpref");
    const std::size_t bound = std::min(relevant, judged.size() - relevant);
    double sum = 0.0;
    std::size_t irrelevant = 0;
    for (const float label : seen) {
        if (detail::is_relevant(label)) {
            sum += irrelevant > 0 ? 1.0 - detail::ratio(std::min(irrelevant, bound), bound) : 1.0;
        } else {
            ++irrelevant;
        }
    }
    return detail::part(sum, relevant);
}

struct AlphaNDCGOptions {
    std::size_t k = 10;  ///< number of ranks that count
    double alpha = 0.5;  ///< how much the gain of an aspect falls each time that it was shown, in [0, 1]
};

/// NDCG of lists whose items cover aspects (genres, intents): an aspect counts less each time that it was shown before.
///
///     gain of an item = sum over its aspects a of (1 - alpha)^(items before it with aspect a)
///     alpha_ndcg      = sum of gain_r / log2(r + 1)  over the same sum of the greedy best order of `judged`
///
/// The best order is NP-hard to find. As all published implementations do, this function fills the ideal list
/// greedily; the value may exceed 1 where the greedy order is not the best.
///
/// Shapes    shown, judged: one set of aspects per item, as bits; `judged` has all items that have any aspect
/// Returns   0 if no item of judged has an aspect
/// Cost      O(k m aspects) for m judged items
/// Errors    InvalidArgument if alpha is not in [0, 1]
/// Source    Clarke et al., "Novelty and diversity in information retrieval evaluation", SIGIR 2008
[[nodiscard]] inline double alpha_ndcg(std::span<const std::uint64_t> shown, std::span<const std::uint64_t> judged,
                                       const AlphaNDCGOptions& options = {}) {
    require_between(options.alpha, 0.0, 1.0, "alpha_ndcg: alpha");
    constexpr std::size_t aspects = 64;
    using Weights = std::vector<double>;  // what each aspect is worth now
    const auto gain = [](std::uint64_t item, const Weights& weights) {
        double sum = 0.0;
        for (std::size_t aspect = 0; aspect < aspects; ++aspect) {
            sum += (item >> aspect & 1U) != 0 ? weights[aspect] : 0.0;
        }
        return sum;
    };
    const auto show = [&](std::uint64_t item, Weights& weights) {
        for (std::size_t aspect = 0; aspect < aspects; ++aspect) {
            weights[aspect] *= (item >> aspect & 1U) != 0 ? 1.0 - options.alpha : 1.0;
        }
    };

    double dcg = 0.0;
    Weights weights(aspects, 1.0);
    for (std::size_t i = 0; i < std::min(options.k, shown.size()); ++i) {
        dcg += gain(shown[i], weights) * discount(i + 1);
        show(shown[i], weights);
    }
    double ideal = 0.0;
    std::vector<std::uint64_t> left(judged.begin(), judged.end());
    std::fill(weights.begin(), weights.end(), 1.0);
    for (std::size_t i = 0; i < std::min(options.k, judged.size()); ++i) {
        const auto best = std::max_element(left.begin(), left.end(), [&](std::uint64_t a, std::uint64_t b) {
            return gain(a, weights) < gain(b, weights);
        });
        ideal += gain(*best, weights) * discount(i + 1);
        show(*best, weights);
        left.erase(best);
    }
    return ideal > 0.0 ? dcg / ideal : 0.0;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

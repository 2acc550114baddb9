// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// The divisor of average precision. Toolkits differ here, and the name of the metric does not say which one they use.
enum class APDenominator : std::uint8_t {
    Possible,  ///< min(R, k), the most hits that k ranks can hold: a perfect list scores 1
    Relevant,  ///< R, as trec_eval does
    Cutoff,    ///< k
    Shown,     ///< min(R, items in the list): empty places cost nothing
    Hits,      ///< the hits in the first k: misses cost nothing; for comparison only
};

struct AveragePrecisionOptions {
    std::size_t k = 10;                                   ///< number of ranks that count
    APDenominator denominator = APDenominator::Possible;  ///< divisor of the sum
    double if_nothing_relevant = 0.0;                     ///< the value for a user without any relevant item
};

namespace detail {

// Every divisor except Hits, for a list of this length.
inline double ap_divisor(const AveragePrecisionOptions& options, std::size_t relevant, std::size_t length) {
    switch (options.denominator) {
        case APDenominator::Possible:
            return static_cast<double>(std::min(relevant, options.k));
        case APDenominator::Relevant:
            return static_cast<double>(relevant);
        case APDenominator::Cutoff:
            return static_cast<double>(options.k);
        case APDenominator::Shown:
            return static_cast<double>(std::min({relevant, length, options.k}));
        case APDenominator::Hits:
            break;
    }
    raise<InvalidArgument>("average_precision: denominator must be one of APDenominator");
}

}  // namespace detail

/// Average precision: the mean of the precision at the ranks of the hits. Its mean over users is MAP.
///
///     average_precision = sum over ranks r <= k that hold a hit of (hits in the first r / r) / min(R, k)
///
/// Shapes    shown: n labels in the order shown;  judged: m labels, of all judged items
/// Returns   a value in [0, 1]; 0 if there is no hit
/// Cost      O(n + m)
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or if more relevant items are shown than judged
/// Source    Manning, Raghavan & Schutze, "Introduction to information retrieval", 2008 (section 8.4)
[[nodiscard]] inline double average_precision(std::span<const float> shown, std::span<const float> judged,
                                              const AveragePrecisionOptions& options = {}) {
    const std::size_t relevant = detail::checked_relevant(shown, judged, "average_precision");
    if (relevant == 0) {
        return options.if_nothing_relevant;
    }
    std::size_t hits = 0;
    double precisions = 0.0;
    for (std::size_t i = 0; i < std::min(options.k, shown.size()); ++i) {
        if (detail::is_relevant(shown[i])) {
            ++hits;
            precisions += detail::ratio(hits, i + 1);
        }
    }
    if (hits == 0) {
        return 0.0;
    }
    return precisions / (options.denominator == APDenominator::Hits
                             ? static_cast<double>(hits)
                             : detail::ap_divisor(options, relevant, shown.size()));
}

/// 1 / rank of the first relevant item; 0 if the first k items contain none. Its mean over users is MRR.
///
/// Shapes    shown: n labels in the order shown;  judged: m labels, of all judged items
/// Returns   a value in [0, 1]
/// Cost      O(n + m)
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or if more relevant items are shown than judged
/// Source    Voorhees, "The TREC-8 question answering track report", TREC 1999
[[nodiscard]] inline double reciprocal_rank(std::span<const float> shown, std::span<const float> judged,
                                            const RankingOptions& options = {}) {
    if (detail::checked_relevant(shown, judged, "reciprocal_rank") == 0) {
        return options.if_nothing_relevant;
    }
    const auto first_hit = std::find_if(shown.begin(), shown.end(), detail::is_relevant);
    const auto position = static_cast<std::size_t>(first_hit - shown.begin());
    return position < std::min(options.k, shown.size()) ? detail::ratio(1, position + 1) : 0.0;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

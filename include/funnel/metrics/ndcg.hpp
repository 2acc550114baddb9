// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/metrics/labels.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// The gain of a relevance label. It must be finite and non-negative, and must not decrease as the label grows (not
/// checked).
template <class G>
concept Gain = requires(const G& gain, float label) {
    { gain(label) } -> std::convertible_to<double>;
};

/// The label itself (Jarvelin & Kekalainen, TOIS 2002).
struct LinearGain {
    [[nodiscard]] double operator()(float label) const noexcept { return label; }
};

/// 2^label - 1, which emphasizes the highest labels (Burges et al., ICML 2005). Equals LinearGain on labels 0 and 1.
///
/// Errors    InvalidArgument if a label is above 512: sums and ratios of larger powers of 2 may leave the range of a
///           double
struct ExponentialGain {
    [[nodiscard]] double operator()(float label) const {
        if (math::is_nan(label) || label > 512.0F) {
            raise<InvalidArgument>("ExponentialGain: labels must be at most 512, got " + std::to_string(label));
        }
        return math::exp2(static_cast<double>(label)) - 1.0;
    }
};

/// The gains above, where the choice is made at run time.
enum class GainKind : std::uint8_t { Linear, Exponential };

/// The factor applied to the gain of an item at this rank; the first rank is 1 (not checked).
[[nodiscard]] inline double discount(std::size_t rank) noexcept {
    FUNNEL_ASSERT(rank > 0);
    return 1.0 / math::log2(static_cast<double>(rank) + 1.0);
}

/// Discounted cumulative gain: the sum of the gains of the first k items, each discounted by its rank.
///
///     dcg = sum over ranks r = 1 .. min(k, n) of gain(label at r) / log2(r + 1)
///
/// Shapes    shown: n labels in the order shown, best rank first
/// Cost      O(n)
/// Errors    InvalidArgument if a label is negative, infinite or NaN, or the sum of the gains is not finite
template <Gain G = LinearGain>
[[nodiscard]] double dcg(std::span<const float> shown, std::size_t k, const G& gain = {}) {
    detail::require_labels(shown, "dcg");
    double sum = 0.0;
    for (std::size_t i = 0; i < std::min(k, shown.size()); ++i) {
        sum += gain(shown[i]) * discount(i + 1);
    }
    require(math::is_finite(sum), "dcg: gains and their sum must be finite");
    return sum;
}

namespace detail {

// The DCG of the judged items in the best order, cut at k.
template <Gain G>
double best_dcg(std::span<const float> judged, std::size_t k, const G& gain) {
    std::vector<float> best(std::min(k, judged.size()));
    const auto larger = [](float a, float b) { return a > b; };
    std::partial_sort_copy(judged.begin(), judged.end(), best.begin(), best.end(), larger);
    for (std::size_t i = 1; i < best.size(); ++i) {
        FUNNEL_ASSERT(static_cast<double>(gain(best[i - 1])) >= static_cast<double>(gain(best[i])));
    }
    return dcg(best, k, gain);
}

}  // namespace detail

/// Normalized DCG: the DCG of the shown items divided by the DCG of the best possible order.
///
///     ndcg = dcg(shown, k) / dcg(judged from the largest label down, k)
///
/// The best order includes every judged item, shown or not, and is also cut at k. Two common mistakes: leaving out the
/// items that were missed lets a recommender score 1 with a short list; not cutting at k gives a perfect list a score
/// below 1.
///
/// Shapes    shown: n labels in the order shown, 0 if not judged;  judged: m labels, of all judged items
/// Returns   a value in [0, 1], provided that every shown item is judged with the same label
/// Cost      O(n + m log k) time, O(min(k, m)) memory
/// Errors    InvalidArgument if a label is negative, infinite or NaN, if a sum of gains is not finite, or if more
///           relevant items are shown than judged
/// Source    Jarvelin & Kekalainen, "Cumulated gain-based evaluation of IR techniques", TOIS 2002
template <Gain G = LinearGain>
[[nodiscard]] double ndcg(std::span<const float> shown, std::span<const float> judged,
                          const RankingOptions& options = {}, const G& gain = {}) {
    if (detail::checked_relevant(shown, judged, "ndcg") == 0) {
        return options.if_nothing_relevant;
    }
    const double best = detail::best_dcg(judged, options.k, gain);
    return best > 0.0 ? dcg(shown, options.k, gain) / best : 0.0;  // best is 0 if k is 0
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

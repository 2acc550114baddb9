// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// How freshness changes a score.
enum class Boost {
    Additive,        ///< score + weight * freshness: any scores, including logits; weight has the unit of the scores
    Multiplicative,  ///< score * (1 + weight * freshness): only scores >= 0; weight does not depend on their scale
};

struct FreshnessOptions {
    float weight = 0.1F;            ///< gain of an item of age 0; 0 changes nothing
    double half_life = 604800.0;    ///< age at which the gain is halved, in the unit of the ages; one week in seconds
    Boost boost = Boost::Additive;  ///< how the gain is applied
};

/// Raises the scores of new items by a gain that decays exponentially with age.
///
///     freshness(i) = 2^(-age(i) / half_life)
///
/// Negative ages count as 0: clocks may disagree, and an item dated in the future must not gain without bound.
///
/// Shapes    scores: n;  ages: n, in the unit of half_life; an age of infinity means no gain
/// Returns   n scores, by position
/// Cost      O(n)
/// Errors    InvalidArgument if the sizes differ, weight is negative or not finite, half_life is not positive and
///           finite, a score is not finite, an age is NaN, a score is negative with Boost::Multiplicative, or a
///           result exceeds the range of float
[[nodiscard]] inline std::vector<float> freshness(std::span<const float> scores, std::span<const double> ages,
                                                  const FreshnessOptions& options = {}) {
    if (scores.size() != ages.size()) {
        raise<InvalidArgument>("freshness: ages must have " + std::to_string(scores.size()) +
                               " elements, one per score, got " + std::to_string(ages.size()));
    }
    require_not_negative(options.weight, "freshness: weight");
    require_positive(options.half_life, "freshness: half_life");

    const bool multiplies = options.boost == Boost::Multiplicative;
    std::vector<float> boosted(scores.size());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        require(math::is_finite(scores[i]), "freshness: scores must be finite");
        require(!math::is_nan(ages[i]), "freshness: ages must not be NaN");
        require(!multiplies || scores[i] >= 0.0F, "freshness: scores must be >= 0 with Boost::Multiplicative");
        const double gain =
            static_cast<double>(options.weight) * math::exp2(-std::max(ages[i], 0.0) / options.half_life);
        const double score = scores[i];
        boosted[i] = static_cast<float>(multiplies ? score * (1.0 + gain) : score + gain);
        require(math::is_finite(boosted[i]), "freshness: results must be finite: a score or the weight is too large");
    }
    return boosted;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

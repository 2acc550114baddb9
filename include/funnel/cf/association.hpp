// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>

#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// How strongly two items belong together, from counts of baskets.
enum class Association : std::uint8_t {
    LogLikelihoodRatio,  ///< how sure it is that they are not together by chance
    Lift,                ///< how many times as often together as by chance
    Confidence,          ///< share of the baskets of the first item that have the second
};

/// Numbers of baskets: with both items, with the first, with the second, and all. Counts must be possible:
/// both <= first, second, and first + second - both <= all (not checked).
struct PairCounts {
    double both;
    double first;
    double second;
    double all;
};

/// P(both) / (P(first) P(second)): 1 if the items are independent. 0 if no basket has both.
[[nodiscard]] inline double lift(const PairCounts& counts) noexcept {
    return counts.both == 0.0 ? 0.0 : counts.both / counts.first * (counts.all / counts.second);
}

/// P(second | first). 0 if no basket has both.
[[nodiscard]] inline double confidence(const PairCounts& counts) noexcept {
    return counts.both == 0.0 ? 0.0 : counts.both / counts.first;
}

/// The log-likelihood ratio of the hypothesis that the items are independent.
///
///     G^2 = 2 sum over the four cells of the table of observed ln(observed / expected)
///
/// It is large for pairs above and below chance alike; lift tells which. Under independence, it has about a chi-square
/// distribution with one degree of freedom: 3.84 is exceeded by one pair in 20, 10.83 by one in 1000.
///
/// Returns   >= 0
/// Source    Dunning, "Accurate methods for the statistics of surprise and coincidence", Computational Linguistics 1993
[[nodiscard]] inline double log_likelihood_ratio(const PairCounts& counts) noexcept {
    const double not_first = counts.all - counts.first;
    const double not_second = counts.all - counts.second;
    const auto cell = [&](double observed, double row, double column) {
        return observed > 0.0 ? observed * math::log(observed / row * (counts.all / column)) : 0.0;
    };
    const double sum = cell(counts.both, counts.first, counts.second) +
                       cell(counts.first - counts.both, counts.first, not_second) +
                       cell(counts.second - counts.both, not_first, counts.second) +
                       cell(not_first - counts.second + counts.both, not_first, not_second);
    return sum > 0.0 ? 2.0 * sum : 0.0;
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

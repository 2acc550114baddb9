// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <vector>

// Corrections for many tests at once. Among 20 comparisons of equal systems, one is expected to have p < 0.05.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

// Positions of the p-values, from the smallest up.
inline std::vector<std::size_t> ascending(std::span<const double> p_values, const char* message) {
    // A NaN compares false.
    require(std::all_of(p_values.begin(), p_values.end(), [](const double& p) { return p >= 0.0 && p <= 1.0; }),
            message);
    std::vector<std::size_t> order(p_values.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) {
        return p_values[i] != p_values[j] ? p_values[i] < p_values[j] : i < j;
    });
    return order;
}

}  // namespace detail

/// Holm's correction: p-values that bound the probability of even one false claim.
///
///     adjusted p_(i) = max over j <= i of min(1, (m - j + 1) p_(j)),    p_(1) <= ... <= p_(m)
///
/// Shapes    p_values: m, in any order
/// Returns   m adjusted p-values, in the same order; compare them with the level, for example 0.05
/// Cost      O(m log m)
/// Errors    InvalidArgument if a p-value is not in [0, 1]
/// Source    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 1979
[[nodiscard]] inline std::vector<double> holm(std::span<const double> p_values) {
    const auto order = detail::ascending(p_values, "holm: p-values must lie in [0, 1]");
    std::vector<double> adjusted(p_values.size());
    double largest = 0.0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        largest = std::max(largest, std::min(1.0, static_cast<double>(order.size() - i) * p_values[order[i]]));
        adjusted[order[i]] = largest;
    }
    return adjusted;
}

/// Correction of Benjamini and Hochberg: p-values that bound the expected share of false claims among all claims.
///
///     adjusted p_(i) = min over j >= i of min(1, m p_(j) / j),    p_(1) <= ... <= p_(m)
///
/// It holds for independent and for positively dependent tests.
///
/// Shapes, Returns, Cost, Errors    as holm
/// Source    Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 1995
[[nodiscard]] inline std::vector<double> benjamini_hochberg(std::span<const double> p_values) {
    const auto order = detail::ascending(p_values, "benjamini_hochberg: p-values must lie in [0, 1]");
    std::vector<double> adjusted(p_values.size());
    const auto m = static_cast<double>(order.size());
    double smallest = 1.0;
    for (std::size_t i = order.size(); i-- > 0;) {
        smallest = std::min(smallest, m * p_values[order[i]] / static_cast<double>(i + 1));
        adjusted[order[i]] = smallest;
    }
    return adjusted;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/bandits/posteriors.hpp>
#include <funnel/bandits/top_k_quadrature.hpp>
#include <funnel/core/options.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace bandits {

namespace detail {

inline constexpr double least_shape = 1e-6;
inline constexpr double largest_shape = 0x1p54;  // a policy may have 2^53 rewards, and a prior

}  // namespace detail

/// Exact probabilities that the draw of each beta distribution is among the k largest of one draw from each: for k = 1,
/// the propensities of Thompson sampling.
///
///     P(i) = integral of f_i(x) P(at most k - 1 other draws exceed x) dx
///
/// The integral is computed in log-odds, in panels with 16 Gauss-Legendre nodes each, as wide as the narrowest
/// distribution there. Panels are halved until the probabilities sum to k.
///
/// Shapes    a, b: n, in [1e-6, 2^54]
/// Returns   n probabilities with sum min(k, n); their error is below 1e-8
/// Cost      O(n k) per node; about 200 nodes if all arms are alike;  memory: 128 (n + 1) k bytes
/// Errors    InvalidArgument if the shapes differ, a shape is out of range, or the probabilities of the arms do not
///           approach the sums that they must have
[[nodiscard]] inline std::vector<double> beta_top_k_probabilities(std::span<const double> a, std::span<const double> b,
                                                                  std::size_t k) {
    require_equal(b.size(), a.size(), "beta_top_k_probabilities: size of b");
    for (std::size_t i = 0; i < a.size(); ++i) {
        require_between(a[i], detail::least_shape, detail::largest_shape, "beta_top_k_probabilities: a");
        require_between(b[i], detail::least_shape, detail::largest_shape, "beta_top_k_probabilities: b");
    }
    return detail::top_k_probabilities(detail::BetaPosteriors(a, b), k);
}

/// As beta_top_k_probabilities, for normal distributions.
///
/// Shapes    means, deviations: n, finite; deviations > 0
[[nodiscard]] inline std::vector<double> normal_top_k_probabilities(std::span<const double> means,
                                                                    std::span<const double> deviations, std::size_t k) {
    require_equal(deviations.size(), means.size(), "normal_top_k_probabilities: size of deviations");
    for (std::size_t i = 0; i < means.size(); ++i) {
        require_finite(means[i], "normal_top_k_probabilities: mean");
        require_positive(deviations[i], "normal_top_k_probabilities: deviation");
    }
    return detail::top_k_probabilities(detail::NormalPosteriors(means, deviations), k);
}

}  // namespace bandits
}  // namespace FUNNEL_ABI
}  // namespace funnel

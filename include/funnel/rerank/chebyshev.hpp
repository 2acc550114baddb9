// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/objectives.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct ChebyshevOptions {
    double augmentation = 1e-3;                     ///< rho, >= 0: small against the weights; 0: see below
    std::optional<std::vector<float>> ideal = {};   ///< z, one per objective; not set: the highest value of each
    std::optional<std::vector<float>> extent = {};  ///< u > 0, one per objective; not set: highest minus lowest value
};

/// One score from several objectives: how far the worst of them is from its ideal.
///
///     score(i) = -(max over j of weight(j) * d(i, j) + rho * sum over j of d(i, j))
///     d(i, j) = (z(j) - f(i, j)) / u(j)
///
/// The augmented weighted Chebyshev distance. The best candidate is Pareto-optimal. Unlike a weighted sum, it reaches
/// every Pareto-optimal candidate p: with an ideal above all values, the weights 1 / d(p, j) and a small rho. With rho
/// = 0, the best may be as good as another one in the objective that decides, and worse in the others.
///
/// Without `ideal` and `extent`, the objectives are scaled to [0, 1] by these candidates, so their scores depend on
/// each other. An objective that is the same for all candidates counts as at its ideal.
///
/// Distances that differ by less than 6e-8 of their size tie as floats, and the tie goes to the smaller position: the
/// best is Pareto-optimal but for such differences. rho times a difference can be as small; see weighted_sum().
///
/// Shapes    objectives: n x d, one column per objective, higher is better;  weights: d, >= 0, not all 0
/// Returns   n scores, by position, rounded to the nearest float: 0 for a candidate at the ideal, lower for others
/// Cost      O(n d)
/// Errors    InvalidArgument if d is 0, the shapes differ, a value is not finite, a weight is negative or all are 0, an
///           option is out of range, or a result exceeds the range of float
/// Source    Steuer and Choo, "An interactive weighted Tchebycheff procedure for multiple objective programming",
///           Mathematical Programming 1983
[[nodiscard]] inline std::vector<float> chebyshev(MatrixView<const float> objectives, std::span<const double> weights,
                                                  const ChebyshevOptions& options = {}) {
    detail::require_objectives(objectives, "chebyshev");
    detail::require_weights(weights, objectives, "chebyshev: weights");
    require_not_negative(options.augmentation, "chebyshev: augmentation");
    const std::size_t d = objectives.cols();
    std::vector<double> ideal(d, 0.0);
    std::vector<double> extent(d, 1.0);
    for (std::size_t j = 0; objectives.rows() > 0 && j < d; ++j) {
        double lowest = objectives(0, j);
        ideal[j] = lowest;
        for (std::size_t i = 1; i < objectives.rows(); ++i) {
            lowest = std::min<double>(lowest, objectives(i, j));
            ideal[j] = std::max<double>(ideal[j], objectives(i, j));
        }
        extent[j] = ideal[j] > lowest ? ideal[j] - lowest : 1.0;
    }
    if (options.ideal) {
        detail::require_one_per_objective(options.ideal->size(), objectives, "chebyshev: ideal");
        for (const float& z : *options.ideal) {
            require_finite(z, "chebyshev: ideal");
        }
        ideal.assign(options.ideal->begin(), options.ideal->end());
    }
    if (options.extent) {
        detail::require_one_per_objective(options.extent->size(), objectives, "chebyshev: extent");
        for (const float& u : *options.extent) {
            require_positive(u, "chebyshev: extent");
        }
        extent.assign(options.extent->begin(), options.extent->end());
    }

    std::vector<float> scores(objectives.rows());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        double worst = 0.0;
        double sum = 0.0;
        for (std::size_t j = 0; j < d; ++j) {
            const double distance = (ideal[j] - static_cast<double>(objectives(i, j))) / extent[j];
            worst = j == 0 ? weights[j] * distance : std::max(worst, weights[j] * distance);
            sum += distance;
        }
        scores[i] = static_cast<float>(0.0 - (worst + options.augmentation * sum));
        require(math::is_finite(scores[i]), "chebyshev: results must be finite: a weight or a value is too large");
    }
    return scores;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/rerank/objectives.hpp>

#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// One score from several objectives: their weighted sum.
///
///     score(i) = sum over j of weight(j) * f(i, j)
///
/// With positive weights, the best candidate is Pareto-optimal. The reverse is false: a Pareto-optimal candidate below
/// the convex hull of the others is the best for no weights. chebyshev() reaches it.
///
/// Selections take floats, so sums that differ by less than 6e-8 of their size tie, and the tie goes to the smaller
/// position. A candidate can then come before one that dominates it by so little. Where that matters, select from
/// pareto_front() only.
///
///     fill_slate(weighted_sum(scale_objectives(objectives), weights), 10)
///
/// Shapes    objectives: n x d, one column per objective, higher is better, on scales that fit the weights;
///           weights: d, >= 0, not all 0
/// Returns   n scores, by position: sums in double, rounded to the nearest float
/// Cost      O(n d)
/// Errors    InvalidArgument if d is 0, the shapes differ, a value is not finite, a weight is negative or all are 0, or
///           a result exceeds the range of float
[[nodiscard]] inline std::vector<float> weighted_sum(MatrixView<const float> objectives,
                                                     std::span<const double> weights) {
    detail::require_objectives(objectives, "weighted_sum");
    detail::require_weights(weights, objectives, "weighted_sum: weights");
    std::vector<float> scores(objectives.rows());
    for (std::size_t i = 0; i < scores.size(); ++i) {
        double sum = 0.0;
        for (std::size_t j = 0; j < weights.size(); ++j) {
            sum += weights[j] * static_cast<double>(objectives(i, j));
        }
        scores[i] = static_cast<float>(sum);
        require(math::is_finite(scores[i]), "weighted_sum: results must be finite: a weight or a value is too large");
    }
    return scores;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

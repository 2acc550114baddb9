// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/objectives.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// What epsilon_constraint() returns.
struct FeasibleCandidates {
    std::vector<std::size_t>
        positions;                    ///< candidates that meet all bounds, best first; empty: the bounds are infeasible
    std::vector<std::size_t> met_by;  ///< for each objective, the number of candidates that meet its bound
};

/// Maximizes one objective, with lower bounds on the others.
///
///     maximize f(i, maximise)   subject to   f(i, j) >= at_least(j) for each j with a bound
///
/// Each Pareto-optimal candidate p is the best for some bounds: at_least(j) = f(p, j). Ties go to the candidate that is
/// better in the first other objective in which they differ, then to the smaller position. So the best one is
/// Pareto-optimal.
///
/// If no candidate meets all bounds, `positions` is empty. Then `met_by` says why: a bound that is met by none is too
/// high by itself; otherwise the bounds contradict each other.
///
/// Shapes    objectives: n x d, one column per objective, higher is better;  at_least: d; not set: no bound;
///           maximise: a column
/// Cost      O(n d + m log m) for m feasible candidates
/// Errors    InvalidArgument if d is 0, the shapes differ, a value or a bound is not finite, or maximise >= d
/// Source    Haimes et al., "On a bicriterion formulation of the problems of integrated system identification and
///           system optimization", IEEE Trans. Systems, Man and Cybernetics 1971
[[nodiscard]] inline FeasibleCandidates epsilon_constraint(MatrixView<const float> objectives,
                                                           std::span<const std::optional<float>> at_least,
                                                           std::size_t maximise = 0) {
    detail::require_objectives(objectives, "epsilon_constraint");
    detail::require_one_per_objective(at_least.size(), objectives, "epsilon_constraint: at_least");
    require_below(maximise, objectives.cols(), "epsilon_constraint: maximise");
    for (const std::optional<float>& bound : at_least) {
        if (bound) {
            require_finite(*bound, "epsilon_constraint: at_least");
        }
    }
    FeasibleCandidates result{{}, std::vector<std::size_t>(objectives.cols(), 0)};
    for (std::size_t i = 0; i < objectives.rows(); ++i) {
        bool is_feasible = true;
        for (std::size_t j = 0; j < at_least.size(); ++j) {
            const bool is_met = objectives(i, j) >= at_least[j].value_or(std::numeric_limits<float>::lowest());
            result.met_by[j] += is_met ? 1U : 0U;
            is_feasible = is_feasible && is_met;
        }
        if (is_feasible) {
            result.positions.push_back(i);
        }
    }
    std::sort(result.positions.begin(), result.positions.end(), [&](std::size_t a, std::size_t b) {
        if (objectives(a, maximise) != objectives(b, maximise)) {
            return objectives(a, maximise) > objectives(b, maximise);
        }
        for (std::size_t j = 0; j < objectives.cols(); ++j) {
            if (objectives(a, j) != objectives(b, j)) {
                return objectives(a, j) > objectives(b, j);
            }
        }
        return a < b;
    });
    return result;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/objectives.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// Fills a slate by objectives in order of importance: the second decides among candidates that are about as good as
/// the best one by the first, the third among those that are left, and so on.
///
///     for each place:  C = remaining candidates that the rule allows
///     for each j:      C = those of C with f(i, j) >= max over C of f(., j) - tolerance(j)
///
/// Candidates that remain in C are compared without tolerance, objective by objective, then by position. So each pick
/// is Pareto-optimal among the candidates of its place. With tolerances of 0, this is the lexicographic order.
///
/// A tolerance counts from the best candidate of the place. "Equal if closer than the tolerance" is no order: it can
/// hold for a and b and for b and c, but not for a and c.
///
/// Shapes    objectives: n x d, the most important column first, higher is better;  tolerances: d, >= 0, each in the
///           unit of its objective;  rule: as in fill_slate
/// Returns   positions, in slate order: min(k, n), or fewer if the rule allows no candidate at a place
/// Cost      O(n d) per place
/// Errors    InvalidArgument if d is 0, the shapes differ, a value is not finite, or a tolerance is negative or not
///           finite
template <class R = AnyCandidate>
    requires SlateRule<std::remove_cvref_t<R>>
[[nodiscard]] std::vector<std::size_t> lexicographic(MatrixView<const float> objectives,
                                                     std::span<const float> tolerances, std::size_t k, R&& rule = {}) {
    detail::require_objectives(objectives, "lexicographic");
    detail::require_rule_of(rule, objectives.rows(), "lexicographic");
    detail::require_one_per_objective(tolerances.size(), objectives, "lexicographic: tolerances");
    for (const float& tolerance : tolerances) {
        require_not_negative(tolerance, "lexicographic: tolerances");
    }
    const auto is_better = [&](std::size_t a, std::size_t b) {
        for (std::size_t j = 0; j < tolerances.size(); ++j) {
            if (objectives(a, j) != objectives(b, j)) {
                return objectives(a, j) > objectives(b, j);
            }
        }
        return a < b;
    };
    std::vector<std::size_t> remaining(objectives.rows());
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    std::vector<std::size_t> slate;
    std::vector<std::size_t> close;
    while (slate.size() < k) {
        close.clear();
        std::copy_if(remaining.begin(), remaining.end(), std::back_inserter(close),
                     [&](std::size_t i) { return static_cast<bool>(std::as_const(rule).allows(i)); });
        if (close.empty()) {
            break;
        }
        for (std::size_t j = 0; j < tolerances.size(); ++j) {
            float best = objectives(close[0], j);
            for (const std::size_t i : close) {
                best = std::max(best, objectives(i, j));
            }
            const double least = static_cast<double>(best) - static_cast<double>(tolerances[j]);
            close.erase(std::remove_if(close.begin(), close.end(),
                                       [&](std::size_t i) { return static_cast<double>(objectives(i, j)) < least; }),
                        close.end());
        }
        const std::size_t pick = *std::min_element(close.begin(), close.end(), is_better);
        slate.push_back(pick);
        rule.place(pick);
        remaining.erase(std::lower_bound(remaining.begin(), remaining.end(), pick));
    }
    return slate;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

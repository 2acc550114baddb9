// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/rerank/objectives.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <numeric>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// The Pareto front: the candidates that no other candidate dominates.
///
///     a dominates b:  f(a, j) >= f(b, j) for each objective j, and f(a, j) > f(b, j) for at least one
///
/// Copies do not dominate each other: either all of them are on the front, or none.
///
/// Candidates are visited in falling lexicographic order, in which a candidate comes after those that dominate it. Then
/// the first objective need not be compared any more. For two objectives, a running maximum of the second decides. For
/// three, it is the staircase of the second and the third. For more, each candidate is compared with the front so far.
///
/// Shapes    objectives: n x d, one column per objective; higher is better
/// Returns   positions, ascending
/// Cost      O(n log n) for d <= 3; else O(n log n + n f d) for a front of f candidates
/// Errors    InvalidArgument if d is 0 or a value is not finite
/// Source    Kung, Luccio, Preparata, "On finding the maxima of a set of vectors", J. ACM 1975
[[nodiscard]] inline std::vector<std::size_t> pareto_front(MatrixView<const float> objectives) {
    detail::require_objectives(objectives, "pareto_front");
    const std::size_t d = objectives.cols();
    std::vector<std::size_t> order(objectives.rows());
    std::iota(order.begin(), order.end(), std::size_t{0});
    const auto comes_before = [&](std::size_t a, std::size_t b) {
        const auto x = objectives.row(a);
        const auto y = objectives.row(b);
        return std::lexicographical_compare(y.begin(), y.end(), x.begin(), x.end());
    };
    std::sort(order.begin(), order.end(), comes_before);

    std::vector<std::size_t> front;
    std::map<float, float> staircase;  // d <= 3: rising values of objective 1, with falling values of objective 2
    const auto is_dominated = [&](std::size_t i) {
        if (d == 1) {
            return !front.empty();
        }
        if (d <= 3) {
            const auto step = staircase.lower_bound(objectives(i, 1));
            return step != staircase.end() && (d == 2 || step->second >= objectives(i, 2));
        }
        return std::any_of(front.begin(), front.end(), [&](std::size_t other) {
            const auto x = objectives.row(other);
            const auto y = objectives.row(i);
            return std::equal(x.begin(), x.end(), y.begin(), [](float a, float b) { return a >= b; });
        });
    };
    const auto add_step = [&](std::size_t i) {
        const float second = objectives(i, 1);
        const float third = d == 3 ? objectives(i, 2) : 0.0F;
        auto end = staircase.upper_bound(second);
        auto begin = end;
        while (begin != staircase.begin() && std::prev(begin)->second <= third) {
            --begin;
        }
        staircase.erase(begin, end);
        staircase[second] = third;
    };
    for (std::size_t at = 0; at < order.size();) {
        std::size_t end = at + 1;  // copies share the verdict
        while (end < order.size() && !comes_before(order[at], order[end])) {
            ++end;
        }
        if (!is_dominated(order[at])) {
            if (d == 2 || d == 3) {
                add_step(order[at]);
            }
            front.insert(front.end(), order.begin() + static_cast<std::ptrdiff_t>(at),
                         order.begin() + static_cast<std::ptrdiff_t>(end));
        }
        at = end;
    }
    std::sort(front.begin(), front.end());
    return front;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

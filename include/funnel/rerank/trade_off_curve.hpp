// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/objectives.hpp>
#include <funnel/rerank/weighted_sum.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A callable that selects a slate by scores: scores of n candidates -> positions, each at most once.
template <class S>
concept ScoreSelection = std::is_invocable_r_v<std::vector<std::size_t>, const S&, std::span<const float>>;

/// A point of a trade-off curve.
struct TradeOff {
    std::vector<std::size_t> slate;  ///< positions, as they were selected
    double first;                    ///< sum of the first objective over the slate
    double second;                   ///< sum of the second objective over the slate
    double weight;  ///< selects this slate: `weight` of the first, 1 - `weight` of the second objective
};

/// What a weight can buy: the slates that a weighted sum of two objectives selects, for all weights from 0 to 1.
///
///     const auto ten_best = [](std::span<const float> scores) { return fill_slate(scores, 10); };
///     const auto curve = trade_off_curve(objectives, ten_best);
///
/// There is no grid of weights. Between two neighbours of the curve, the next weight is the one that values both of
/// them the same. If it selects a slate of a higher value, this slate is a new point between them. Otherwise nothing is
/// missing there. So the curve is complete if `select` maximizes the sum of the scores, as fill_slate does, and
/// constrained_greedy with one group per candidate. For other selections, its points are real but it may lack some.
///
/// The points are the corners of the convex hull (the supported points), and maybe some on its edges. Slates below the
/// hull are the best for no weight, though they may be Pareto-optimal. Differences of less than 1e-6 of a value may be
/// lost, because scores are floats.
///
/// Objectives of very different size, such as euros and probabilities, crowd their weights near 0 or 1:
/// scale_objectives() brings them to [0, 1].
///
/// Shapes    objectives: n x 2, higher is better
/// Returns   the points by falling first and rising second sum; one point if one slate is best in both
/// Cost      at most two calls of `select` per point, and two more, each with O(n) to score the candidates
/// Errors    InvalidArgument if there are not two objectives, a value is not finite, or a position is out of range
/// Source    Aneja and Nair, "Bicriteria transportation problem", Management Science 1979
template <ScoreSelection S>
[[nodiscard]] std::vector<TradeOff> trade_off_curve(MatrixView<const float> objectives, const S& select) {
    require_equal(objectives.cols(), 2, "trade_off_curve: number of objectives");
    const auto point_of = [&](double weight) {
        const std::vector<float> scores = weighted_sum(objectives, std::array{weight, 1.0 - weight});
        TradeOff point{select(std::span<const float>(scores)), 0.0, 0.0, weight};
        for (const std::size_t i : point.slate) {
            require_below(i, objectives.rows(), "trade_off_curve: selected position");
            point.first += static_cast<double>(objectives(i, 0));
            point.second += static_cast<double>(objectives(i, 1));
        }
        return point;
    };
    TradeOff left = point_of(1.0);
    TradeOff right = point_of(0.0);
    if (right.first > left.first) {  // the selection is not exact
        std::swap(left, right);
    }
    if (left.second >= right.second) {
        return {std::move(left)};
    }
    std::vector<TradeOff> curve{std::move(left), std::move(right)};
    for (std::size_t at = 0; at + 1 < curve.size();) {
        const TradeOff& a = curve[at];
        const TradeOff& b = curve[at + 1];
        const double gain = b.second - a.second;
        const double loss = a.first - b.first;
        const double weight = gain / (gain + loss);
        TradeOff c = point_of(weight);
        const double rise = weight * (c.first - a.first) + (1.0 - weight) * (c.second - a.second);
        const double size = weight * (loss + math::abs(a.first)) + (1.0 - weight) * (gain + math::abs(a.second));
        if (rise > 1e-9 * size && a.first >= c.first && c.first >= b.first && a.second <= c.second &&
            c.second <= b.second) {
            curve.insert(curve.begin() + static_cast<std::ptrdiff_t>(at) + 1, std::move(c));
        } else {
            ++at;
        }
    }
    // A first or last point may have tied with a better one.
    if (curve[0].first == curve[1].first) {
        curve.erase(curve.begin());
    }
    if (curve.size() > 1 && curve.back().second == curve[curve.size() - 2].second) {
        curve.pop_back();
    }
    return curve;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

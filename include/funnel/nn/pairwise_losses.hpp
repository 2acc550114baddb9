// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/ndcg_gain.hpp>

#include <algorithm>
#include <cstddef>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// RankNet: in each pair of items of a list with different labels, the better item should score higher. With labels 0
/// and 1 this is BPR.
///
///     loss = sum over pairs with y_i > y_j of softplus(-(s_i - s_j))
///
/// Cost      O(n^2) per list of n items
/// Source    Burges et al., "Learning to rank using gradient descent", ICML 2005;  Rendle et al., "BPR", UAI 2009
struct RankNet {
    static constexpr const char* name = "RankNet";
    static constexpr const char* label_rule = "must be finite";
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y); }

    double operator()(const LossList& list, LossScratch& /*scratch*/) const noexcept {
        std::fill(list.gradient.begin(), list.gradient.end(), 0.0);
        std::fill(list.hessian.begin(), list.hessian.end(), 0.0);
        double value = 0.0;
        for (std::size_t i = 0; i < list.scores.size(); ++i) {
            for (std::size_t j = 0; j < list.scores.size(); ++j) {
                if (list.labels[i] > list.labels[j]) {
                    const double lead = list.scores[i] - list.scores[j];
                    const double p = detail::sigmoid(-lead);
                    value += detail::softplus(-lead);
                    list.gradient[i] -= p;
                    list.gradient[j] += p;
                    if (!list.hessian.empty()) {
                        list.hessian[i] += p * (1.0 - p);
                        list.hessian[j] += p * (1.0 - p);
                    }
                }
            }
        }
        return value;
    }
};

/// LambdaRank: RankNet with each pair weighted by how much NDCG changes if the two items change places. Its gradients
/// and second derivatives are those of LightGBM.
///
///     loss = sum over pairs with y_i > y_j of delta_ij softplus(-sigma (s_i - s_j))
///     delta_ij = (2^y_i - 2^y_j) |d(rank_i) - d(rank_j)| / DCG of the best order,   d(r) = 1 / log2(1 + r)
///
/// A pair counts if one of its items is among the first `truncation`. The weights delta are taken as constants: the
/// gradient is that of the loss at the present ranks. If `normalize` is set, delta_ij is divided by 0.01 + |s_i - s_j|
/// (unless all scores are equal), and a list with S = sum of 2 |lambda| over its pairs is scaled by log2(1 + S) / S.
///
/// Cost      O(min(n, truncation) n) per list of n items
/// Source    Burges, "From RankNet to LambdaRank to LambdaMART", 2010; normalization: LightGBM, pull request 2331
struct LambdaRank {
    std::size_t truncation = 30;  ///< ranks that count, > 0
    double sigma = 1.0;           ///< steepness of the sigmoid, > 0
    bool normalize = true;        ///< see above

    static constexpr const char* name = "LambdaRank";
    static constexpr const char* label_rule = detail::gain_label_rule;
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return detail::is_gain_label(y); }

    /// Errors    InvalidArgument if a setting is out of range
    double operator()(const LossList& list, LossScratch& scratch) const {
        require_at_least(truncation, 1, "LambdaRank: truncation");
        require_positive(sigma, "LambdaRank: sigma");
        std::fill(list.gradient.begin(), list.gradient.end(), 0.0);
        std::fill(list.hessian.begin(), list.hessian.end(), 0.0);
        const std::size_t n = list.scores.size();
        const auto order = detail::first_of(scratch.positions, n);
        const auto numbers = detail::first_of(scratch.numbers, 2 * n);
        const auto gains = numbers.first(n);
        const auto discounts = numbers.last(n);
        std::transform(list.labels.begin(), list.labels.end(), gains.begin(), detail::gain);
        const double best = detail::best_dcg(gains, truncation, discounts);
        if (!(best > 0.0)) {
            return 0.0;
        }
        for (std::size_t i = 0; i < n; ++i) {
            discounts[i] = detail::discount(i);
        }
        detail::order_by_score(list.scores, order);

        const bool is_scaled = normalize && list.scores[order.front()] != list.scores[order.back()];
        double value = 0.0;
        double sum = 0.0;
        for (std::size_t i = 0; i < std::min(n, truncation); ++i) {
            for (std::size_t j = i + 1; j < n; ++j) {
                std::size_t better = order[i];
                std::size_t worse = order[j];
                if (list.labels[better] == list.labels[worse]) {
                    continue;
                }
                if (list.labels[better] < list.labels[worse]) {
                    std::swap(better, worse);
                }
                const double lead = list.scores[better] - list.scores[worse];
                double delta = (gains[better] - gains[worse]) * (discounts[i] - discounts[j]) / best;
                if (is_scaled) {
                    delta /= 0.01 + math::abs(lead);
                }
                const double p = detail::sigmoid(-sigma * lead);
                const double lambda = sigma * delta * p;
                value += delta * detail::softplus(-sigma * lead);
                sum += 2.0 * lambda;
                list.gradient[better] -= lambda;
                list.gradient[worse] += lambda;
                if (!list.hessian.empty()) {
                    const double curvature = sigma * lambda * (1.0 - p);
                    list.hessian[better] += curvature;
                    list.hessian[worse] += curvature;
                }
            }
        }
        if (normalize && sum > 0.0) {
            const double factor = math::log2(1.0 + sum) / sum;
            for (const auto values : {list.gradient, list.hessian}) {
                for (double& x : values) {
                    x *= factor;
                }
            }
            value *= factor;
        }
        return value;
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

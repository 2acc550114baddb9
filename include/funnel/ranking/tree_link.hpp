// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Turns the raw scores of one row into predictions.
inline void apply_link(const TreeEnsemble& forest, std::span<double> scores) {
    for (double& x : scores) {
        x /= forest.averages_over;
    }
    switch (forest.link) {
        case TreeLink::Identity:
            break;
        case TreeLink::Sigmoid: {
            // XGBoost, which adds in float, bounds the argument so that no exponential overflows.
            const double highest =
                forest.sums_in_float ? static_cast<double>(88.7F) : std::numeric_limits<double>::max();
            for (double& x : scores) {
                x = 1.0 / (1.0 + math::exp(std::min(-forest.link_scale * x, highest)));
            }
            break;
        }
        case TreeLink::Softmax: {
            const double largest = *std::max_element(scores.begin(), scores.end());
            double sum = 0.0;
            for (double& x : scores) {
                // XGBoost, which adds in float, rounds the difference, too.
                const double below = x - largest;
                x = math::exp(forest.sums_in_float ? static_cast<double>(static_cast<float>(below)) : below);
                sum += x;
            }
            for (double& x : scores) {
                x /= sum;
            }
            break;
        }
        case TreeLink::Exponential:
            for (double& x : scores) {
                x = math::exp(x);
            }
            break;
        case TreeLink::SoftPlus:
            for (double& x : scores) {  // log(1 + exp(x)), without overflow for large x
                x = std::max(x, 0.0) + std::log1p(math::exp(-math::abs(x)));
            }
            break;
        case TreeLink::SignedSquare:
            for (double& x : scores) {
                x = x < 0.0 ? -x * x : x * x;
            }
            break;
        case TreeLink::Hinge:
            for (double& x : scores) {
                x = x > 0.0 ? 1.0 : 0.0;
            }
            break;
    }
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

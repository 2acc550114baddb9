// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/ranking/tree_growth.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// How much the position at which an item was shown adds to its score. It is learned beside the trees, which then need
/// not explain clicks that are due to the position.
///
///     bias += rate (-G - l2 n bias) / (H + l2 n + 0.001)
///
/// after each tree, for each position with n rows, and sums G and H of their first and second derivatives.
///
/// Source    LightGBM 4.1, lambdarank_position_bias_regularization
class PositionBias {
public:
    PositionBias(std::span<const std::uint32_t> positions, double rate, double l2)
        : positions_(positions),
          rate_(rate),
          l2_(l2),
          biases_(positions.empty() ? 0 : std::size_t{1} + *std::max_element(positions.begin(), positions.end()), 0.0),
          adjusted_(positions.size()) {}

    /// The scores with the bias of each row; the scores themselves if rows have no positions.
    [[nodiscard]] std::span<const double> add_to(std::span<const double> scores) {
        if (positions_.empty()) {
            return scores;
        }
        for (std::size_t i = 0; i < scores.size(); ++i) {
            adjusted_[i] = scores[i] + biases_[positions_[i]];
        }
        return adjusted_;
    }

    void update(std::span<const RowGradient> gradients) {
        struct Sum {
            double gradient = 0.0;
            double hessian = 0.0;
            double rows = 0.0;
        };
        std::vector<Sum> sums(biases_.size());
        for (std::size_t i = 0; i < positions_.size(); ++i) {
            Sum& sum = sums[positions_[i]];
            sum.gradient += static_cast<double>(gradients[i].gradient);
            sum.hessian += static_cast<double>(gradients[i].hessian);
            sum.rows += 1.0;
        }
        for (std::size_t p = 0; p < biases_.size(); ++p) {
            const double penalty = l2_ * sums[p].rows;
            biases_[p] -= rate_ * (sums[p].gradient + penalty * biases_[p]) / (sums[p].hessian + penalty + 0.001);
        }
    }

    [[nodiscard]] std::span<const double> biases() const noexcept { return biases_; }

private:
    std::span<const std::uint32_t> positions_;
    double rate_;
    double l2_;
    std::vector<double> biases_;
    std::vector<double> adjusted_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/row_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct AdagradOptions {
    double learning_rate = 0.01;  ///< > 0
    double epsilon = 1e-10;       ///< > 0; added to the root, as in PyTorch
};

struct RowAdagradOptions {
    double learning_rate = 0.01;  ///< > 0
    double epsilon = 1e-8;        ///< > 0; added to the root, as in FBGEMM
};

/// Adagrad: larger steps for parameters with rare gradients. The sums start at 0.
///
///     G += g^2;   p -= learning_rate g / (sqrt(G) + epsilon)
///
/// Source    Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011
class AdagradRule {
public:
    using Options = AdagradOptions;
    static constexpr const char* name = "Adagrad";
    static constexpr std::size_t arrays = 1;  // G
    static constexpr std::size_t squares_from = 0;

    static void check(const AdagradOptions& options) {
        require_positive(options.learning_rate, "Adagrad: learning_rate");
        require_positive(options.epsilon, "Adagrad: epsilon");
    }

    AdagradRule(const AdagradOptions& options, std::uint64_t /*t*/)
        : rate_(static_cast<float>(options.learning_rate)), epsilon_(static_cast<float>(options.epsilon)) {}

    void apply(std::span<float> parameters, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        const std::span<float> squares = state[0];
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            squares[i] += gradient[i] * gradient[i];
            parameters[i] -= rate_ * gradient[i] / (math::sqrt(squares[i]) + epsilon_);
        }
    }

private:
    float rate_;
    float epsilon_;
};

/// Row-wise Adagrad, for tables of embeddings: one sum per row, of the mean of the squared gradients.
///
///     G += mean(g^2);   p -= learning_rate g / (sqrt(G) + epsilon)
///
/// Source    the rule EXACT_ROWWISE_ADAGRAD of FBGEMM, which torchrec uses
class RowAdagradRule {
public:
    using Options = RowAdagradOptions;
    static constexpr const char* name = "RowAdagrad";
    static constexpr std::size_t arrays = 1;  // G
    static constexpr std::size_t squares_from = 0;
    static constexpr bool is_row_wise = true;

    static void check(const RowAdagradOptions& options) {
        require_positive(options.learning_rate, "RowAdagrad: learning_rate");
        require_positive(options.epsilon, "RowAdagrad: epsilon");
    }

    RowAdagradRule(const RowAdagradOptions& options, std::uint64_t /*t*/)
        : rate_(static_cast<float>(options.learning_rate)), epsilon_(static_cast<float>(options.epsilon)) {}

    void apply(std::span<float> row, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        if (row.empty()) {
            return;
        }
        double sum = 0.0;
        for (const float g : gradient) {
            sum += static_cast<double>(g) * static_cast<double>(g);
        }
        float& squares = state[0].front();
        squares += static_cast<float>(sum / static_cast<double>(row.size()));
        const float scale = rate_ / (math::sqrt(squares) + epsilon_);
        for (std::size_t i = 0; i < row.size(); ++i) {
            row[i] -= scale * gradient[i];
        }
    }

private:
    float rate_;
    float epsilon_;
};

using Adagrad = DenseOptimiser<AdagradRule>;
using RowAdagrad = RowOptimiser<RowAdagradRule>;

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

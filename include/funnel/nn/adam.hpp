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

struct AdamOptions {
    double learning_rate = 1e-3;  ///< > 0
    double beta1 = 0.9;           ///< in [0, 1): decay of the mean of the gradients
    double beta2 = 0.999;         ///< in [0, 1): decay of the mean of their squares
    double epsilon = 1e-8;        ///< > 0; added after the bias correction, as in PyTorch
};

struct AdamWOptions {
    double learning_rate = 1e-3;  ///< > 0
    double beta1 = 0.9;           ///< in [0, 1): decay of the mean of the gradients
    double beta2 = 0.999;         ///< in [0, 1): decay of the mean of their squares
    double epsilon = 1e-8;        ///< > 0; added after the bias correction
    /// >= 0, < 1 / learning_rate; parameters shrink by the factor 1 - learning_rate * weight_decay.
    double weight_decay = 0.01;
};

/// Adam: steps that adapt to the mean and the spread of the gradients of each parameter.
///
///     m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
///     p -= learning_rate (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
///
/// Source    Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015
class AdamRule {
public:
    using Options = AdamOptions;
    static constexpr const char* name = "Adam";
    static constexpr std::size_t arrays = 2;  // m, v
    static constexpr std::size_t squares_from = 1;

    static void check(const AdamOptions& options) {
        require_positive(options.learning_rate, "Adam: learning_rate");
        detail::require_decay(options.beta1, "Adam: beta1");
        detail::require_decay(options.beta2, "Adam: beta2");
        require_positive(options.epsilon, "Adam: epsilon");
    }

    AdamRule(const AdamOptions& options, std::uint64_t t)
        : beta1_(static_cast<float>(options.beta1)),
          beta2_(static_cast<float>(options.beta2)),
          rate_(static_cast<float>(options.learning_rate / (1.0 - detail::whole_power(options.beta1, t)))),
          square_factor_(static_cast<float>(1.0 / (1.0 - detail::whole_power(options.beta2, t)))),
          epsilon_(static_cast<float>(options.epsilon)) {}

    void apply(std::span<float> parameters, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        const std::span<float> means = state[0];
        const std::span<float> squares = state[1];
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            const float g = gradient[i];
            means[i] += (1.0F - beta1_) * (g - means[i]);
            squares[i] += (1.0F - beta2_) * (g * g - squares[i]);
            parameters[i] -= rate_ * means[i] / (math::sqrt(squares[i] * square_factor_) + epsilon_);
        }
    }

private:
    float beta1_;
    float beta2_;
    float rate_;           // learning_rate / (1 - beta1^t)
    float square_factor_;  // 1 / (1 - beta2^t)
    float epsilon_;
};

/// Adam with decoupled weight decay: the decay does not go through the moments.
///
///     p -= learning_rate weight_decay p;   then the step of Adam
///
/// Source    Loshchilov and Hutter, "Decoupled weight decay regularization", ICLR 2019
class AdamWRule {
public:
    using Options = AdamWOptions;
    static constexpr const char* name = "AdamW";
    static constexpr std::size_t arrays = AdamRule::arrays;
    static constexpr std::size_t squares_from = AdamRule::squares_from;

    static void check(const AdamWOptions& options) {
        AdamRule::check(adam(options));
        require_not_negative(options.weight_decay, "AdamW: weight_decay");
        require_weight_decay(options.learning_rate, options.weight_decay, "AdamW: learning_rate * weight_decay");
    }

    AdamWRule(const AdamWOptions& options, std::uint64_t t)
        : adam_(adam(options), t), kept_(static_cast<float>(1.0 - options.learning_rate * options.weight_decay)) {}

    void apply(std::span<float> parameters, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        for (float& parameter : parameters) {
            parameter *= kept_;
        }
        adam_.apply(parameters, gradient, state);
    }

private:
    [[nodiscard]] static AdamOptions adam(const AdamWOptions& options) noexcept {
        return {.learning_rate = options.learning_rate,
                .beta1 = options.beta1,
                .beta2 = options.beta2,
                .epsilon = options.epsilon};
    }

    AdamRule adam_;
    float kept_;  // the factor of weight decay
};

using Adam = DenseOptimiser<AdamRule>;
using AdamW = DenseOptimiser<AdamWRule>;
/// Adam for the rows of a table that a batch uses. It is not equal to Adam: see RowOptimiser.
using LazyAdam = RowOptimiser<AdamRule>;

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

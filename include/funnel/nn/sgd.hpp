// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/dense_optimiser.hpp>
#include <funnel/nn/update_rule.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct SGDOptions {
    double learning_rate = 0.01;  ///< > 0
    double momentum = 0.0;        ///< in [0, 1): the share of the last step that the next one keeps
    bool nesterov = false;        ///< look ahead: add the momentum once more; needs momentum > 0
};

/// Stochastic gradient descent with momentum, as in PyTorch. The first m is g, and the learning rate is not a part of
/// m: a schedule changes the whole next step.
///
///     m = momentum m + g;   p -= learning_rate m            p -= learning_rate (g + momentum m) with nesterov
///
/// Source    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013
class SGDRule {
public:
    using Options = SGDOptions;
    static constexpr const char* name = "SGD";
    static constexpr std::size_t arrays = 1;  // m
    static constexpr std::size_t squares_from = 1;

    static void check(const SGDOptions& options) {
        require_positive(options.learning_rate, "SGD: learning_rate");
        detail::require_decay(options.momentum, "SGD: momentum");
        require(!options.nesterov || options.momentum > 0.0, "SGD: nesterov needs momentum > 0");
    }

    SGDRule(const SGDOptions& options, std::uint64_t /*t*/)
        : rate_(static_cast<float>(options.learning_rate)),
          momentum_(static_cast<float>(options.momentum)),
          nesterov_(options.nesterov) {}

    void apply(std::span<float> parameters, std::span<const float> gradient,
               std::span<const std::span<float>, arrays> state) const noexcept {
        const std::span<float> means = state[0];
        for (std::size_t i = 0; i < parameters.size(); ++i) {
            means[i] = momentum_ * means[i] + gradient[i];
            parameters[i] -= rate_ * (nesterov_ ? gradient[i] + momentum_ * means[i] : means[i]);
        }
    }

private:
    float rate_;
    float momentum_;
    bool nesterov_;
};

using SGD = DenseOptimiser<SGDRule>;

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

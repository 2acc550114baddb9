// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

enum class Optimiser {
    Adagrad,  ///< learning_rate * g / sqrt(sum of all g^2 so far): larger steps for parameters with rare gradients
    SGD,      ///< learning_rate * g
};

/// Gradient descent on the parameters of a model, which are numbered 0 .. parameters - 1.
///
/// Cost      Adagrad: 8 bytes per parameter
/// Source    Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011
class Descent {
public:
    Descent(Optimiser optimiser, float learning_rate, std::size_t parameters)
        : learning_rate_(static_cast<double>(learning_rate)),
          squares_(optimiser == Optimiser::Adagrad ? parameters : 0, 0.0) {}

    /// Performs one step on the parameters first, first + 1, ...
    ///
    /// Shapes    values, gradients: one per parameter; first + size must be <= parameters (not checked)
    template <std::floating_point T>
    void update(std::size_t first, std::span<T> values, std::span<const double> gradients) noexcept {
        FUNNEL_ASSERT(values.size() == gradients.size());
        if (squares_.empty()) {
            for (std::size_t i = 0; i < values.size(); ++i) {
                values[i] += static_cast<T>(-learning_rate_ * gradients[i]);
            }
            return;
        }
        FUNNEL_ASSERT(first + values.size() <= squares_.size());
        double* const squares = squares_.data() + first;
        for (std::size_t i = 0; i < values.size(); ++i) {
            squares[i] += gradients[i] * gradients[i];
            // Adding 1e-10 avoids 0 / 0.
            values[i] += static_cast<T>(-learning_rate_ * gradients[i] / (math::sqrt(squares[i]) + 1e-10));
        }
    }

private:
    double learning_rate_;
    std::vector<double> squares_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

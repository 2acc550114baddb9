// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <cstddef>
#include <vector>

namespace funnel::inline FUNNEL_ABI::ranking {

/// How far a gradient moves a parameter.
enum class Optimiser {
    Adagrad,  ///< learning_rate * g / sqrt(sum of all g^2 so far): parameters that rarely get a gradient move further
    SGD,      ///< learning_rate * g
};

namespace detail {

/// Moves the parameters of a linear-sized model, numbered 0 .. parameters - 1.
///
/// Source    Duchi et al., "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011
class Descent {
public:
    Descent(Optimiser optimiser, float learning_rate, std::size_t parameters)
        : learning_rate_(static_cast<double>(learning_rate)),
          squares_(optimiser == Optimiser::Adagrad ? parameters : 0, 0.0) {}

    /// What to add to a parameter, one of those above (not checked).
    [[nodiscard]] double step(std::size_t parameter, double gradient) noexcept {
        if (squares_.empty()) {
            return -learning_rate_ * gradient;
        }
        FUNNEL_ASSERT(parameter < squares_.size());
        squares_[parameter] += gradient * gradient;
        // The tiny term only keeps 0 / 0 away.
        return -learning_rate_ * gradient / (math::sqrt(squares_[parameter]) + 1e-10);
    }

private:
    double learning_rate_;
    std::vector<double> squares_;
};

}  // namespace detail

}  // namespace funnel::ranking

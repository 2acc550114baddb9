// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace funnel::testing {

/// The logloss of a logit, from its definition and without overflow.
[[nodiscard]] inline double logloss_of(double logit, double label) {
    return std::log1p(std::exp(-std::abs(logit))) + std::max(logit, 0.0) - label * logit;
}

/// Checks that a step of gradient descent changed each parameter by the learning rate times the derivative of the loss.
///
///     loss()    of the parameters as they are now
///
/// Shapes    before, after: pointers to the same parameters of the two models. Those of `before` are varied, and
///           restored
inline void check_step(const std::vector<double*>& before, const std::vector<double*>& after, double learning_rate,
                       const auto& loss) {
    REQUIRE(before.size() == after.size());
    for (std::size_t at = 0; at < before.size(); ++at) {
        double& parameter = *before[at];
        const double value = parameter;
        parameter = value + 1e-5;
        const double up = loss();
        parameter = value - 1e-5;
        const double down = loss();
        parameter = value;
        // The parameters come as floats: 1e-7 of about 1, over the learning rate.
        CHECK((value - *after[at]) / learning_rate == doctest::Approx((up - down) / 2e-5).epsilon(1e-5).scale(1.0));
    }
}

}  // namespace funnel::testing

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/nn/loss.hpp>

#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Half the squared error: predicts a number, such as a rating.
///
///     loss = sum over items of (s - y)^2 / 2;   gradient = s - y
struct SquaredError {
    static constexpr const char* name = "SquaredError";
    static constexpr const char* label_rule = "must be finite";
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y); }

    double operator()(const LossList& list, LossScratch& /*scratch*/) const noexcept {
        double value = 0.0;
        for (std::size_t i = 0; i < list.scores.size(); ++i) {
            const double error = list.scores[i] - static_cast<double>(list.labels[i]);
            value += 0.5 * error * error;
            list.gradient[i] = error;
            if (!list.hessian.empty()) {
                list.hessian[i] = 1.0;
            }
        }
        return value;
    }
};

/// The logloss (binary cross-entropy) of logits: predicts the probability of a click. A label between 0 and 1 is a
/// smoothed label.
///
///     loss = sum over items of softplus(s) - y s;   gradient = sigmoid(s) - y
struct Logloss {
    static constexpr const char* name = "Logloss";
    static constexpr const char* label_rule = "must lie in [0, 1]";
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y) && y >= 0.0F && y <= 1.0F; }

    double operator()(const LossList& list, LossScratch& /*scratch*/) const noexcept {
        double value = 0.0;
        for (std::size_t i = 0; i < list.scores.size(); ++i) {
            const double s = list.scores[i];
            const auto y = static_cast<double>(list.labels[i]);
            const double p = detail::sigmoid(s);
            // Both logarithms are of exact arguments: softplus(s) - y s would lose all digits for a large s and y = 1.
            value += (1.0 - y) * detail::softplus(s) + y * detail::softplus(-s);
            list.gradient[i] = p - y;
            if (!list.hessian.empty()) {
                list.hessian[i] = p * (1.0 - p);
            }
        }
        return value;
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

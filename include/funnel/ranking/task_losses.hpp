// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/nn/loss.hpp>

#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

// The sum over tasks of the mean of a loss of one logit. loss(logit, label) returns {value, derivative}.
template <std::floating_point T, class Loss>
double mean_per_task(MatrixView<const T> logits, MatrixView<const float> labels, MatrixView<T> gradient,
                     const Loss& loss) noexcept {
    const double share = 1.0 / static_cast<double>(logits.rows());
    double sum = 0.0;
    for (std::size_t i = 0; i < logits.rows(); ++i) {
        for (std::size_t t = 0; t < logits.cols(); ++t) {
            const auto [value, slope] = loss(static_cast<double>(logits(i, t)), static_cast<double>(labels(i, t)));
            sum += share * value;
            gradient(i, t) = static_cast<T>(share * slope);
        }
    }
    return sum;
}

}  // namespace detail

/// The sum over tasks of the mean logloss.
///
///     loss = sum over tasks t, 1 / n sum over rows i of softplus(s_it) - y_it s_it;   gradient = (sigmoid(s) - y) / n
///
/// Shapes    logits, labels, gradient: n x tasks; gradient is overwritten
/// Returns   the sum, 0 without rows
struct LoglossPerTask {
    template <std::floating_point T>
    double operator()(std::type_identity_t<MatrixView<const T>> logits, MatrixView<const float> labels,
                      MatrixView<T> gradient) const noexcept {
        return detail::mean_per_task<T>(logits, labels, gradient, [](double s, double y) {
            return std::pair((1.0 - y) * nn::detail::softplus(s) + y * nn::detail::softplus(-s),
                             nn::detail::sigmoid(s) - y);
        });
    }
};

/// The same for labels in [0, 1]: a probability, such as that of a teacher, or a share, such as a quantile. The logit
/// that it learns is that of the expected label.
struct SoftLoglossPerTask : LoglossPerTask {
    static constexpr const char* label_rule = "must lie in [0, 1]";
    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y) && y >= 0.0F && y <= 1.0F; }
};

namespace detail {

// The logloss of the product of two probabilities, in logarithms: a clipped product would lose the gradient of rare
// events. log(1 - p q) = log(e^-a + e^-b + e^-(a + b)) - softplus(-a) - softplus(-b).
struct ProductLogloss {
    double value;
    double da;
    double db;

    ProductLogloss(double a, double b, double y) noexcept {
        const double log_product = -nn::detail::softplus(-a) - nn::detail::softplus(-b);
        const double neither = nn::detail::log_add(nn::detail::log_add(-a, -b), -a - b);
        value = -y * log_product - (1.0 - y) * (neither + log_product);
        const double from_a = nn::detail::log_add(-a, -a - b) - neither;
        const double from_b = nn::detail::log_add(-b, -a - b) - neither;
        const double p = nn::detail::sigmoid(-a);
        const double q = nn::detail::sigmoid(-b);
        da = -y * p - (1.0 - y) * (p - math::exp(from_a));
        db = -y * q - (1.0 - y) * (q - math::exp(from_b));
    }
};

}  // namespace detail

/// ESMM: clicks and purchases over all impressions. The first task is P(click), the second P(purchase | click), which
/// is trained through the product of both, so that it is not biased to clicked items.
///
///     loss = mean of logloss(p_click, click) + logloss(p_click p_purchase, purchase)
///
/// Shapes    logits, labels, gradient: n x 2; a purchase without a click is not expected (not checked)
/// Returns   the mean, 0 without rows
/// Source    Ma et al., "Entire space multi-task model", SIGIR 2018
struct ESMMLoss {
    template <std::floating_point T>
    double operator()(std::type_identity_t<MatrixView<const T>> logits, MatrixView<const float> labels,
                      MatrixView<T> gradient) const noexcept {
        FUNNEL_ASSERT(logits.cols() == 2);
        const double share = 1.0 / static_cast<double>(logits.rows());
        double value = 0.0;
        for (std::size_t i = 0; i < logits.rows(); ++i) {
            const auto click = static_cast<double>(logits(i, 0));
            const auto clicked = static_cast<double>(labels(i, 0));
            const detail::ProductLogloss both(click, static_cast<double>(logits(i, 1)),
                                              static_cast<double>(labels(i, 1)));
            value += share * ((1.0 - clicked) * nn::detail::softplus(click) + clicked * nn::detail::softplus(-click) +
                              both.value);
            gradient(i, 0) = static_cast<T>(share * (nn::detail::sigmoid(click) - clicked + both.da));
            gradient(i, 1) = static_cast<T>(share * both.db);
        }
        return value;
    }
};

/// PAL: a click needs an examined position and a relevant item. The first logit depends on the position (and context),
/// the second on the item; only the second is served.
///
///     loss = mean of logloss(p_seen p_relevant, click)
///
/// Both probabilities are known only up to a common factor: their order is meaningful, their level is not.
///
/// Shapes    logits: n x 2;  labels: n x 1, clicks;  gradient: n x 2
/// Returns   the mean, 0 without rows
/// Source    Guo et al., "PAL: a position-bias aware learning framework", RecSys 2019
struct PALLoss {
    static constexpr std::size_t label_columns = 1;  ///< per row, whatever the number of logits

    template <std::floating_point T>
    double operator()(std::type_identity_t<MatrixView<const T>> logits, MatrixView<const float> labels,
                      MatrixView<T> gradient) const noexcept {
        FUNNEL_ASSERT(logits.cols() == 2);
        const double share = 1.0 / static_cast<double>(logits.rows());
        double value = 0.0;
        for (std::size_t i = 0; i < logits.rows(); ++i) {
            const detail::ProductLogloss both(static_cast<double>(logits(i, 0)), static_cast<double>(logits(i, 1)),
                                              static_cast<double>(labels(i, 0)));
            value += share * both.value;
            gradient(i, 0) = static_cast<T>(share * both.da);
            gradient(i, 1) = static_cast<T>(share * both.db);
        }
        return value;
    }
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

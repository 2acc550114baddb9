// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/portable_math.hpp>

#include <numbers>

// Tail probabilities of the distributions that tests refer to.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics::detail {

// Logarithm of the gamma function, x > 0: Stirling's series for x >= 12, the recurrence below.
[[nodiscard]] inline double log_gamma(double x) noexcept {
    FUNNEL_ASSERT(x > 0.0);
    double shift = 1.0;
    for (; x < 12.0; x += 1.0) {
        shift *= x;
    }
    const double inverse = 1.0 / (x * x);
    const double series =
        (1.0 / 12 - inverse * (1.0 / 360 - inverse * (1.0 / 1260 - inverse * (1.0 / 1680 - inverse / 1188)))) / x;
    return (x - 0.5) * math::log(x) - x + 0.5 * math::log(2.0 * std::numbers::pi) + series - math::log(shift);
}

// Regularized incomplete beta function I_x(a, b), by the continued fraction (Lentz's method).
// Source: Press et al., "Numerical recipes", 3rd edition, section 6.4.
[[nodiscard]] inline double incomplete_beta(double a, double b, double x) noexcept {
    if (x <= 0.0 || x >= 1.0) {
        return x <= 0.0 ? 0.0 : 1.0;
    }
    if (x > (a + 1.0) / (a + b + 2.0)) {
        return 1.0 - incomplete_beta(b, a, 1.0 - x);
    }
    constexpr double tiny = 1e-300;
    const auto kept_from_zero = [](double v) { return math::abs(v) < tiny ? tiny : v; };
    double c = 1.0;
    double d = 1.0 / kept_from_zero(1.0 - (a + b) * x / (a + 1.0));
    double fraction = d;
    for (int i = 1; i <= 10'000; ++i) {
        const double m = i;
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / kept_from_zero(1.0 + even * d);
        c = kept_from_zero(1.0 + even / c);
        fraction *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / kept_from_zero(1.0 + odd * d);
        c = kept_from_zero(1.0 + odd / c);
        fraction *= d * c;
        if (math::abs(d * c - 1.0) < 1e-16) {
            break;
        }
    }
    const double log_front =
        a * math::log(x) + b * math::log1p(-x) + log_gamma(a + b) - log_gamma(a) - log_gamma(b) - math::log(a);
    return math::exp(log_front) * fraction;
}

// Probability that a variable with Student's t distribution lies at least as far from 0 as t.
[[nodiscard]] inline double student_two_sided(double t, double degrees) noexcept {
    return incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t));
}

// Distribution function of the standard normal distribution, with a small relative error in both tails.
[[nodiscard]] inline double normal_cdf(double z) noexcept {
    return 0.5 * math::erfc(-z / std::numbers::sqrt2);
}

}  // namespace metrics::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace funnel::testing {

/// I_x(a, b), the distribution function of Beta(a, b), by its continued fraction (Numerical recipes, 6.4), for x given
/// by its logit, so that x close to 0 or 1 loses no digits.
inline double beta_cdf_of_logit(double a, double b, double logit) {
    const double log_x = logit < 0.0 ? logit - std::log1p(std::exp(logit)) : -std::log1p(std::exp(-logit));
    const double log_y = logit < 0.0 ? -std::log1p(std::exp(logit)) : -logit - std::log1p(std::exp(-logit));
    if (std::exp(log_x) > (a + 1.0) / (a + b + 2.0)) {
        return 1.0 - beta_cdf_of_logit(b, a, -logit);
    }
    const double x = std::exp(log_x);
    const double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * log_x + b * log_y) / a;
    double c = 1.0;
    double d = 1.0 / (1.0 - (a + b) * x / (a + 1.0));
    double h = d;
    for (double m = 1.0; m < 100000.0; m += 1.0) {
        const double even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / (1.0 + even * d);
        c = 1.0 + even / c;
        h *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / (1.0 + odd * d);
        c = 1.0 + odd / c;
        h *= d * c;
        if (std::abs(d * c - 1.0) < 1e-15) {
            break;
        }
    }
    return front * h;
}

/// Largest distance between the distribution function of a sample and cdf, at every step-th element of the sorted
/// sample: the Kolmogorov-Smirnov statistic up to step / n.
template <class CDF>
double ks_distance(std::vector<float> sample, const CDF& cdf, std::size_t step) {
    std::sort(sample.begin(), sample.end());
    const auto n = static_cast<double>(sample.size());
    double distance = 0.0;
    for (std::size_t i = 0; i < sample.size(); i += step) {
        const double at = cdf(static_cast<double>(sample[i]));
        const auto below =
            static_cast<double>(std::lower_bound(sample.begin(), sample.end(), sample[i]) - sample.begin());
        const auto up_to =
            static_cast<double>(std::upper_bound(sample.begin(), sample.end(), sample[i]) - sample.begin());
        distance = std::max({distance, below / n - at, at - up_to / n});
    }
    return distance;
}

}  // namespace funnel::testing

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>

#include <cstddef>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// How far predicted ratings are from the true ones. Every field is NaN if there is no rating.
struct RatingErrors {
    double rmse;       ///< root of the mean squared error
    double mae;        ///< mean absolute error
    double bias;       ///< mean of prediction - rating
    double r_squared;  ///< 1 - squared errors / squared deviations of the ratings; NaN if the ratings are equal
    double explained_variance;  ///< as r_squared, after the bias is removed
    double largest;             ///< largest absolute error
};

/// Compares predicted with true ratings. A small error of ratings does not imply good recommendations: it weighs all
/// rated items alike, users see the top of a list.
///
/// Shapes    predicted, rated: n, in the same order
/// Cost      O(n), two passes
/// Errors    InvalidArgument if the sizes differ, or a number is not finite
[[nodiscard]] inline RatingErrors rating_errors(std::span<const float> predicted, std::span<const float> rated) {
    require_equal(rated.size(), predicted.size(), "rating_errors: number of ratings");
    require(math::all_finite(predicted) && math::all_finite(rated), "rating_errors: all numbers must be finite");
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    const auto n = static_cast<double>(rated.size());
    if (rated.empty()) {
        return {none, none, none, none, none, none};
    }
    double sum = 0.0;  // of ratings
    double errors = 0.0;
    double squares = 0.0;
    double absolute = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < rated.size(); ++i) {
        const double error = static_cast<double>(predicted[i]) - static_cast<double>(rated[i]);
        sum += static_cast<double>(rated[i]);
        errors += error;
        squares += error * error;
        absolute += math::abs(error);
        largest = math::abs(error) > largest ? math::abs(error) : largest;
    }
    double deviations = 0.0;  // squared, of the ratings
    double unbiased = 0.0;    // squared, of the errors
    for (std::size_t i = 0; i < rated.size(); ++i) {
        const double error = static_cast<double>(predicted[i]) - static_cast<double>(rated[i]);
        const double deviation = static_cast<double>(rated[i]) - sum / n;
        deviations += deviation * deviation;
        unbiased += (error - errors / n) * (error - errors / n);
    }
    return {
        .rmse = math::sqrt(squares / n),
        .mae = absolute / n,
        .bias = errors / n,
        .r_squared = deviations > 0.0 ? 1.0 - squares / deviations : none,
        .explained_variance = deviations > 0.0 ? 1.0 - unbiased / deviations : none,
        .largest = largest,
    };
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// InvalidArgument, which names function and row, unless there is one label a row and each is 0 or 1.
inline void require_binary_labels(std::span<const float> labels, std::size_t rows, const char* function) {
    if (labels.size() != rows) {
        raise<InvalidArgument>(std::string(function) + ": needs one label a row, " + std::to_string(rows) + ", not " +
                               std::to_string(labels.size()));
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        // With -ffast-math, a NaN may compare as equal to anything.
        if (math::is_nan(labels[i]) || (labels[i] != 0.0F && labels[i] != 1.0F)) {
            raise<InvalidArgument>(std::string(function) + ": the label of row " + std::to_string(i) +
                                   " must be 0 or 1, not " + std::to_string(labels[i]));
        }
    }
}

/// The probability that belongs to a logit. Far below 0 the exponential is infinite, and the answer 0, as it should be.
[[nodiscard]] inline double logistic(double x) noexcept {
    return 1.0 / (1.0 + math::exp(-x));
}

/// A logit or probability as a score. What is beyond the range of a float becomes the largest or the lowest float.
[[nodiscard]] inline float finite_score(double x) noexcept {
    constexpr double most{std::numeric_limits<float>::max()};
    return static_cast<float>(std::clamp(x, -most, most));
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

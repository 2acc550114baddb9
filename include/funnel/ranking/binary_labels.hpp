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

/// Checks that the label of a row is 0 or 1.
inline void require_binary_label(const float& label, std::size_t row, const std::string& function) {
    // With -ffast-math, a NaN may compare equal to any value.
    if (math::is_nan(label) || (label != 0.0F && label != 1.0F)) {
        raise<InvalidArgument>(function + ": the label of row " + std::to_string(row) + " must be 0 or 1, got " +
                               std::to_string(label));
    }
}

/// Checks that there is one label per row and that each label is 0 or 1.
///
/// Errors    InvalidArgument, with the name of the function and the row
inline void require_binary_labels(std::span<const float> labels, std::size_t rows, const char* function) {
    if (labels.size() != rows) {
        raise<InvalidArgument>(std::string(function) + ": labels must have " + std::to_string(rows) +
                               " elements, one per row, got " + std::to_string(labels.size()));
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        require_binary_label(labels[i], i, function);
    }
}

/// The probability for a logit. For very negative x, exp(-x) is infinite and the result is 0, as intended.
[[nodiscard]] inline double logistic(double x) noexcept {
    return 1.0 / (1.0 + math::exp(-x));
}

/// A logit or probability as a float, clamped to the finite range of float.
[[nodiscard]] inline float finite_score(double x) noexcept {
    constexpr double most{std::numeric_limits<float>::max()};
    return static_cast<float>(std::clamp(x, -most, most));
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

namespace detail {

inline void require_objectives(MatrixView<const float> objectives, const char* function) {
    require_at_least(objectives.cols(), 1, (std::string(function) + ": number of objectives").c_str());
    for (std::size_t i = 0; i < objectives.rows(); ++i) {
        for (std::size_t j = 0; j < objectives.cols(); ++j) {
            if (!math::is_finite(objectives(i, j))) [[unlikely]] {
                raise<InvalidArgument>(std::string(function) + ": objectives must be finite, got " +
                                       std::to_string(objectives(i, j)) + " for candidate " + std::to_string(i) +
                                       ", objective " + std::to_string(j));
            }
        }
    }
}

inline void require_one_per_objective(std::size_t size, MatrixView<const float> objectives, const char* what) {
    if (size != objectives.cols()) [[unlikely]] {
        raise<InvalidArgument>(std::string(what) + " must have " + std::to_string(objectives.cols()) +
                               " elements, one per objective, got " + std::to_string(size));
    }
}

inline void require_weights(std::span<const double> weights, MatrixView<const float> objectives, const char* what) {
    require_one_per_objective(weights.size(), objectives, what);
    for (const double& weight : weights) {
        require_not_negative(weight, what);
    }
    if (std::all_of(weights.begin(), weights.end(), [](double weight) { return weight == 0.0; })) [[unlikely]] {
        raise<InvalidArgument>(std::string(what) + " must not all be 0");
    }
}

}  // namespace detail

/// Scales each objective to [0, 1], so that weights mean the same for clicks, money and ages.
///
///     scaled(i, j) = (f(i, j) - lowest of j) / (highest of j - lowest of j)
///
/// An objective that is the same for all candidates becomes 0. The lowest and the highest value are those of these
/// candidates: an outlier presses the others together, and the scores of two requests are not comparable.
///
/// Shapes    objectives: n x d, one column per objective; higher is better
/// Returns   n x d
/// Cost      O(n d)
/// Errors    InvalidArgument if d is 0 or a value is not finite
[[nodiscard]] inline Matrix<float> scale_objectives(MatrixView<const float> objectives) {
    detail::require_objectives(objectives, "scale_objectives");
    Matrix<float> scaled(objectives.rows(), objectives.cols());
    for (std::size_t j = 0; objectives.rows() > 0 && j < objectives.cols(); ++j) {
        double lowest = objectives(0, j);
        double highest = lowest;
        for (std::size_t i = 1; i < objectives.rows(); ++i) {
            lowest = std::min<double>(lowest, objectives(i, j));
            highest = std::max<double>(highest, objectives(i, j));
        }
        for (std::size_t i = 0; highest > lowest && i < objectives.rows(); ++i) {
            scaled(i, j) = static_cast<float>((objectives(i, j) - lowest) / (highest - lowest));
        }
    }
    return scaled;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

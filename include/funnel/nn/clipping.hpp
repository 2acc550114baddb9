// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A sum of squares of gradients. It scales gradients of several parts of a model, such as towers and merged rows of
/// tables, by one common factor.
///
///     GradientNorm norm;
///     norm.add(gradient);
///     norm.add(sparse.rows());
///     const float factor = norm.factor(1.0);
///     scale_gradient(gradient, factor);
///     scale_gradient(sparse.rows(), factor);
///
/// With one gradient, clip_by_norm does the same.
class GradientNorm {
public:
    void add(std::span<const float> gradient) noexcept {
        for (const float g : gradient) {
            squares_ += static_cast<double>(g) * static_cast<double>(g);
        }
    }
    /// Adds the rows of a table, of which each must occur once: SparseGradient::rows().
    void add(MatrixView<const float> rows) noexcept {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            add(rows.row(i));
        }
    }

    /// The Euclidean norm of all gradients.
    [[nodiscard]] double value() const noexcept { return math::sqrt(squares_); }

    /// The factor that brings the norm to `limit`, or 1 if it is smaller. It is NaN or 0 if a gradient is not finite:
    /// then the caller should leave the step out.
    ///
    ///     min(1, limit / (norm + 1e-6))                                            as PyTorch's clip_grad_norm_
    ///
    /// Errors    InvalidArgument if limit is not finite and > 0
    [[nodiscard]] float factor(double limit) const {
        require_positive(limit, "GradientNorm::factor: limit");
        const double factor = limit / (value() + 1e-6);
        return static_cast<float>(factor > 1.0 ? 1.0 : factor);
    }

private:
    double squares_ = 0.0;
};

/// Multiplies a gradient by a factor of GradientNorm.
inline void scale_gradient(std::span<float> gradient, float factor) noexcept {
    for (float& g : gradient) {
        g *= factor;
    }
}
inline void scale_gradient(MatrixView<float> rows, float factor) noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        scale_gradient(rows.row(i), factor);
    }
}

/// Scales a gradient so that its Euclidean norm is at most `limit`.
///
/// Returns   the norm before
/// Errors    InvalidArgument if limit is not finite and > 0
inline double clip_by_norm(std::span<float> gradient, double limit) {
    GradientNorm norm;
    norm.add(gradient);
    scale_gradient(gradient, norm.factor(limit));
    return norm.value();
}

/// Brings each number of a gradient into [-limit, limit].
///
/// Errors    InvalidArgument if limit is not finite and > 0
inline void clip_by_value(std::span<float> gradient, float limit) {
    require_positive(limit, "clip_by_value: limit");
    for (float& g : gradient) {
        g = std::clamp(g, -limit, limit);
    }
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

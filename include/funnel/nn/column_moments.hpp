// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <cstddef>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

/// Columns that one call of an executor's body gets. A thread has whole columns, so each sum has the order of the rows.
inline constexpr std::size_t column_grain = 16;

/// What BatchNorm and Dice know of one column of a batch.
struct ColumnMoments {
    double mean = 0.0;
    double scale = 0.0;  ///< 1 / sqrt(variance + epsilon), the variance with 1 / rows

    /// The moments of column j, and its share in the running mean and variance, the variance with 1 / (rows - 1).
    template <class T>
    [[nodiscard]] static ColumnMoments collect(MatrixView<const T> x, std::size_t j, double epsilon, double momentum,
                                               T& running_mean, T& running_variance) noexcept {
        const auto n = static_cast<double>(x.rows());
        double sum = 0.0;
        for (std::size_t i = 0; i < x.rows(); ++i) {
            sum += static_cast<double>(x(i, j));
        }
        const double center = sum / n;
        double squares = 0.0;
        for (std::size_t i = 0; i < x.rows(); ++i) {
            const double gap = static_cast<double>(x(i, j)) - center;
            squares += gap * gap;
        }
        const auto update = [&](T& running, double batch) {
            running = static_cast<T>((1.0 - momentum) * static_cast<double>(running) + momentum * batch);
        };
        update(running_mean, center);
        update(running_variance, squares / (n - 1.0));
        return {center, 1.0 / math::sqrt(squares / n + epsilon)};
    }
};

inline void require_a_variance(std::size_t rows, const char* layer) {
    if (rows == 1) [[unlikely]] {
        raise<InvalidArgument>(std::string(layer) +
                               ": a batch of training must not have one row, because it has no variance");
    }
}

/// forward of layer L: collects the moments of all columns, stores them in memory, and calls apply(column, moments).
///
/// Shapes    collected: running means, then running variances;  memory: means, then scales
template <class L, class T, class E, class Apply>
void forward_by_moments(MatrixView<const T> x, std::span<T> collected, std::span<T> memory, E& executor,
                        const Apply& apply) {
    require_a_variance(x.rows(), L::name);
    executor.for_range(x.rows() > 0 ? L::in : 0, column_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t j = begin; j < end; ++j) {
            const ColumnMoments moments =
                ColumnMoments::collect(x, j, L::epsilon, L::momentum, collected[j], collected[L::in + j]);
            memory[j] = static_cast<T>(moments.mean);
            memory[L::in + j] = static_cast<T>(moments.scale);
            apply(j, moments);
        }
    });
}

/// A number of a column by the moments that forward stored.
template <class T>
[[nodiscard]] double normalized(T x, T mean, T scale) noexcept {
    return static_cast<double>(x - mean) * static_cast<double>(scale);
}

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

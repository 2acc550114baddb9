// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/column_moments.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Normalizes each column to mean 0 and variance 1 over the batch, then scales and shifts it. In service, it uses
/// running means of the mean and the variance.
///
///     y = gamma (x - mean) / sqrt(var + 1e-5) + beta
///     training:  mean, var of the batch, var with 1 / n
///                running = 0.9 running + 0.1 batch, there var with 1 / (n - 1)
///
/// The parameters are gamma (starts at 1), then beta (starts at 0); the statistics are the running mean (0), then the
/// running variance (1): weight, bias, running_mean and running_var of PyTorch's BatchNorm1d.
///
/// Errors    forward: InvalidArgument for a batch of one row, which has no variance
/// Source    Ioffe and Szegedy, "Batch normalization", ICML 2015
template <std::size_t Width>
    requires(Width > 0)
struct BatchNorm {
    static constexpr const char* name = "BatchNorm";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 2 * Width;
    static constexpr std::size_t statistics = 2 * Width;
    static constexpr std::array tensors{LayerTensor{"weight", Width}, LayerTensor{"bias", Width},
                                        LayerTensor{.name = "running_mean", .rows = Width, .is_statistic = true},
                                        LayerTensor{.name = "running_var", .rows = Width, .is_statistic = true}};
    static constexpr double epsilon = 1e-5;
    static constexpr double momentum = 0.1;

    /// The mean and 1 / sqrt(var + epsilon) of each column of the batch.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 2 * Width; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& /*random*/) noexcept {
        std::fill(trained.begin(), trained.begin() + Width, T{1});
        std::fill(trained.begin() + Width, trained.end(), T{0});
        std::fill(collected.begin(), collected.begin() + Width, T{0});
        std::fill(collected.begin() + Width, collected.end(), T{1});
    }

    /// In service, y[j] = scale[j] x[j] + shift[j]: what freeze folds into a Dense layer.
    static void scale_and_shift(std::span<const float> trained, std::span<const float> collected,
                                std::span<double> scale, std::span<double> shift) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            scale[j] =
                static_cast<double>(trained[j]) / math::sqrt(static_cast<double>(collected[Width + j]) + epsilon);
            shift[j] = static_cast<double>(trained[Width + j]) - static_cast<double>(collected[j]) * scale[j];
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> /*scratch*/) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            const T scale = trained[j] / math::sqrt(collected[Width + j] + static_cast<T>(epsilon));
            const T shift = trained[Width + j] - collected[j] * scale;
            for (std::size_t i = 0; i < x.rows(); ++i) {
                y(i, j) = x(i, j) * scale + shift;
            }
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        const auto apply = [&](std::size_t j, const detail::ColumnMoments& moments) {
            for (std::size_t i = 0; i < x.rows(); ++i) {
                const double u = (static_cast<double>(x(i, j)) - moments.mean) * moments.scale;
                y(i, j) = static_cast<T>(u) * trained[j] + trained[Width + j];
            }
        };
        detail::forward_by_moments<BatchNorm>(x, collected, memory, executor, apply);
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> memory, E& executor) {
        // With u the normalized column:  dx = gamma scale (dy - mean(dy) - u mean(dy u)).
        const auto n = static_cast<double>(x.rows());
        executor.for_range(
            x.rows() > 0 ? Width : 0, detail::column_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                for (std::size_t j = begin; j < end; ++j) {
                    const auto normalized = [&](std::size_t i) {
                        return detail::normalized(x(i, j), memory[j], memory[Width + j]);
                    };
                    double sum = 0.0;
                    double product = 0.0;
                    for (std::size_t i = 0; i < x.rows(); ++i) {
                        sum += static_cast<double>(dy(i, j));
                        product += static_cast<double>(dy(i, j)) * normalized(i);
                    }
                    gradient[j] += static_cast<T>(product);
                    gradient[Width + j] += static_cast<T>(sum);
                    const double scale = static_cast<double>(trained[j]) * static_cast<double>(memory[Width + j]);
                    for (std::size_t i = 0; i < dx.rows(); ++i) {
                        const double g = static_cast<double>(dy(i, j)) - sum / n;
                        dx(i, j) = static_cast<T>(scale * (g - normalized(i) * product / n));
                    }
                }
            });
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

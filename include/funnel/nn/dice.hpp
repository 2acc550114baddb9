// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/column_moments.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/loss.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// The activation of Deep Interest Networks: a PReLU whose corner is smooth, and lies at the mean of the column.
///
///     p = sigmoid((x - mean) / sqrt(var + 1e-8));   y = x (p + (1 - p) alpha)
///     training:  mean, var of the column in the batch, var with 1 / n
///                running = 0.9 running + 0.1 batch, there var with 1 / (n - 1)
///     service:   the running mean and variance
///
/// The parameters are alpha, one per column, which start at 0; the statistics are the running mean (0), then the
/// running variance (1). Their names are those of DeepCTR-Torch, whose Dice also scales and shifts before the sigmoid;
/// the paper does not.
///
/// Errors    forward: InvalidArgument for a batch of one row, which has no variance
/// Source    Zhou et al., "Deep interest network for click-through rate prediction", KDD 2018 (section 5.3)
template <std::size_t Width>
    requires(Width > 0)
struct Dice {
    static constexpr const char* name = "Dice";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = Width;
    static constexpr std::size_t statistics = 2 * Width;
    static constexpr std::array tensors{LayerTensor{"alpha", Width},
                                        LayerTensor{.name = "bn.running_mean", .rows = Width, .is_statistic = true},
                                        LayerTensor{.name = "bn.running_var", .rows = Width, .is_statistic = true}};
    static constexpr double epsilon = 1e-8;
    static constexpr double momentum = 0.1;

    /// The mean and 1 / sqrt(var + epsilon) of each column of the batch.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 2 * Width; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& /*random*/) noexcept {
        std::fill(trained.begin(), trained.end(), T{0});
        std::fill(collected.begin(), collected.begin() + Width, T{0});
        std::fill(collected.begin() + Width, collected.end(), T{1});
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> /*scratch*/) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            const T scale = 1 / math::sqrt(collected[Width + j] + static_cast<T>(epsilon));
            apply(x, y, j, collected[j], scale, trained[j]);
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        detail::forward_by_moments<Dice>(x, collected, memory, executor,
                                         [&](std::size_t j, const detail::ColumnMoments&) {
                                             apply(x, y, j, memory[j], memory[Width + j], trained[j]);
                                         });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> memory, E& executor) {
        // With u the normalized column and du its gradient, x gets  dy (p + (1 - p) alpha)  directly, and through u
        // scale (du - mean(du) - u mean(du u)),  as in BatchNorm.
        const auto n = static_cast<double>(x.rows());
        const std::size_t columns = x.rows() > 0 ? Width : 0;
        executor.for_range(columns, detail::column_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t j = begin; j < end; ++j) {
                const auto alpha = static_cast<double>(trained[j]);
                const auto normalized = [&](std::size_t i) {
                    return detail::normalized(x(i, j), memory[j], memory[Width + j]);
                };
                const auto slope = [&](std::size_t i, double p) {
                    return static_cast<double>(dy(i, j)) * static_cast<double>(x(i, j)) * (1.0 - alpha) * p * (1.0 - p);
                };
                double of_alpha = 0.0;
                double sum = 0.0;
                double product = 0.0;
                for (std::size_t i = 0; i < x.rows(); ++i) {
                    const double u = normalized(i);
                    const double p = detail::sigmoid(u);
                    of_alpha += static_cast<double>(dy(i, j)) * static_cast<double>(x(i, j)) * (1.0 - p);
                    sum += slope(i, p);
                    product += slope(i, p) * u;
                }
                gradient[j] += static_cast<T>(of_alpha);
                for (std::size_t i = 0; i < dx.rows(); ++i) {
                    const double u = normalized(i);
                    const double p = detail::sigmoid(u);
                    const double through_u =
                        static_cast<double>(memory[Width + j]) * (slope(i, p) - sum / n - u * product / n);
                    dx(i, j) = static_cast<T>(static_cast<double>(dy(i, j)) * (p + (1.0 - p) * alpha) + through_u);
                }
            }
        });
    }

private:
    template <class T>
    static void apply(MatrixView<const T> x, MatrixView<T> y, std::size_t j, T mean, T scale, T alpha) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            const T p = detail::sigmoid((x(i, j) - mean) * scale);
            y(i, j) = x(i, j) * (p + (T{1} - p) * alpha);
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

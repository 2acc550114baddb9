// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <ratio>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Normalizes each row to mean 0 and variance 1, then scales and shifts each column.
///
///     y = gamma (x - mean(x)) / sqrt(var(x) + epsilon) + beta,   var with 1 / Width
///
/// The parameters are gamma (starts at 1), then beta (starts at 0), as weight and bias of PyTorch's LayerNorm. Epsilon
/// is a std::ratio: 1e-5 is PyTorch's default, BERT and RecBole use 1e-12. It matters for rows of small variance.
///
/// Source    Ba et al., "Layer normalization", 2016
template <std::size_t Width, class Epsilon = std::ratio<1, 100'000>>
    requires(Width > 0)
struct LayerNorm {
    static constexpr const char* name = "LayerNorm";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 2 * Width;
    static constexpr std::size_t statistics = 0;
    static constexpr std::array tensors{LayerTensor{"weight", Width}, LayerTensor{"bias", Width}};
    static constexpr double epsilon = static_cast<double>(Epsilon::num) / static_cast<double>(Epsilon::den);

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> /*collected*/, Random& /*random*/) noexcept {
        std::fill(trained.begin(), trained.begin() + Width, T{1});
        std::fill(trained.begin() + Width, trained.end(), T{0});
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        apply(trained, x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { apply(trained, x, y, begin, end); });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> /*memory*/, E& executor) {
        // With u the normalized row and g = gamma dy:  dx = (g - mean(g) - u mean(g u)) / sqrt(var + epsilon).
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const Moments<T> moments(x.row(i));
                T mean_g{0};
                T mean_gu{0};
                for (std::size_t j = 0; j < Width; ++j) {
                    const T g = trained[j] * dy(i, j);
                    mean_g += g / static_cast<T>(Width);
                    mean_gu += g * moments.normalized(x(i, j)) / static_cast<T>(Width);
                }
                for (std::size_t j = 0; j < Width; ++j) {
                    const T g = trained[j] * dy(i, j);
                    dx(i, j) = (g - mean_g - moments.normalized(x(i, j)) * mean_gu) * moments.scale;
                }
            }
        });
        for (std::size_t i = 0; i < x.rows(); ++i) {
            const Moments<T> moments(x.row(i));
            for (std::size_t j = 0; j < Width; ++j) {
                gradient[j] += dy(i, j) * moments.normalized(x(i, j));
                gradient[Width + j] += dy(i, j);
            }
        }
    }

private:
    template <class T>
    struct Moments {
        T mean{0};
        T scale{0};  // 1 / sqrt(variance + epsilon)

        explicit Moments(std::span<const T> row) noexcept {
            double sum = 0.0;
            for (const T& value : row) {
                sum += static_cast<double>(value);
            }
            const double center = sum / static_cast<double>(Width);
            double squares = 0.0;
            for (const T& value : row) {
                const double gap = static_cast<double>(value) - center;
                squares += gap * gap;
            }
            mean = static_cast<T>(center);
            scale = static_cast<T>(1.0 / math::sqrt(squares / static_cast<double>(Width) + epsilon));
        }

        [[nodiscard]] T normalized(T value) const noexcept { return (value - mean) * scale; }
    };

    template <class T>
    static void apply(std::span<const T> trained, MatrixView<const T> x, MatrixView<T> y, std::size_t begin,
                      std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            const Moments<T> moments(x.row(i));
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = trained[j] * moments.normalized(x(i, j)) + trained[Width + j];
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

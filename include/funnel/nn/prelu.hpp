// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A ReLU whose slope for negative numbers is learned: one for all columns, or one per column.
///
///     y = x for x > 0, else a x
///
/// The parameters are the slopes a, which start at 0.25: the weight of PyTorch's PReLU(Slopes). The derivative at 0 is
/// a.
///
/// Source    He et al., "Delving deep into rectifiers", ICCV 2015
template <std::size_t Width, std::size_t Slopes = 1>
    requires(Width > 0 && (Slopes == 1 || Slopes == Width))
struct PReLU {
    static constexpr const char* name = "PReLU";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = Slopes;
    static constexpr std::size_t statistics = 0;
    static constexpr std::array tensors{LayerTensor{"weight", Slopes}};

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> /*collected*/, Random& /*random*/) noexcept {
        std::fill(trained.begin(), trained.end(), static_cast<T>(0.25));
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
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t j = 0; j < Width; ++j) {
                    dx(i, j) = x(i, j) > T{0} ? dy(i, j) : trained[slope_of(j)] * dy(i, j);
                }
            }
        });
        std::array<double, Slopes> sums{};
        for (std::size_t i = 0; i < x.rows(); ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                sums[slope_of(j)] += x(i, j) > T{0} ? 0.0 : static_cast<double>(x(i, j) * dy(i, j));
            }
        }
        for (std::size_t s = 0; s < Slopes; ++s) {
            gradient[s] += static_cast<T>(sums[s]);
        }
    }

private:
    [[nodiscard]] static constexpr std::size_t slope_of(std::size_t column) noexcept {
        return Slopes == 1 ? 0 : column;
    }

    template <class T>
    static void apply(std::span<const T> trained, MatrixView<const T> x, MatrixView<T> y, std::size_t begin,
                      std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = x(i, j) > T{0} ? x(i, j) : trained[slope_of(j)] * x(i, j);
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

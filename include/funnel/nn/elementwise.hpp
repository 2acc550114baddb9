// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// An activation function: its name, value(x) for each number, and slope(x, y), its derivative at x, where y is
/// value(x).
template <class F>
concept ElementFunction = requires(float x, double z) {
    { F::name } -> std::convertible_to<const char*>;
    { F::value(x) } -> std::same_as<float>;
    { F::slope(x, x) } -> std::same_as<float>;
    { F::value(z) } -> std::same_as<double>;
    { F::slope(z, z) } -> std::same_as<double>;
};

/// The layer that applies a function to each number of rows of length Width.
template <ElementFunction F, std::size_t Width>
struct Elementwise {
    static constexpr const char* name = F::name;
    using Function = F;
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        apply(x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { apply(x, y, begin, end); });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t j = 0; j < Width; ++j) {
                    dx(i, j) = dy(i, j) * F::slope(x(i, j), y(i, j));
                }
            }
        });
    }

private:
    template <class T>
    static void apply(MatrixView<const T> x, MatrixView<T> y, std::size_t begin, std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = F::value(x(i, j));
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

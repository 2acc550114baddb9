// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/nn/row_wise.hpp>

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

namespace detail {

template <ElementFunction F, std::size_t Width>
struct ElementRow {
    static constexpr const char* name = F::name;
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            y[j] = F::value(x[j]);
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> y, std::span<const T> dy, std::span<T> dx) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            dx[j] = dy[j] * F::slope(x[j], y[j]);
        }
    }
};

}  // namespace detail

/// The layer that applies a function to each number of rows of length Width.
template <ElementFunction F, std::size_t Width>
struct Elementwise : detail::RowWise<detail::ElementRow<F, Width>> {
    using Function = F;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

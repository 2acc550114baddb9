// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Scales each row to length 1, so that inner products are cosines.
///
///     y = x / max(|x|, 1e-12);   dx = (dy - y <y, dy>) / |x|
///
/// For |x| < 1e-12, dx = dy / 1e-12. A row of zeros stays zero, and has no gradient.
template <std::size_t Width>
struct L2Normalize {
    static constexpr const char* name = "L2Normalize";
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
        apply<Backend>(x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { apply<Backend>(x, y, begin, end); });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const T length = length_of<Backend>(x.row(i));
                // Shorter rows are only scaled by a constant.
                const bool is_turned = length > static_cast<T>(least_length);
                const T along = is_turned ? detail::dot_of<Backend, T>(y.row(i), dy.row(i)) : T{0};
                const T inverse = length > T{0} ? 1 / std::max(length, static_cast<T>(least_length)) : T{0};
                for (std::size_t j = 0; j < Width; ++j) {
                    dx(i, j) = (dy(i, j) - y(i, j) * along) * inverse;
                }
            }
        });
    }

private:
    static constexpr auto least_length = 1e-12;

    template <kernels::HostBackend Backend, std::floating_point T>
    [[nodiscard]] static T length_of(std::span<const T> row) noexcept {
        return math::sqrt(detail::dot_of<Backend, T>(row, row));
    }

    template <kernels::HostBackend Backend, class T>
    static void apply(MatrixView<const T> x, MatrixView<T> y, std::size_t begin, std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            const T inverse = 1 / std::max(length_of<Backend>(x.row(i)), static_cast<T>(least_length));
            for (std::size_t j = 0; j < Width; ++j) {
                y(i, j) = x(i, j) * inverse;
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/row_wise.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

template <std::size_t Width>
struct UnitRow {
    static constexpr const char* name = "L2Normalize";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        const T inverse = 1 / std::max(length_of<Backend>(x), static_cast<T>(least_length));
        for (std::size_t j = 0; j < Width; ++j) {
            y[j] = x[j] * inverse;
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> y, std::span<const T> dy, std::span<T> dx) noexcept {
        const T length = length_of<Backend>(x);
        // Shorter rows are only scaled by a constant.
        const bool is_turned = length > static_cast<T>(least_length);
        const T along = is_turned ? dot_of<Backend, T>(y, dy) : T{0};
        const T inverse = length > T{0} ? 1 / std::max(length, static_cast<T>(least_length)) : T{0};
        for (std::size_t j = 0; j < Width; ++j) {
            dx[j] = (dy[j] - y[j] * along) * inverse;
        }
    }

private:
    static constexpr auto least_length = 1e-12;

    template <kernels::HostBackend Backend, std::floating_point T>
    [[nodiscard]] static T length_of(std::span<const T> row) noexcept {
        return math::sqrt(dot_of<Backend, T>(row, row));
    }
};

}  // namespace detail

/// Scales each row to length 1, so that inner products are cosines.
///
///     y = x / max(|x|, 1e-12);   dx = (dy - y <y, dy>) / |x|
///
/// For |x| < 1e-12, dx = dy / 1e-12. A row of zeros stays zero, and has no gradient.
template <std::size_t Width>
struct L2Normalize : detail::RowWise<detail::UnitRow<Width>> {};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

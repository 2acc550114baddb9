// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>
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
struct MaskedSoftmaxRow {
    static constexpr const char* name = "MaskedSoftmax";
    static constexpr std::size_t in = 2 * Width;
    static constexpr std::size_t out = Width;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        bool is_empty = true;
        T largest{0};
        for (std::size_t j = 0; j < Width; ++j) {
            if (x[Width + j] != T{0}) {
                largest = is_empty ? x[j] : std::max(largest, x[j]);
                is_empty = false;
            }
        }
        T sum{0};
        for (std::size_t j = 0; j < Width; ++j) {
            y[j] = x[Width + j] != T{0} ? math::exp(x[j] - largest) : T{0};
            sum += y[j];
        }
        for (std::size_t j = 0; j < Width && !is_empty; ++j) {
            y[j] /= sum;
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> /*x*/, std::span<const T> y, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        T mean{0};
        for (std::size_t j = 0; j < Width; ++j) {
            mean += y[j] * dy[j];
        }
        for (std::size_t j = 0; j < Width; ++j) {
            dx[j] = y[j] * (dy[j] - mean);
            dx[Width + j] = T{0};
        }
    }
};

}  // namespace detail

/// Turns the scores of a row into weights that sum to 1. What the mask leaves out has weight 0 and no gradient.
///
///     y_j = exp(x_j) / sum over the k with mask_k != 0 of exp(x_k),   0 if mask_j = 0
///
/// A row whose mask is all 0 gives zeros. The largest score is subtracted first, so scores of any size work. A score
/// that is left out may be anything, also NaN.
///
/// Shapes    rows of 2 Width numbers: scores, then the mask;  gives rows of Width
template <std::size_t Width>
    requires(Width > 0)
struct MaskedSoftmax : detail::RowWise<detail::MaskedSoftmaxRow<Width>> {};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

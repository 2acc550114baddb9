// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

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

template <std::size_t Vectors, std::size_t Width>
struct DotRow {
    static constexpr const char* name = "DotInteraction";
    static constexpr std::size_t in = Vectors * Width;
    static constexpr std::size_t out = Width + Vectors * (Vectors - 1) / 2;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        std::copy_n(x.begin(), Width, y.begin());
        std::size_t pair = Width;
        for (std::size_t a = 1; a < Vectors; ++a) {
            for (std::size_t b = 0; b < a; ++b, ++pair) {
                y[pair] = dot_of<Backend, T>(x.subspan(a * Width, Width), x.subspan(b * Width, Width));
            }
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        std::copy_n(dy.begin(), Width, dx.begin());
        std::fill(dx.begin() + Width, dx.end(), T{0});
        std::size_t pair = Width;
        for (std::size_t a = 1; a < Vectors; ++a) {
            for (std::size_t b = 0; b < a; ++b, ++pair) {
                for (std::size_t k = 0; k < Width; ++k) {
                    dx[a * Width + k] += dy[pair] * x[b * Width + k];
                    dx[b * Width + k] += dy[pair] * x[a * Width + k];
                }
            }
        }
    }
};

}  // namespace detail

/// The first of Vectors vectors of Width numbers, then the inner products of all pairs, in the order of DLRM's
/// reference code: (1, 0), (2, 0), (2, 1), (3, 0), ... torchrec orders them (0, 1), (0, 2), ...: permute its weights.
///
/// Cost      O(rows Vectors^2 Width)
/// Source    Naumov et al., "Deep learning recommendation model for personalization and recommendation systems", 2019
template <std::size_t Vectors, std::size_t Width>
    requires(Vectors > 1 && Width > 0)
struct DotInteraction : detail::RowWise<detail::DotRow<Vectors, Width>> {};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

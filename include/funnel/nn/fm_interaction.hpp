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

namespace detail {

template <std::size_t Fields, std::size_t Width>
struct FMRow {
    static constexpr const char* name = "FMInteraction";
    static constexpr std::size_t in = Fields * Width;
    static constexpr std::size_t out = 1;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        T pairs{0};
        for (std::size_t k = 0; k < Width; ++k) {
            T squares{0};
            for (std::size_t f = 0; f < Fields; ++f) {
                squares += x[f * Width + k] * x[f * Width + k];
            }
            const T sum = sum_of(x, k);
            pairs += sum * sum - squares;
        }
        y[0] = pairs / 2;
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> x, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        for (std::size_t k = 0; k < Width; ++k) {
            const T sum = sum_of(x, k);
            for (std::size_t f = 0; f < Fields; ++f) {
                dx[f * Width + k] = dy[0] * (sum - x[f * Width + k]);
            }
        }
    }

private:
    // The sum over fields of number k of their vectors.
    template <class T>
    [[nodiscard]] static T sum_of(std::span<const T> x, std::size_t k) noexcept {
        T sum{0};
        for (std::size_t f = 0; f < Fields; ++f) {
            sum += x[f * Width + k];
        }
        return sum;
    }
};

}  // namespace detail

/// The sum of the inner products of all pairs of Fields vectors of Width numbers: the second order of a factorization
/// machine.
///
///     y = 1/2 sum over k of (sum over f of e_fk)^2 - sum over f of e_fk^2
///
/// Cost      O(rows Fields Width)
/// Source    Rendle, "Factorization machines", ICDM 2010 (lemma 3.1);  Guo et al., "DeepFM", IJCAI 2017
template <std::size_t Fields, std::size_t Width>
    requires(Fields > 0 && Width > 0)
struct FMInteraction : detail::RowWise<detail::FMRow<Fields, Width>> {};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

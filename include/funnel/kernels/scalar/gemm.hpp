// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <std::floating_point T>
void gemm_nt(Scalar, MatrixView<const T> a, MatrixView<const T> b, std::span<const T> bias, MatrixView<T> c) noexcept {
    for (std::size_t i = 0; i < c.rows(); ++i) {
        for (std::size_t j = 0; j < c.cols(); ++j) {
            T sum = bias.empty() ? T{0} : bias[j];
            for (std::size_t k = 0; k < a.cols(); ++k) {
                sum += a(i, k) * b(j, k);
            }
            c(i, j) = sum;
        }
    }
}

namespace detail {

// c += all rows of b, each times its factor. Four at a time, so that c is written less often.
template <class T, class Factor>
void add_rows(MatrixView<const T> b, const Factor& factor_of, std::span<T> c) noexcept {
    constexpr std::size_t together = 4;
    const std::size_t whole = b.rows() - b.rows() % together;
    for (std::size_t k = 0; k < whole; k += together) {
        const std::array<T, together> factors{factor_of(k), factor_of(k + 1), factor_of(k + 2), factor_of(k + 3)};
        for (std::size_t j = 0; j < c.size(); ++j) {
            T sum = c[j];
            for (std::size_t i = 0; i < together; ++i) {
                sum += factors[i] * b(k + i, j);
            }
            c[j] = sum;
        }
    }
    for (std::size_t k = whole; k < b.rows(); ++k) {
        const T factor = factor_of(k);
        for (std::size_t j = 0; j < c.size(); ++j) {
            c[j] += factor * b(k, j);
        }
    }
}

}  // namespace detail

template <std::floating_point T>
void gemm_nn(Scalar, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) noexcept {
    for (std::size_t i = 0; i < c.rows(); ++i) {
        std::fill(c.row(i).begin(), c.row(i).end(), T{0});
        detail::add_rows<T>(b, [&](std::size_t k) { return a(i, k); }, c.row(i));
    }
}

template <std::floating_point T>
void gemm_tn(Scalar, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) noexcept {
    for (std::size_t i = 0; i < c.rows(); ++i) {
        detail::add_rows<T>(b, [&](std::size_t k) { return a(k, i); }, c.row(i));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

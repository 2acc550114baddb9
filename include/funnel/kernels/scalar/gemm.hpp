// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
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

template <std::floating_point T>
void gemm_nn(Scalar, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) noexcept {
    for (std::size_t i = 0; i < c.rows(); ++i) {
        std::fill(c.row(i).begin(), c.row(i).end(), T{0});
        for (std::size_t k = 0; k < a.cols(); ++k) {
            for (std::size_t j = 0; j < c.cols(); ++j) {
                c(i, j) += a(i, k) * b(k, j);
            }
        }
    }
}

template <std::floating_point T>
void gemm_tn(Scalar, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) noexcept {
    for (std::size_t i = 0; i < c.rows(); ++i) {
        for (std::size_t k = 0; k < a.rows(); ++k) {
            for (std::size_t j = 0; j < c.cols(); ++j) {
                c(i, j) += a(k, i) * b(k, j);
            }
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

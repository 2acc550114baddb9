// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/gemm.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/gemm.hpp>
#endif

#include <concepts>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// The three products that a layer of a neural network needs. Matrices are row-major; rows may be strided. N is a matrix
// as it is, T its transpose. On every backend, each element of a result is one chain of multiply-adds in ascending k.
// So it does not depend on the number of rows and columns: blocks of a result have the same bits as the whole. Backends
// differ in how a multiply-add is rounded: once, or after the product and after the sum.
// Only float has SIMD forms; double always takes the plain loops.

/// c = a b^T + bias: the forward pass of a dense layer with weights b.
///
/// Shapes    a: n x d;  b: m x d;  bias: m, or empty for zeros;  c: n x m, not overlapping the others (not checked)
/// Cost      O(n m d), no allocation
template <HostBackend Backend = DefaultBackend, std::floating_point T>
void gemm_nt(std::type_identity_t<MatrixView<const T>> a, std::type_identity_t<MatrixView<const T>> b,
             std::type_identity_t<std::span<const T>> bias, MatrixView<T> c) noexcept {
    FUNNEL_ASSERT(a.cols() == b.cols() && c.rows() == a.rows() && c.cols() == b.rows());
    FUNNEL_ASSERT(bias.empty() || bias.size() == c.cols());
    gemm_nt(Backend{}, a, b, bias, c);
}

/// c = a b: the gradient of a dense layer's input.
///
/// Shapes    a: n x d;  b: d x m;  c: n x m, not overlapping the others (not checked)
/// Cost      O(n m d), no allocation
template <HostBackend Backend = DefaultBackend, std::floating_point T>
void gemm_nn(std::type_identity_t<MatrixView<const T>> a, std::type_identity_t<MatrixView<const T>> b,
             MatrixView<T> c) noexcept {
    FUNNEL_ASSERT(a.cols() == b.rows() && c.rows() == a.rows() && c.cols() == b.cols());
    gemm_nn(Backend{}, a, b, c);
}

/// c += a^T b: the gradient of a dense layer's weights.
///
/// Shapes    a: n x d;  b: n x m;  c: d x m, not overlapping the others (not checked)
/// Cost      O(n m d), no allocation
template <HostBackend Backend = DefaultBackend, std::floating_point T>
void gemm_tn(std::type_identity_t<MatrixView<const T>> a, std::type_identity_t<MatrixView<const T>> b,
             MatrixView<T> c) noexcept {
    FUNNEL_ASSERT(a.rows() == b.rows() && c.rows() == a.cols() && c.cols() == b.cols());
    gemm_tn(Backend{}, a, b, c);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

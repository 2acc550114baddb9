// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/gemv.hpp>

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Matrix-vector product.
///
///     y = A x
///
/// Shapes    a: n x d;  x: d;  y: n, not overlapping a or x (not checked)
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
void gemv(MatrixView<const float> a, std::span<const float> x, std::span<float> y) noexcept {
    FUNNEL_ASSERT(x.size() == a.cols() && y.size() == a.rows());
    FUNNEL_ASSERT(detail::are_apart(a, y) && detail::are_apart(x, y));
    gemv(Backend{}, a, x, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/gemv.hpp>

#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

/// Matrix times vector.
///
///     y = A x
///
/// Shapes    a: n x d;  x: d;  y: n (not checked), apart from a and x
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
void gemv(MatrixView<const float> a, std::span<const float> x, std::span<float> y) noexcept {
    gemv(Backend{}, a, x, y);
}

}  // namespace funnel::kernels

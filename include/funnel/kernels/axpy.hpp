// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/axpy.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/axpy.hpp>
#endif

#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

/// Adds a multiple of one vector to another.
///
///     y += alpha * x
///
/// Shapes    x: n;  y: n (not checked); they are the same or do not overlap
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[gnu::always_inline]] constexpr void axpy(float alpha, std::span<const float> x, std::span<float> y) noexcept {
    axpy(Backend{}, alpha, x, y);
}

}  // namespace funnel::kernels

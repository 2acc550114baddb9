// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/axpy.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/axpy.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Adds a multiple of one vector to another.
///
///     y += alpha * x
///
/// Shapes    x: n;  y: n, either x itself or not overlapping x (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[gnu::always_inline]] constexpr void axpy(float alpha, std::span<const float> x, std::span<float> y) noexcept {
    FUNNEL_ASSERT(x.size() == y.size() && detail::are_same_or_apart(x, y));
    axpy(Backend{}, alpha, x, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

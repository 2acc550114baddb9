// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scale.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/scale.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Multiplies a vector by a scalar.
///
///     x *= alpha
///
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[gnu::always_inline]] constexpr void scale(float alpha, std::span<float> x) noexcept {
    scale(Backend{}, alpha, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

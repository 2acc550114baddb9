// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/sgd_steps.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/sgd_steps.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// One step of stochastic gradient descent on the difference of two inner products, u . a - u . b, with weight decay.
/// All three results are those of the old vectors.
///
///     u := decay u + step (a - b);   a := decay a + step u;   b := decay b - step u
///
/// Shapes    u: n;  a: n;  b: n, which do not overlap (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[gnu::always_inline]] constexpr void sgd_pair_step(float step, float decay, std::span<float> u, std::span<float> a,
                                                    std::span<float> b) noexcept {
    FUNNEL_ASSERT(u.size() == a.size() && u.size() == b.size());
    sgd_pair_step(Backend{}, step, decay, u, a, b);
}

/// One step of stochastic gradient descent on an inner product, u . a, with weight decay. Both results are those of the
/// old vectors.
///
///     u := decay u + step a;   a := decay a + step u
///
/// Shapes    u: n;  a: n, which do not overlap (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[gnu::always_inline]] constexpr void sgd_step(float step, float decay, std::span<float> u,
                                               std::span<float> a) noexcept {
    FUNNEL_ASSERT(u.size() == a.size());
    sgd_step(Backend{}, step, decay, u, a);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/sigmoid.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/sigmoid.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Logistic function of each element, accurate to a few rounding errors for large |x| as well.
///
///     out[i] = 1 / (1 + exp(-x[i]))
///
/// Shapes    x: n;  out: n, either x itself or not overlapping x (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
void sigmoid(std::span<const float> x, std::span<float> out) noexcept {
    FUNNEL_ASSERT(x.size() == out.size() && detail::are_same_or_apart(x, out));
    sigmoid(Backend{}, x, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/softmax.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/softmax.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Turns scores into probabilities. The largest score is taken off first, so no size of score overflows.
///
///     out[i] = exp(x[i]) / sum over j of exp(x[j])
///
/// Minus infinity gets probability 0; if every score is minus infinity, all are equally likely.
///
/// Shapes    x: n, below infinity, no NaN;  out: n, x itself or apart from it (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
void softmax(std::span<const float> x, std::span<float> out) noexcept {
    FUNNEL_ASSERT(x.size() == out.size() && detail::are_same_or_apart(x, out) && detail::is_below_infinity(x));
    softmax(Backend{}, x, out);
}

/// The same in place.
template <HostBackend Backend = DefaultBackend>
void softmax(std::span<float> x) noexcept {
    softmax<Backend>(std::span<const float>(x), x);
}

/// Logarithm of a sum of exponentials, without overflow.
///
///     log(sum over i of exp(x[i]))
///
/// Shapes    x: n, no NaN (not checked)
/// Returns   minus infinity if there are no elements or all of them are; infinity if one of them is
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float log_sum_exp(std::span<const float> x) noexcept {
    FUNNEL_ASSERT(detail::has_no_nan(x));
    return log_sum_exp(Backend{}, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

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

/// Turns scores into probabilities. The largest score is subtracted first, so that no exponential overflows.
///
///     out[i] = exp(x[i]) / sum over j of exp(x[j])
///
/// A score of minus infinity gets probability 0. If every score is minus infinity, the result is uniform.
///
/// Shapes    x: n, no +infinity, no NaN;  out: n, either x itself or not overlapping x (not checked)
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

/// Logarithm of the sum of exponentials, computed without overflow.
///
///     log(sum over i of exp(x[i]))
///
/// Shapes    x: n, no NaN (not checked)
/// Returns   minus infinity if x is empty or every element is minus infinity; +infinity if any element is +infinity
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float log_sum_exp(std::span<const float> x) noexcept {
    FUNNEL_ASSERT(detail::has_no_nan(x));
    return log_sum_exp(Backend{}, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

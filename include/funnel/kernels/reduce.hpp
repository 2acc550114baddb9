// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/reduce.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/reduce.hpp>
#endif

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Sum of the elements; 0 for an empty span.
///
/// Cost      O(n), no allocation; backends sum in different orders, so results differ by rounding
template <HostBackend Backend = DefaultBackend>
[[nodiscard, gnu::always_inline]] constexpr float sum(std::span<const float> x) noexcept {
    return sum(Backend{}, x);
}

/// The largest element; minus infinity for an empty span.
///
/// Shapes    x: n, no NaN (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr float max(std::span<const float> x) noexcept {
    FUNNEL_ASSERT(detail::has_no_nan(x));
    return max(Backend{}, x);
}

/// Position of the largest element.
///
/// Shapes    x: n, no NaN (not checked)
/// Returns   the smallest position of the maximum; 0 for an empty span; some valid position if x contains a NaN
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr std::size_t argmax(std::span<const float> x) noexcept {
    FUNNEL_ASSERT(detail::has_no_nan(x));
    return argmax(Backend{}, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

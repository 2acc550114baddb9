// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/distance.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/distance.hpp>
#endif

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Squared Euclidean distance.
///
///     |a - b|^2 = sum over i of (a[i] - b[i])^2
///
/// Shapes    a: n;  b: n (not checked)
/// Cost      O(n), no allocation; backends sum in different orders, so results differ by rounding
template <HostBackend Backend = DefaultBackend>
[[nodiscard, gnu::always_inline]] constexpr float squared_l2(std::span<const float> a,
                                                             std::span<const float> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return squared_l2(Backend{}, a, b);
}

/// The same for a length known at compile time. The loop is unrolled and may round differently.
template <HostBackend Backend = DefaultBackend, std::size_t Dim>
    requires(Dim != std::dynamic_extent)
[[nodiscard, gnu::always_inline]] constexpr float squared_l2(std::span<const float, Dim> a,
                                                             std::span<const float, Dim> b) noexcept {
    if constexpr (requires { squared_l2(Backend{}, a, b); }) {
        return squared_l2(Backend{}, a, b);
    } else {  // a backend derived from Simd may overload squared_l2 only for lengths known at run time
        return squared_l2(Backend{}, std::span<const float>(a), std::span<const float>(b));
    }
}

/// Cosine of the angle between two vectors, in one pass.
///
///     a . b / (|a| |b|)
///
/// Shapes    a: n;  b: n (not checked)
/// Returns   a number in [-1, 1], up to rounding; 0 if a vector is zero or its squared length underflows to 0; NaN if a
///           squared length overflows (length above 1.8e19)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard, gnu::always_inline]] inline float cosine(std::span<const float> a, std::span<const float> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return cosine(Backend{}, a, b);
}

/// The same for a length known at compile time. The loop is unrolled and may round differently.
template <HostBackend Backend = DefaultBackend, std::size_t Dim>
    requires(Dim != std::dynamic_extent)
[[nodiscard, gnu::always_inline]] inline float cosine(std::span<const float, Dim> a,
                                                      std::span<const float, Dim> b) noexcept {
    if constexpr (requires { cosine(Backend{}, a, b); }) {
        return cosine(Backend{}, a, b);
    } else {  // a backend derived from Simd may overload cosine only for lengths known at run time
        return cosine(Backend{}, std::span<const float>(a), std::span<const float>(b));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

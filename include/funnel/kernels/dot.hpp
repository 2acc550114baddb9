// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/dot.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/dot.hpp>
#endif

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Inner product.
///
/// Shapes    a: n;  b: n (not checked)
/// Cost      O(n), no allocation; backends sum in different orders, so results differ by rounding
template <HostBackend Backend = DefaultBackend>
[[nodiscard, gnu::always_inline]] constexpr float dot(std::span<const float> a, std::span<const float> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return dot(Backend{}, a, b);
}

/// The same for a length known at compile time. The loop is unrolled and may round differently.
template <HostBackend Backend = DefaultBackend, std::size_t Dim>
    requires(Dim != std::dynamic_extent)
[[nodiscard, gnu::always_inline]] constexpr float dot(std::span<const float, Dim> a,
                                                      std::span<const float, Dim> b) noexcept {
    if constexpr (requires { dot(Backend{}, a, b); }) {
        return dot(Backend{}, a, b);
    } else {  // a backend derived from Simd may overload dot only for lengths known at run time
        return dot(Backend{}, std::span<const float>(a), std::span<const float>(b));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

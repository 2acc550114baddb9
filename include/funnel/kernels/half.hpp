// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/scalar/half.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/half.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Rounds floats to floats of 16 bits.
///
///     out[i] = H::nearest(from[i])
///
/// Shapes    from: n;  out: n or more, not overlapping from (not checked)
/// Cost      O(n), no allocation; all backends give the same bits
template <HostBackend Backend = DefaultBackend, HalfFloat H>
void to_half(std::span<const float> from, std::span<H> out) noexcept {
    FUNNEL_ASSERT(out.size() >= from.size());
    to_half(Backend{}, from, out);
}

/// The values of floats of 16 bits.
///
///     out[i] = from[i].value()
///
/// Shapes    from: n;  out: n or more, not overlapping from (not checked)
/// Cost      O(n), no allocation; exact, so that all backends give the same bits
template <HostBackend Backend = DefaultBackend, HalfFloat H>
void to_float(std::span<const H> from, std::span<float> out) noexcept {
    FUNNEL_ASSERT(out.size() >= from.size());
    to_float(Backend{}, from, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

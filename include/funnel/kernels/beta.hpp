// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/beta.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/beta.hpp>
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Draws one number of each beta distribution, with the same bits on every backend and machine.
///
///     out[i] ~ Beta(a[i], b[i]) = X / (X + Y),   X ~ Gamma(a[i]), Y ~ Gamma(b[i])
///
/// Attempt t of draw i uses the Philox block with the counter (i, low half of step, high half of step, t) and no other.
/// So a draw depends on nothing but key, step, i, a[i] and b[i]. Draws are floats: spreads below 1e-6 of the value are
/// not resolved, values closer than 3e-8 to 1 become 1, and values below 1e-37 become 0; see beta_logit.
///
/// Shapes    a, b: n, in [1e-6, 2^54];  out: n <= 2^32, apart from a and b (not checked)
/// Cost      O(n): about 1.1 attempts per draw, 1.9 if a = b = 1; no allocation
/// Source    Marsaglia and Tsang, "A simple method for generating gamma variables", TOMS 2000
template <HostBackend Backend = DefaultBackend>
void beta(std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key, std::uint64_t step,
          std::span<float> out) noexcept {
    FUNNEL_ASSERT(a.size() == out.size() && b.size() == out.size());
    beta(Backend{}, a, b, key, step, out);
}

/// As beta, but log(x / (1 - x)) of each draw x. It has the same order and never rounds to an end of the range, also
/// for shapes far below 1. Compare draws by it.
///
/// Shapes, Cost    as beta
template <HostBackend Backend = DefaultBackend>
void beta_logit(std::span<const float> a, std::span<const float> b, std::array<std::uint32_t, 2> key,
                std::uint64_t step, std::span<float> out) noexcept {
    FUNNEL_ASSERT(a.size() == out.size() && b.size() == out.size());
    beta_logit(Backend{}, a, b, key, step, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

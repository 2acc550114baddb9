// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scores_not_below.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/scores_not_below.hpp>
#endif

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The scores that are not below a threshold, with their positions, ascending. NaN is not below.
///
/// Shapes    scores: n;  out: n or more, of which the rest keeps its values
/// Returns   their number
/// Cost      O(n), no allocation; all backends give the same result
template <HostBackend Backend = DefaultBackend>
std::size_t scores_not_below(std::span<const float> scores, float threshold, std::span<Scored<>> out) noexcept {
    FUNNEL_ASSERT(out.size() >= scores.size());
    return scores_not_below(Backend{}, scores, threshold, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

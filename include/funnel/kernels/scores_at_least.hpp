// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scores_at_least.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/scores_at_least.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The scores at or above a threshold, from the integer sums of pq_scan or fast_scan.
///
///     score i = scale * sums[i] + offset - penalties[i]
///
/// Shapes    sums: n;  penalties: n, or none;  positions, scores: n or more
/// Returns   the number of scores that are at least the threshold; their positions, ascending, and scores come first
///           in the outputs, and the rest of the outputs keeps its values
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
std::size_t scores_at_least(std::span<const std::uint16_t> sums, float scale, float offset,
                            std::span<const float> penalties, float threshold, std::span<std::uint32_t> positions,
                            std::span<float> scores) noexcept {
    FUNNEL_ASSERT(penalties.empty() || penalties.size() == sums.size());
    FUNNEL_ASSERT(positions.size() >= sums.size() && scores.size() >= sums.size());
    return scores_at_least(Backend{}, sums, scale, offset, penalties, threshold, positions, scores);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/feature_blocks.hpp>
#include <funnel/kernels/scalar/nearest_rows.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/nearest_rows.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The nearest row of a matrix for each of many vectors, which stand transposed in blocks: element j of vector i of a
/// block is block[j w + i], so that one load serves w vectors, and no sum runs across lanes.
///
///     nearest[i] = the row r with the highest <vector i, row r> - offset[r]
///
/// With half the squared length of a row as its offset, this is the row at the smallest Euclidean distance.
///
/// Shapes    blocks: b blocks of d x w, where w is feature_block_width<Backend>();  rows: n x d, 1 <= n <= 2^24;
///           offset: n;  score, nearest: b w (not checked)
/// Returns   in score, the score of that row; ties go to the smaller row
/// Cost      O(b w n d), no allocation. Results do not depend on the number of blocks that are passed together
template <HostBackend Backend = DefaultBackend>
void nearest_rows(std::span<const float> blocks, MatrixView<const float> rows, std::span<const float> offset,
                  std::span<float> score, std::span<std::uint32_t> nearest) noexcept {
    FUNNEL_ASSERT(score.size() % feature_block_width<Backend>() == 0 && nearest.size() == score.size());
    FUNNEL_ASSERT(blocks.size() == score.size() * rows.cols() && offset.size() == rows.rows());
    FUNNEL_ASSERT(rows.rows() >= 1 && rows.rows() <= std::size_t{1} << 24);
    nearest_rows(Backend{}, blocks, rows, offset, score, nearest);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

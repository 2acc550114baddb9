// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/feature_blocks.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/feature_blocks.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

// A block of features holds the vectors of `width` candidates, transposed: element j of candidate i is
// block[j * width + i]. One load then serves all candidates, and no sum runs across lanes.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The number of candidates per block that suits a backend: the lanes of its vectors, at most widest_feature_block.
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr std::size_t feature_block_width() noexcept {
    return feature_block_width(Backend{});
}

/// Fills a block: candidate i of the block is row candidates[i] of the features.
///
/// Shapes    features: n x d;  candidates: w, which is feature_block_width<Backend>(), each < n;  block: d x w
///           (not checked)
/// Cost      O(d w), no allocation
template <HostBackend Backend = DefaultBackend>
void pack_features(MatrixView<const float> features, std::span<const std::uint32_t> candidates,
                   std::span<float> block) noexcept {
    FUNNEL_ASSERT(candidates.size() == feature_block_width<Backend>());
    FUNNEL_ASSERT(block.size() == features.cols() * candidates.size());
    pack_features(Backend{}, features, candidates, block);
}

/// What remains of the squared lengths of a block after projections on orthonormal vectors.
///
///     residual[i] -= (scale[i] * <vector, candidate i>)^2   for each vector
///
/// Shapes    block: d x w;  vectors: m x d;  scale, weight, residual: w, which is feature_block_width<Backend>()
///           (not checked)
/// Returns   the largest weight[i] * residual[i]
/// Cost      O(m d w), no allocation. A dot is the sum of at least four partial sums, whatever the backend, so its
///           error is at most (d / 4 + 4) 2^-24 times the product of the lengths
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float subtract_squared_dots(std::span<const float> block, MatrixView<const float> vectors,
                                          std::span<const float> scale, std::span<const float> weight,
                                          std::span<float> residual) noexcept {
    FUNNEL_ASSERT(residual.size() == feature_block_width<Backend>() && scale.size() == residual.size());
    FUNNEL_ASSERT(weight.size() == residual.size() && block.size() == vectors.cols() * residual.size());
    return subtract_squared_dots(Backend{}, block, vectors, scale, weight, residual);
}

/// The highest similarity of each candidate of a block to any vector so far.
///
///     highest[i] = max(highest[i], scale[i] * <vector, candidate i>)   for each vector
///
/// Shapes    as above;  offset, highest: w (not checked)
/// Returns   the largest offset[i] - factor * highest[i]
/// Cost      as above
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float raise_to_dots(std::span<const float> block, MatrixView<const float> vectors,
                                  std::span<const float> scale, std::span<const float> offset, float factor,
                                  std::span<float> highest) noexcept {
    FUNNEL_ASSERT(highest.size() == feature_block_width<Backend>() && scale.size() == highest.size());
    FUNNEL_ASSERT(offset.size() == highest.size() && block.size() == vectors.cols() * highest.size());
    return raise_to_dots(Backend{}, block, vectors, scale, offset, factor, highest);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

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

// A block is a list of `width` candidates: candidate i of it is row block[i] of the features. Several rows and several
// vectors are taken at a time, so that each load feeds several products.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The number of candidates per block that suits a backend: the lanes of its vectors, at most widest_feature_block.
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr std::size_t feature_block_width() noexcept {
    return feature_block_width(Backend{});
}

/// What remains of the squared lengths of a block after projections on orthonormal vectors.
///
///     residual[i] -= (scale[i] * <vector, candidate i>)^2   for each vector
///
/// Shapes    features: n x d;  block: w, which is feature_block_width<Backend>(), each < n;  vectors: m x d;  scale,
///           weight, residual: w (not checked)
/// Returns   the largest weight[i] * residual[i]
/// Cost      O(m d w), no allocation. A dot is the sum of at least four partial sums, whatever the backend, so its
///           error is at most (d / 4 + 4) 2^-24 times the product of the lengths
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float subtract_squared_dots(MatrixView<const float> features, std::span<const std::uint32_t> block,
                                          MatrixView<const float> vectors, std::span<const float> scale,
                                          std::span<const float> weight, std::span<float> residual) noexcept {
    FUNNEL_ASSERT(residual.size() == feature_block_width<Backend>() && scale.size() == residual.size());
    FUNNEL_ASSERT(features.cols() == vectors.cols());
    FUNNEL_ASSERT(weight.size() == residual.size() && block.size() == residual.size());
    return subtract_squared_dots(Backend{}, features, block, vectors, scale, weight, residual);
}

/// The highest similarity of each candidate of a block to any vector so far.
///
///     highest[i] = max(highest[i], scale[i] * <vector, candidate i>)   for each vector
///
/// Shapes    as above;  offset, highest: w (not checked)
/// Returns   the largest offset[i] - factor * highest[i]
/// Cost      as above
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float raise_to_dots(MatrixView<const float> features, std::span<const std::uint32_t> block,
                                  MatrixView<const float> vectors, std::span<const float> scale,
                                  std::span<const float> offset, float factor, std::span<float> highest) noexcept {
    FUNNEL_ASSERT(highest.size() == feature_block_width<Backend>() && scale.size() == highest.size());
    FUNNEL_ASSERT(features.cols() == vectors.cols());
    FUNNEL_ASSERT(offset.size() == highest.size() && block.size() == highest.size());
    return raise_to_dots(Backend{}, features, block, vectors, scale, offset, factor, highest);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

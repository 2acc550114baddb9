// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The widest block of features that a kernel accepts.
inline constexpr std::size_t widest_feature_block = 16;

[[nodiscard]] constexpr std::size_t feature_block_width(Scalar) noexcept {
    return widest_feature_block;
}

namespace detail {

// dots[i] = <vector, row block[i]>, in four partial sums.
[[nodiscard]] constexpr std::array<float, widest_feature_block> block_dots(MatrixView<const float> features,
                                                                           std::span<const std::uint32_t> block,
                                                                           std::span<const float> vector) noexcept {
    std::array<float, widest_feature_block> dots{};
    for (std::size_t i = 0; i < block.size(); ++i) {
        const std::span<const float> row = features.row(block[i]);
        std::array<float, 4> sums{};
        for (std::size_t j = 0; j < vector.size(); ++j) {
            sums[j % 4] += vector[j] * row[j];
        }
        dots[i] = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    }
    return dots;
}

}  // namespace detail

constexpr float subtract_squared_dots(Scalar, MatrixView<const float> features, std::span<const std::uint32_t> block,
                                      MatrixView<const float> vectors, std::span<const float> scale,
                                      std::span<const float> weight, std::span<float> residual) noexcept {
    const std::size_t width = residual.size();
    for (std::size_t v = 0; v < vectors.rows(); ++v) {
        const auto dots = detail::block_dots(features, block, vectors.row(v));
        for (std::size_t i = 0; i < width; ++i) {
            const float dot = scale[i] * dots[i];
            residual[i] -= dot * dot;
        }
    }
    float largest = std::numeric_limits<float>::lowest();
    for (std::size_t i = 0; i < width; ++i) {
        largest = std::max(largest, weight[i] * residual[i]);
    }
    return largest;
}

constexpr float raise_to_dots(Scalar, MatrixView<const float> features, std::span<const std::uint32_t> block,
                              MatrixView<const float> vectors, std::span<const float> scale,
                              std::span<const float> offset, float factor, std::span<float> highest) noexcept {
    const std::size_t width = highest.size();
    for (std::size_t v = 0; v < vectors.rows(); ++v) {
        const auto dots = detail::block_dots(features, block, vectors.row(v));
        for (std::size_t i = 0; i < width; ++i) {
            highest[i] = std::max(highest[i], scale[i] * dots[i]);
        }
    }
    float largest = std::numeric_limits<float>::lowest();
    for (std::size_t i = 0; i < width; ++i) {
        largest = std::max(largest, offset[i] - factor * highest[i]);
    }
    return largest;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

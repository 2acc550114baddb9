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

// dots[i] = <vector, column i of the block>, in four partial sums.
[[nodiscard]] constexpr std::array<float, widest_feature_block> block_dots(std::span<const float> block,
                                                                           std::span<const float> vector,
                                                                           std::size_t width) noexcept {
    std::array<std::array<float, widest_feature_block>, 4> sums{};
    for (std::size_t j = 0; j < vector.size(); ++j) {
        for (std::size_t i = 0; i < width; ++i) {
            sums[j % 4][i] += vector[j] * block[j * width + i];
        }
    }
    std::array<float, widest_feature_block> dots{};
    for (std::size_t i = 0; i < width; ++i) {
        dots[i] = (sums[0][i] + sums[1][i]) + (sums[2][i] + sums[3][i]);
    }
    return dots;
}

}  // namespace detail

constexpr void pack_features(Scalar, MatrixView<const float> features, std::span<const std::uint32_t> candidates,
                             std::span<float> block) noexcept {
    const std::size_t width = candidates.size();
    for (std::size_t i = 0; i < width; ++i) {
        const std::span<const float> row = features.row(candidates[i]);
        for (std::size_t j = 0; j < row.size(); ++j) {
            block[j * width + i] = row[j];
        }
    }
}

constexpr float subtract_squared_dots(Scalar, std::span<const float> block, MatrixView<const float> vectors,
                                      std::span<const float> scale, std::span<const float> weight,
                                      std::span<float> residual) noexcept {
    const std::size_t width = residual.size();
    for (std::size_t v = 0; v < vectors.rows(); ++v) {
        const auto dots = detail::block_dots(block, vectors.row(v), width);
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

constexpr float raise_to_dots(Scalar, std::span<const float> block, MatrixView<const float> vectors,
                              std::span<const float> scale, std::span<const float> offset, float factor,
                              std::span<float> highest) noexcept {
    const std::size_t width = highest.size();
    for (std::size_t v = 0; v < vectors.rows(); ++v) {
        const auto dots = detail::block_dots(block, vectors.row(v), width);
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

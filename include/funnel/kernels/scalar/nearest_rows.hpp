// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/feature_blocks.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void nearest_rows(Scalar, std::span<const float> blocks, MatrixView<const float> rows,
                         std::span<const float> offset, std::span<float> score,
                         std::span<std::uint32_t> nearest) noexcept {
    constexpr std::size_t width = widest_feature_block;
    for (std::size_t first = 0; first < score.size(); first += width) {
        const float* const block = blocks.data() + first * rows.cols();
        std::array<float, width> best;
        std::array<std::uint32_t, width> position{};
        best.fill(std::numeric_limits<float>::lowest());
        for (std::size_t r = 0; r < rows.rows(); ++r) {
            const std::span<const float> row = rows.row(r);
            std::array<float, width> sums{};
            for (std::size_t j = 0; j < row.size(); ++j) {
                for (std::size_t i = 0; i < width; ++i) {
                    sums[i] += block[j * width + i] * row[j];
                }
            }
            for (std::size_t i = 0; i < width; ++i) {
                const float candidate = sums[i] - offset[r];
                position[i] = candidate > best[i] ? static_cast<std::uint32_t>(r) : position[i];
                best[i] = std::max(best[i], candidate);
            }
        }
        std::copy(best.begin(), best.end(), score.begin() + static_cast<std::ptrdiff_t>(first));
        std::copy(position.begin(), position.end(), nearest.begin() + static_cast<std::ptrdiff_t>(first));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

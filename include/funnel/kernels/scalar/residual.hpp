// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void add_residual(Scalar, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                         std::span<const float> weights, std::span<const float> targets, std::span<const float> x,
                         std::span<float> out) noexcept {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::span<const float> row = a.row(ids[i]);
        float sum = 0.0F;
        for (std::size_t j = 0; j < row.size(); ++j) {
            sum += row[j] * x[j];
        }
        const float factor = (targets.empty() ? 0.0F : targets[i]) - weights[i] * sum;
        for (std::size_t j = 0; j < row.size(); ++j) {
            out[j] += factor * row[j];
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

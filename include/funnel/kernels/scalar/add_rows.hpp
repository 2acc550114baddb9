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

inline void add_rows(Scalar, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                     std::span<const float> factors, std::span<float> out) noexcept {
    constexpr std::size_t together = 4;  // so that out is written less often
    std::size_t i = 0;
    for (; i + together <= ids.size(); i += together) {
        for (std::size_t j = 0; j < out.size(); ++j) {
            float sum = out[j];
            for (std::size_t k = 0; k < together; ++k) {
                sum += factors[i + k] * a(ids[i + k], j);
            }
            out[j] = sum;
        }
    }
    for (; i < ids.size(); ++i) {
        for (std::size_t j = 0; j < out.size(); ++j) {
            out[j] += factors[i] * a(ids[i], j);
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

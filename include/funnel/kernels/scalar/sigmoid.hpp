// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void sigmoid(Scalar, std::span<const float> x, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
        const float small = math::exp(-math::abs(x[i]));  // in [0, 1], cannot overflow
        out[i] = (x[i] < 0.0F ? small : 1.0F) / (1.0F + small);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

constexpr void scale(Scalar, float alpha, std::span<float> x) noexcept {
    for (float& element : x) {
        element *= alpha;
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

constexpr void scale(Scalar, float alpha, std::span<float> x) noexcept {
    for (float& element : x) {
        element *= alpha;
    }
}

}  // namespace funnel::kernels

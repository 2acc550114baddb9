// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

constexpr void axpy(Scalar, float alpha, std::span<const float> x, std::span<float> y) noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] += alpha * x[i];
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

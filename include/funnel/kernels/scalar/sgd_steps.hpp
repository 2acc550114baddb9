// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

constexpr void sgd_pair_step(Scalar, float step, float decay, std::span<float> u, std::span<float> a,
                             std::span<float> b) noexcept {
    for (std::size_t i = 0; i < u.size(); ++i) {
        const float before = u[i];
        u[i] = decay * before + step * (a[i] - b[i]);
        a[i] = decay * a[i] + step * before;
        b[i] = decay * b[i] - step * before;
    }
}

constexpr void sgd_step(Scalar, float step, float decay, std::span<float> u, std::span<float> a) noexcept {
    for (std::size_t i = 0; i < u.size(); ++i) {
        const float before = u[i];
        u[i] = decay * before + step * a[i];
        a[i] = decay * a[i] + step * before;
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

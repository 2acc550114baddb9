// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <HalfFloat H>
void to_half(Scalar, std::span<const float> from, std::span<H> out) noexcept {
    for (std::size_t i = 0; i < from.size(); ++i) {
        out[i] = H::nearest(from[i]);
    }
}

template <HalfFloat H>
void to_float(Scalar, std::span<const H> from, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < from.size(); ++i) {
        out[i] = from[i].value();
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

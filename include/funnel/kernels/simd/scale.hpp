// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scale.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/fill.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch>
[[gnu::always_inline]] inline void scale(Simd<Arch>, float alpha, std::span<float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch factor(alpha);
    const std::size_t filled = simd::fill<Arch>(
        x, [&](std::size_t i) __attribute__((always_inline)) { return factor * Batch::load_unaligned(x.data() + i); });
    if (filled < x.size()) {
        scale(simd::Shorter<Arch>{}, alpha, x.subspan(filled));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

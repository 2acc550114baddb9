// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/axpy.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/fill.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch>
[[gnu::always_inline]] inline void axpy(Simd<Arch>, float alpha, std::span<const float> x,
                                        std::span<float> y) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch factor(alpha);
    const std::size_t filled = simd::fill<Arch>(y, [&](std::size_t i) __attribute__((always_inline)) {
        return simd::fma<Arch>(factor, Batch::load_unaligned(x.data() + i), Batch::load_unaligned(y.data() + i));
    });
    if (filled < y.size()) {
        axpy(simd::Shorter<Arch>{}, alpha, x.subspan(filled), y.subspan(filled));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

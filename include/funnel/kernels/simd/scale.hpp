// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scale.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

template <class Arch>
void scale(Simd<Arch>, float alpha, std::span<float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch factor(alpha);
    std::size_t i = 0;
    for (; x.size() - i >= Batch::size; i += Batch::size) {
        (factor * Batch::load_unaligned(x.data() + i)).store_unaligned(x.data() + i);
    }
    scale(Scalar{}, alpha, x.subspan(i));
}

}  // namespace funnel::kernels

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/axpy.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

template <class Arch>
void axpy(Simd<Arch>, float alpha, std::span<const float> x, std::span<float> y) noexcept {
    using Batch = simd::Batch<Arch>;
    const Batch factor(alpha);
    std::size_t i = 0;
    for (; x.size() - i >= Batch::size; i += Batch::size) {
        simd::fma<Arch>(factor, Batch::load_unaligned(x.data() + i), Batch::load_unaligned(y.data() + i))
            .store_unaligned(y.data() + i);
    }
    axpy(Scalar{}, alpha, x.subspan(i), y.subspan(i));
}

}  // namespace funnel::kernels

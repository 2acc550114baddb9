// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <class Arch>
void sigmoid(Simd<Arch>, std::span<const float> x, std::span<float> out) noexcept {
    using Batch = simd::Batch<Arch>;
    const auto sigmoid_of = [](const Batch& elements) {
        const Batch one(1.0F);
        const Batch small = xsimd::exp(-xsimd::abs(elements));
        return xsimd::select(elements < Batch(0.0F), small, one) / (one + small);
    };
    std::size_t i = 0;
    for (; x.size() - i >= Batch::size; i += Batch::size) {
        sigmoid_of(Batch::load_unaligned(x.data() + i)).store_unaligned(out.data() + i);
    }
    if (i < x.size()) {
        const std::size_t count = x.size() - i;
        simd::store_first<Arch>(sigmoid_of(simd::load_first<Arch>(x.data() + i, count)), out.data() + i, count);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

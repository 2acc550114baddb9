// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// Fills out with full batches: stores batch_at(i) at position i. batch_at(i) may read out[i ... i + lanes), but no
/// other part of out. Returns the number of elements written. The values do not depend on the alignment of out.
template <class Arch, class BatchAt>
[[gnu::always_inline]] inline std::size_t fill(std::span<float> out, BatchAt batch_at) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    constexpr std::size_t unrolled = 4;
    std::size_t i = 0;
    if (out.size() < 16 * lanes) {
        for (; out.size() - i >= lanes; i += lanes) {
            batch_at(i).store_unaligned(out.data() + i);
        }
        return i;
    }
    // Stores that cross a cache line run at half speed, so all batches except the first and the last are aligned.
    // These two overlap their neighbours, so the first, second and last batches are read before anything is written.
    const std::size_t second = lanes - reinterpret_cast<std::uintptr_t>(out.data()) / sizeof(float) % lanes;
    const std::size_t last = out.size() - lanes;
    const Batch<Arch> at_front = batch_at(0);
    const Batch<Arch> at_second = batch_at(second);
    const Batch<Arch> at_last = batch_at(last);
    at_front.store_unaligned(out.data());
    at_second.store_aligned(out.data() + second);
    for (i = second + lanes; i + unrolled * lanes < last; i += unrolled * lanes) {
        unroll<unrolled>([&](auto k) __attribute__((always_inline)) {
            batch_at(i + k * lanes).store_aligned(out.data() + i + k * lanes);
        });
    }
    for (; i < last; i += lanes) {
        batch_at(i).store_aligned(out.data() + i);
    }
    at_last.store_unaligned(out.data() + last);
    return out.size();
}

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

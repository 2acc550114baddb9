// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/simd/batch.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// Fills out with full batches, batch_at(i) at position i, which may depend on out[i ... i + lanes) but on no more of
/// out. Returns how many elements that makes. What an element becomes does not depend on how out is aligned.
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
    // A batch across two cache lines is stored at half speed: all but the first and the last begin where a line does.
    // These two overlap with their neighbours, so they and the second are read before anything is written.
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/softmax.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/reduce.hpp>
#include <funnel/kernels/simd/scale.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

// Calls step(i, count, exp(x[i ...] - shift)) for each full batch, and once for the remaining count < lanes elements,
// where only the first count lanes are valid. Returns the sum of all exponentials.
template <class Arch, class Step>
[[nodiscard, gnu::always_inline]] inline float sum_of_exponentials(std::span<const float> x, float shift,
                                                                   Step step) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    const Batch<Arch> shifts(shift);
    Batch<Arch> total(0.0F);
    std::size_t i = 0;
    for (; x.size() - i >= lanes; i += lanes) {
        const Batch<Arch> exponentials = xsimd::exp(Batch<Arch>::load_unaligned(x.data() + i) - shifts);
        total += exponentials;
        step(i, lanes, exponentials);
    }
    float sum = sum_of_lanes<Arch>(total);
    if (i < x.size()) {
        const std::size_t count = x.size() - i;
        const Batch<Arch> exponentials = xsimd::exp(load_first<Arch>(x.data() + i, count) - shifts);
        alignas(64) std::array<float, lanes> left;
        exponentials.store_aligned(left.data());
        for (std::size_t j = 0; j < count; ++j) {
            sum += left[j];
        }
        step(i, count, exponentials);
    }
    return sum;
}

}  // namespace simd

template <class Arch>
void softmax(Simd<Arch> backend, std::span<const float> x, std::span<float> out) noexcept {
    const float largest = max(backend, x);
    if (math::is_inf(largest) && largest < 0.0F) {  // -ffast-math may drop == with infinity
        return softmax(Scalar{}, x, out);
    }
    const float total = simd::sum_of_exponentials<Arch>(
        x, largest, [&](std::size_t i, std::size_t count, const simd::Batch<Arch>& exponentials) {
            if (count == simd::Batch<Arch>::size) {
                exponentials.store_unaligned(out.data() + i);
            } else {
                simd::store_first<Arch>(exponentials, out.data() + i, count);
            }
        });
    scale(backend, 1.0F / total, out);
}

template <class Arch>
[[nodiscard]] float log_sum_exp(Simd<Arch> backend, std::span<const float> x) noexcept {
    const float largest = max(backend, x);
    if (math::is_inf(largest)) {
        return largest;
    }
    const auto nothing = [](std::size_t, std::size_t, const simd::Batch<Arch>&) {};
    return largest + math::log(simd::sum_of_exponentials<Arch>(x, largest, nothing));
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

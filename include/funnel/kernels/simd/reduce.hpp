// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/reduce.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/sums.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

namespace funnel::inline FUNNEL_ABI::kernels {

namespace simd {

struct Elements {
    static constexpr std::size_t count = 1;

    template <class Arch>
    [[gnu::always_inline]] static void add(Batch<Arch>* sums, const Batch<Arch>& x, const Batch<Arch>&) noexcept {
        sums[0] += x;
    }
};

}  // namespace simd

template <class Arch>
[[nodiscard]] inline float sum(Simd<Arch>, std::span<const float> x) noexcept {
    return simd::sums_of<simd::Elements, Arch, std::dynamic_extent, 1>(x.data(), {x.data()}, x.size())[0];
}

template <class Arch>
[[nodiscard]] inline float max(Simd<Arch>, std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    if (x.size() < lanes) {
        return max(Scalar{}, x);
    }
    // The last batch overlaps the one before it, which does no harm to a maximum.
    const std::size_t last = x.size() - lanes;
    std::array<Batch, simd::groups> largest;
    simd::unroll<simd::groups>(
        [&](auto group) __attribute__((always_inline)) { largest[group] = Batch::load_unaligned(x.data() + last); });
    std::size_t i = 0;
    for (; x.size() - i >= simd::groups * lanes; i += simd::groups * lanes) {
        simd::unroll<simd::groups>([&](auto group) __attribute__((always_inline)) {
            largest[group] = xsimd::max(largest[group], Batch::load_unaligned(x.data() + i + group * lanes));
        });
    }
    for (; i < last; i += lanes) {
        largest[0] = xsimd::max(largest[0], Batch::load_unaligned(x.data() + i));
    }
    return simd::max_of_lanes<Arch>(xsimd::max(xsimd::max(largest[0], largest[1]), xsimd::max(largest[2], largest[3])));
}

template <class Arch>
[[nodiscard]] inline std::size_t argmax(Simd<Arch> backend, std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    const float largest = max(backend, x);
    std::size_t i = 0;
    while (x.size() - i >= Batch::size && !xsimd::any(Batch::load_unaligned(x.data() + i) == Batch(largest))) {
        i += Batch::size;
    }
    return static_cast<std::size_t>(std::find(x.begin() + static_cast<std::ptrdiff_t>(i), x.end(), largest) -
                                    x.begin());
}

}  // namespace funnel::kernels

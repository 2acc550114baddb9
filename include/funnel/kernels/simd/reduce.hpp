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

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

struct Elements {
    static constexpr std::size_t count = 1;

    template <class Arch>
    [[gnu::always_inline]] static void set(Batch<Arch>* sums, const Batch<Arch>& x, const Batch<Arch>&) noexcept {
        sums[0] = x;
    }
    template <class Arch>
    [[gnu::always_inline]] static void add(Batch<Arch>* sums, const Batch<Arch>& x, const Batch<Arch>&) noexcept {
        sums[0] += x;
    }
};

}  // namespace simd

template <class Arch>
[[nodiscard, gnu::always_inline]] inline float sum(Simd<Arch>, std::span<const float> x) noexcept {
    return simd::sums_of<simd::Elements, Arch, std::dynamic_extent, 1>(x.data(), {x.data()}, x.size())[0];
}

template <class Arch>
[[nodiscard]] inline float max(Simd<Arch>, std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    constexpr std::size_t block = simd::groups * lanes;
    if (x.size() < lanes) {
        return max(Scalar{}, x);
    }
    // The last batch overlaps the one before it, which does not change a maximum.
    const std::size_t last = x.size() - lanes;
    Batch largest = Batch::load_unaligned(x.data() + last);
    std::size_t i = 0;
    if (x.size() >= block) {
        std::array<Batch, simd::groups> of_group;
        of_group.fill(largest);
        for (; x.size() - i >= block; i += block) {
            simd::unroll<simd::groups>([&](auto group) __attribute__((always_inline)) {
                of_group[group] = xsimd::max(of_group[group], Batch::load_unaligned(x.data() + i + group * lanes));
            });
        }
        largest = xsimd::max(xsimd::max(of_group[0], of_group[1]), xsimd::max(of_group[2], of_group[3]));
    }
    for (; i < last; i += lanes) {
        largest = xsimd::max(largest, Batch::load_unaligned(x.data() + i));
    }
    return simd::max_of_lanes<Arch>(largest);
}

template <class Arch>
[[nodiscard]] inline std::size_t argmax(Simd<Arch> backend, std::span<const float> x) noexcept {
    using Batch = simd::Batch<Arch>;
    if (x.size() < 2 * Batch::size) {  // here one scalar pass is cheaper than two SIMD passes
        return argmax(Scalar{}, x);
    }
    const float largest = max(backend, x);
    std::size_t i = 0;
    while (x.size() - i >= Batch::size && !xsimd::any(Batch::load_unaligned(x.data() + i) == Batch(largest))) {
        i += Batch::size;
    }
    const auto found = std::find(x.begin() + static_cast<std::ptrdiff_t>(i), x.end(), largest);
    return found == x.end() ? 0 : static_cast<std::size_t>(found - x.begin());  // not found: x contains a NaN
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

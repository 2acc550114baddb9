// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>

// xsimd has no products of bfloat16, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// Products of pairs of BFloat16 that are added to floats. Has specializations for processors with such an instruction.
template <class Arch>
struct BFloat16Products;

#if defined(__AVX512BF16__)
template <class Arch>
    requires is_avx512<Arch>
struct BFloat16Products<Arch> {
    /// Rounds n floats to BFloat16, in pairs, and fills up the last 16 pairs with zeros.
    static void round(const float* from, std::size_t n, std::uint32_t* to) noexcept {
        for (std::size_t i = 0; i < n; i += 32) {
            const Batch<Arch> first = load_first<Arch>(from + i, std::min<std::size_t>(16, n - i));
            const Batch<Arch> second =
                n - i > 16 ? load_first<Arch>(from + i + 16, std::min<std::size_t>(16, n - i - 16)) : Batch<Arch>(0.0F);
            const __m512bh halves = _mm512_cvtne2ps_pbh(second, first);
            __builtin_memcpy(to + i / 2, &halves, sizeof halves);
        }
    }

    /// sum + x[0] w[2 i] + x[1] w[2 i + 1] in lane i, where x are the two halves of a word.
    [[nodiscard, gnu::always_inline]] static Batch<Arch> multiply_add(const Batch<Arch>& sum, std::uint32_t x,
                                                                      const BFloat16* w) noexcept {
        const __m512i pairs = _mm512_set1_epi32(static_cast<int>(x));
        return Batch<Arch>(_mm512_dpbf16_ps(sum, reinterpret_cast<__m512bh>(pairs),
                                            reinterpret_cast<__m512bh>(_mm512_loadu_si512(w))));
    }
};
#endif

template <class Arch>
concept MultipliesBFloat16 = requires(Batch<Arch> sum, const BFloat16* w) {
    { BFloat16Products<Arch>::multiply_add(sum, std::uint32_t{0}, w) } -> std::same_as<Batch<Arch>>;
};

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

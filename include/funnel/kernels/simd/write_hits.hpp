// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <bit>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// Writes the vectors whose bit is set, the first of which has id `first`.
[[gnu::always_inline]] inline void write_hits(unsigned hits, std::uint32_t first, const float* scores,
                                              Scored<>* out) noexcept {
    for (; hits != 0; hits &= hits - 1U) {
        const auto v = static_cast<std::uint32_t>(std::countr_zero(hits));
        *out++ = {first + v, scores[v]};
    }
}

#if defined(__AVX512F__)
/// As above, from a register. No branch depends on a single vector.
[[gnu::always_inline]] inline void write_hits(unsigned hits, std::uint32_t first, __m512 scores,
                                              Scored<>* out) noexcept {
    static_assert(sizeof(Scored<>) == 8);
    const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const auto mask = static_cast<__mmask16>(hits);
    const __m512i ids =
        _mm512_maskz_compress_epi32(mask, _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<std::int32_t>(first))));
    const __m512i bits = _mm512_maskz_compress_epi32(mask, _mm512_castps_si512(scores));
    const __m512i pairs = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    const std::uint64_t words = (std::uint64_t{1} << (2 * std::popcount(hits))) - 1;
    _mm512_mask_storeu_epi32(out, static_cast<__mmask16>(words), _mm512_permutex2var_epi32(ids, pairs, bits));
    if (const auto rest = static_cast<__mmask16>(words >> 16U); rest != 0) {
        const __m512i next = _mm512_add_epi32(pairs, _mm512_set1_epi32(8));
        _mm512_mask_storeu_epi32(out + 8, rest, _mm512_permutex2var_epi32(ids, next, bits));
    }
}
#endif

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

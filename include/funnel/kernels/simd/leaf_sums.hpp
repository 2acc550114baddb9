// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/kernels/simd/lanes.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

#if defined(__AVX2__)
// sums[r] += values[leaves[r]] for 32 bytes of sums. Gathers would be slower than loads.
template <class Leaf>
[[gnu::always_inline]] inline void add_loaded(const double* values, const Leaf* leaves, double* sums) noexcept {
    const auto value = [&](std::size_t r) __attribute__((always_inline)) { return values[leaves[r]]; };
    const __m256d looked_up = _mm256_setr_pd(value(0), value(1), value(2), value(3));
    _mm256_storeu_pd(sums, _mm256_add_pd(_mm256_loadu_pd(sums), looked_up));
}

template <class Leaf>
[[gnu::always_inline]] inline void add_loaded(const float* values, const Leaf* leaves, float* sums) noexcept {
    const auto value = [&](std::size_t r) __attribute__((always_inline)) { return values[leaves[r]]; };
    const __m256 looked_up =
        _mm256_setr_ps(value(0), value(1), value(2), value(3), value(4), value(5), value(6), value(7));
    _mm256_storeu_ps(sums, _mm256_add_ps(_mm256_loadu_ps(sums), looked_up));
}
#endif

#if defined(__AVX512F__)
// At most 32 values, for a multiple of 64 leaves. They are looked up in registers; for more, loads are as fast.
//
// A lookup of 32 bits finds half of a double for 16 leaves; one of 64 bits finds a double in half of the table for
// eight leaves.
[[gnu::always_inline]] inline void add_from_registers(std::span<const double> values,
                                                      std::span<const std::uint8_t> leaves,
                                                      std::span<double> sums) noexcept {
    const auto table = [&](std::size_t i) __attribute__((always_inline)) {  // values 8 i to 8 i + 7
        const auto all = (std::uint64_t{1} << values.size()) - 1;
        return _mm512_castpd_si512(_mm512_maskz_loadu_pd(static_cast<__mmask8>(all >> (8 * i)), values.data() + 8 * i));
    };
    // Of 16 doubles, their lower halves.
    const __m512i lows = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    const __m512i highs = _mm512_add_epi32(lows, _mm512_set1_epi32(1));
    const __m512i low_0 = _mm512_permutex2var_epi32(table(0), lows, table(1));
    const __m512i low_16 = _mm512_permutex2var_epi32(table(2), lows, table(3));
    const __m512i high_0 = _mm512_permutex2var_epi32(table(0), highs, table(1));
    const __m512i high_16 = _mm512_permutex2var_epi32(table(2), highs, table(3));
    // Leaf 8 j + i goes to byte 8 i + j: the same bytes of all numbers of 32 bits are then leaves i, 8 + i, 16 + i, ...
    // in even places, and 4 + i, 12 + i, ... in odd ones.
    const __m512i pairs = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15));
    const __m512i fours =
        _mm512_setr_epi64(0x0018'0010'0008'0000, 0x0019'0011'0009'0001, 0x001A'0012'000A'0002, 0x001B'0013'000B'0003,
                          0x001C'0014'000C'0004, 0x001D'0015'000D'0005, 0x001E'0016'000E'0006, 0x001F'0017'000F'0007);
    for (std::size_t r = 0; r < leaves.size(); r += 64) {
        const __m512i in_order = _mm512_loadu_si512(leaves.data() + r);
        __m512i at = _mm512_permutexvar_epi16(fours, _mm512_shuffle_epi8(in_order, pairs));
        unroll<4>([&](auto i) __attribute__((always_inline)) {
            const __m512i low = _mm512_permutex2var_epi32(low_0, at, low_16);
            const __m512i high = _mm512_permutex2var_epi32(high_0, at, high_16);
            const __m512i even = _mm512_mask_shuffle_epi32(low, 0xAAAA, high, _MM_PERM_CCAA);
            const __m512i odd = _mm512_mask_shuffle_epi32(high, 0x5555, low, _MM_PERM_DDBB);
            double* const sum = sums.data() + r + 8 * i;
            _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), _mm512_castsi512_pd(even)));
            _mm512_storeu_pd(sum + 32, _mm512_add_pd(_mm512_loadu_pd(sum + 32), _mm512_castsi512_pd(odd)));
            at = _mm512_srli_epi32(at, 8);
        });
    }
}

[[gnu::always_inline]] inline void add_from_registers(std::span<const float> values,
                                                      std::span<const std::uint8_t> leaves,
                                                      std::span<float> sums) noexcept {
    const auto all = (std::uint64_t{1} << values.size()) - 1;
    const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(all), values.data());
    const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(all >> 16), values.data() + 16);
    for (std::size_t r = 0; r < leaves.size(); r += 16) {
        const __m512i at = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(leaves.data() + r)));
        float* sum = sums.data() + r;
        _mm512_storeu_ps(sum, _mm512_add_ps(_mm512_loadu_ps(sum), _mm512_permutex2var_ps(low, at, high)));
    }
}
#endif

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

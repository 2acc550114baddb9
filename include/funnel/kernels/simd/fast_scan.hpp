// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/fast_scan.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

#if defined(__AVX2__)
namespace simd {

// Even bytes are not masked before they are added to 16-bit lanes. So a lane of `both` is the sum of the even bytes
// plus 256 times that of the odd ones, modulo 2^16. Each half of a register is a part of the same 16 sums.
[[gnu::always_inline]] inline void store_sums(__m256i both, __m256i odd, std::uint16_t* to) noexcept {
    const __m128i odds = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1));
    const __m128i all = _mm_add_epi16(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    const __m128i evens = _mm_sub_epi16(all, _mm_slli_epi16(odds, 8));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_unpacklo_epi16(evens, odds));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 8), _mm_unpackhi_epi16(evens, odds));
}

}  // namespace simd

template <class Arch>
    requires(simd::has_tables<Arch> && !simd::has_byte_masks<Arch>)
void fast_scan(Simd<Arch>, std::span<const std::uint8_t> tables, std::span<const std::uint8_t> blocks,
               std::span<std::uint16_t> sums) noexcept {
    const __m256i nibble = _mm256_set1_epi8(15);
    const std::size_t bytes = tables.size();
    const auto load = [](const std::uint8_t* p) __attribute__((always_inline)) {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    };
    const auto load_half = [](const std::uint8_t* p) __attribute__((always_inline)) {  // the rest is zero
        return _mm256_zextsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    };
    for (std::size_t i = 0; i < sums.size(); i += 32) {
        const std::uint8_t* const codes = blocks.data() + i / 32 * bytes;
        __m256i low_both = _mm256_setzero_si256();
        __m256i low_odd = low_both;
        __m256i high_both = low_both;
        __m256i high_odd = low_both;
        const auto add = [&](__m256i table, __m256i code) __attribute__((always_inline)) {
            const __m256i low = _mm256_shuffle_epi8(table, _mm256_and_si256(code, nibble));
            const __m256i high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
            low_both = _mm256_add_epi16(low_both, low);
            low_odd = _mm256_add_epi16(low_odd, _mm256_srli_epi16(low, 8));
            high_both = _mm256_add_epi16(high_both, high);
            high_odd = _mm256_add_epi16(high_odd, _mm256_srli_epi16(high, 8));
        };
        std::size_t b = 0;
        for (; b + 32 <= bytes; b += 32) {
            add(load(tables.data() + b), load(codes + b));
        }
        if (b < bytes) {
            add(load_half(tables.data() + b), load_half(codes + b));
        }
        simd::store_sums(low_both, low_odd, sums.data() + i);
        simd::store_sums(high_both, high_odd, sums.data() + i + 16);
    }
}
#endif

#if defined(__AVX512BW__)
template <class Arch>
    requires simd::has_byte_masks<Arch>
void fast_scan(Simd<Arch>, std::span<const std::uint8_t> tables, std::span<const std::uint8_t> blocks,
               std::span<std::uint16_t> sums) noexcept {
    const __m512i nibble = _mm512_set1_epi8(15);
    const std::size_t bytes = tables.size();
    const auto rest = static_cast<__mmask8>((1U << (bytes % 64 / 8)) - 1U);
    for (std::size_t i = 0; i < sums.size(); i += 32) {
        const std::uint8_t* const codes = blocks.data() + i / 32 * bytes;
        __m512i low_both = _mm512_setzero_si512();
        __m512i low_odd = low_both;
        __m512i high_both = low_both;
        __m512i high_odd = low_both;
        const auto add = [&](__m512i table, __m512i code) __attribute__((always_inline)) {
            const __m512i low = _mm512_shuffle_epi8(table, _mm512_and_si512(code, nibble));
            const __m512i high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
            low_both = _mm512_add_epi16(low_both, low);
            low_odd = _mm512_add_epi16(low_odd, _mm512_srli_epi16(low, 8));
            high_both = _mm512_add_epi16(high_both, high);
            high_odd = _mm512_add_epi16(high_odd, _mm512_srli_epi16(high, 8));
        };
        std::size_t b = 0;
        for (; b + 64 <= bytes; b += 64) {
            add(_mm512_loadu_si512(tables.data() + b), _mm512_loadu_si512(codes + b));
        }
        if (rest != 0) {
            add(_mm512_maskz_loadu_epi64(rest, tables.data() + b), _mm512_maskz_loadu_epi64(rest, codes + b));
        }
        const auto halves = [](__m512i x) __attribute__((always_inline)) {
            return _mm256_add_epi16(_mm512_castsi512_si256(x), _mm512_extracti64x4_epi64(x, 1));
        };
        simd::store_sums(halves(low_both), halves(low_odd), sums.data() + i);
        simd::store_sums(halves(high_both), halves(high_odd), sums.data() + i + 16);
    }
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

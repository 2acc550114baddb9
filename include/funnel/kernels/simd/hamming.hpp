// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/hamming.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

#if defined(__AVX512BW__)
namespace simd {

/// The number of set bits in each word. Processors with AVX-512 but without this instruction look up 4 bits at a time.
[[nodiscard, gnu::always_inline]] inline __m512i count_bits(__m512i words) noexcept {
#if defined(__AVX512VPOPCNTDQ__)
    return _mm512_popcnt_epi64(words);
#else
    const __m512i counts = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_shuffle_epi8(counts, _mm512_and_si512(words, nibble));
    const __m512i high = _mm512_shuffle_epi8(counts, _mm512_and_si512(_mm512_srli_epi16(words, 4), nibble));
    return _mm512_sad_epu8(_mm512_add_epi8(low, high), _mm512_setzero_si512());
#endif
}

struct Words {
    __m512i value;
};

/// Lane i is the sum of the lanes of counts[i].
[[nodiscard, gnu::always_inline]] inline __m512i sums_of_lanes(const std::array<Words, 8>& counts) noexcept {
    const auto pairs = [&](std::size_t i) __attribute__((always_inline)) {
        return _mm512_add_epi64(_mm512_unpacklo_epi64(counts[i].value, counts[i + 1].value),
                                _mm512_unpackhi_epi64(counts[i].value, counts[i + 1].value));
    };
    const auto fours = [&](std::size_t i) __attribute__((always_inline)) {
        const __m512i a = pairs(i);
        const __m512i b = pairs(i + 2);
        return _mm512_add_epi64(_mm512_permutex2var_epi64(a, _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), b),
                                _mm512_permutex2var_epi64(a, _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15), b));
    };
    const __m512i a = fours(0);
    const __m512i b = fours(4);
    return _mm512_add_epi64(_mm512_shuffle_i64x2(a, b, 0x44), _mm512_shuffle_i64x2(a, b, 0xEE));
}

}  // namespace simd

// Eight codes at a time. For 2 to 4 words, and for AVX2, the scalar kernel is as fast.
template <class Arch>
    requires simd::has_byte_masks<Arch>
void hamming(Simd<Arch>, std::span<const std::uint64_t> query, std::span<const std::uint64_t> codes,
             std::span<std::uint32_t> distances) noexcept {
    const std::size_t words = query.size();
    const std::size_t filled = words == 1 || words > 4 ? distances.size() / 8 * 8 : 0;
    const auto store = [&](std::size_t i, __m512i counts) __attribute__((always_inline)) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(distances.data() + i), _mm512_cvtepi64_epi32(counts));
    };
    if (words == 1) {
        const __m512i same = _mm512_set1_epi64(static_cast<long long>(query[0]));
        for (std::size_t i = 0; i < filled; i += 8) {
            store(i, simd::count_bits(_mm512_xor_si512(same, _mm512_loadu_si512(codes.data() + i))));
        }
    } else {
        const auto rest = static_cast<__mmask8>((1U << (words % 8)) - 1U);
        for (std::size_t i = 0; i < filled; i += 8) {
            std::array<simd::Words, 8> counts{};
            simd::unroll<8>([&](auto c) __attribute__((always_inline)) {
                const std::uint64_t* const code = codes.data() + (i + c) * words;
                std::size_t w = 0;
                __m512i sum = _mm512_setzero_si512();
                for (; w + 8 <= words; w += 8) {
                    const __m512i bits =
                        _mm512_xor_si512(_mm512_loadu_si512(query.data() + w), _mm512_loadu_si512(code + w));
                    sum = _mm512_add_epi64(sum, simd::count_bits(bits));
                }
                if (rest != 0) {
                    const __m512i bits = _mm512_xor_si512(_mm512_maskz_loadu_epi64(rest, query.data() + w),
                                                          _mm512_maskz_loadu_epi64(rest, code + w));
                    sum = _mm512_add_epi64(sum, simd::count_bits(bits));
                }
                counts[c].value = sum;
            });
            store(i, simd::sums_of_lanes(counts));
        }
    }
    hamming(Scalar{}, query, codes.subspan(filled * words), distances.subspan(filled));
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Calls append_some(i, sums, penalties, passing, count) for each register, which begins at vector i; it adds to count.
/// The last register is filled up with zeros, and `passing` is a bit for each lane that is not such a zero. The scalar
/// kernel rounds in another way: it must not do the rest, or a score would depend on its place.
template <std::size_t Lanes, class AppendSome>
[[gnu::always_inline]] inline std::size_t scores_at_least(std::span<const std::uint16_t> sums,
                                                          std::span<const float> penalties,
                                                          AppendSome append_some) noexcept {
    constexpr unsigned all = (1U << Lanes) - 1U;
    std::array<std::uint16_t, Lanes> last_sums{};
    std::array<float, Lanes> last_penalties{};
    std::size_t count = 0;
    for (std::size_t i = 0; i < sums.size(); i += Lanes) {
        const std::uint16_t* some_sums = sums.data() + i;
        const float* some_penalties = penalties.empty() ? last_penalties.data() : penalties.data() + i;
        unsigned passing = all;
        if (const std::size_t left = sums.size() - i; left < Lanes) [[unlikely]] {
            std::copy_n(some_sums, left, last_sums.begin());
            some_sums = last_sums.data();
            std::copy_n(some_penalties, left, last_penalties.begin());
            some_penalties = last_penalties.data();
            passing = (1U << left) - 1U;
        }
        append_some(i, some_sums, some_penalties, passing, count);
    }
    return count;
}

}  // namespace simd

#if defined(__AVX2__)
template <class Arch>
    requires(simd::is_avx2<Arch>)
std::size_t scores_at_least(Simd<Arch>, std::span<const std::uint16_t> sums, float scale, float offset,
                            std::span<const float> penalties, float threshold, std::span<std::uint32_t> positions,
                            std::span<float> scores) noexcept {
    const __m256 scales = _mm256_set1_ps(scale);
    const __m256 offsets = _mm256_set1_ps(offset);
    const __m256 limit = _mm256_set1_ps(threshold);
    return simd::scores_at_least<8>(
        sums, penalties,
        [&](std::size_t i, const std::uint16_t* some_sums, const float* some_penalties, unsigned passing,
            std::size_t& count) __attribute__((always_inline)) {
            const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(some_sums));
            const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
            __m256 score = _mm256_add_ps(_mm256_mul_ps(scales, values), offsets);
            if (!penalties.empty()) {
                score = _mm256_sub_ps(score, _mm256_loadu_ps(some_penalties));
            }
            passing &= static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(score, limit, _CMP_GE_OQ)));
            if (passing != 0) {
                alignas(32) std::array<float, 8> lanes;
                _mm256_store_ps(lanes.data(), score);
                for (; passing != 0; passing &= passing - 1) {
                    const auto lane = static_cast<std::size_t>(std::countr_zero(passing));
                    positions[count] = static_cast<std::uint32_t>(i + lane);
                    scores[count++] = lanes[lane];
                }
            }
        });
}
#endif

#if defined(__AVX512F__)
template <class Arch>
    requires(simd::is_avx512<Arch>)
std::size_t scores_at_least(Simd<Arch>, std::span<const std::uint16_t> sums, float scale, float offset,
                            std::span<const float> penalties, float threshold, std::span<std::uint32_t> positions,
                            std::span<float> scores) noexcept {
    const __m512 scales = _mm512_set1_ps(scale);
    const __m512 offsets = _mm512_set1_ps(offset);
    const __m512 limit = _mm512_set1_ps(threshold);
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    return simd::scores_at_least<16>(
        sums, penalties,
        [&](std::size_t i, const std::uint16_t* some_sums, const float* some_penalties, unsigned live,
            std::size_t& count) __attribute__((always_inline)) {
            const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(some_sums));
            const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words));
            __m512 score = _mm512_fmadd_ps(scales, values, offsets);
            if (!penalties.empty()) {
                score = _mm512_sub_ps(score, _mm512_loadu_ps(some_penalties));
            }
            const __mmask16 passing = _mm512_mask_cmp_ps_mask(static_cast<__mmask16>(live), score, limit, _CMP_GE_OQ);
            if (passing != 0) {
                // A compressing store to memory is slow on some processors.
                const auto found = static_cast<std::size_t>(std::popcount(static_cast<unsigned>(passing)));
                const auto first = static_cast<__mmask16>((1U << found) - 1U);
                const __m512i at = _mm512_add_epi32(lanes, _mm512_set1_epi32(static_cast<int>(i)));
                _mm512_mask_storeu_epi32(positions.data() + count, first, _mm512_maskz_compress_epi32(passing, at));
                _mm512_mask_storeu_ps(scores.data() + count, first, _mm512_maskz_compress_ps(passing, score));
                count += found;
            }
        });
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

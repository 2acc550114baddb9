// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/scores_at_least.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Calls append_some(i, count), which adds to count, for each full register; the scalar kernel does the rest.
template <std::size_t Lanes, class AppendAbove>
[[gnu::always_inline]] inline std::size_t scores_at_least(std::span<const std::uint16_t> sums, float scale,
                                                          float offset, std::span<const float> penalties,
                                                          float threshold, std::span<std::uint32_t> positions,
                                                          std::span<float> scores, AppendAbove append_some) noexcept {
    const std::size_t filled = sums.size() / Lanes * Lanes;
    std::size_t count = 0;
    for (std::size_t i = 0; i < filled; i += Lanes) {
        append_some(i, count);
    }
    const std::size_t more = kernels::scores_at_least(Scalar{}, sums.subspan(filled), scale, offset,
                                                      penalties.empty() ? penalties : penalties.subspan(filled),
                                                      threshold, positions.subspan(count), scores.subspan(count));
    for (std::size_t i = count; i < count + more; ++i) {
        positions[i] += static_cast<std::uint32_t>(filled);
    }
    return count + more;
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
        sums, scale, offset, penalties, threshold, positions, scores,
        [&](std::size_t i, std::size_t& count) __attribute__((always_inline)) {
            const __m128i words = _mm_loadu_si128(reinterpret_cast<const __m128i*>(sums.data() + i));
            const __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(words));
            __m256 score = _mm256_add_ps(_mm256_mul_ps(scales, values), offsets);
            if (!penalties.empty()) {
                score = _mm256_sub_ps(score, _mm256_loadu_ps(penalties.data() + i));
            }
            auto passing = static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(score, limit, _CMP_GE_OQ)));
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
        sums, scale, offset, penalties, threshold, positions, scores,
        [&](std::size_t i, std::size_t& count) __attribute__((always_inline)) {
            const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(sums.data() + i));
            const __m512 values = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(words));
            __m512 score = _mm512_fmadd_ps(scales, values, offsets);
            if (!penalties.empty()) {
                score = _mm512_sub_ps(score, _mm512_loadu_ps(penalties.data() + i));
            }
            const __mmask16 passing = _mm512_cmp_ps_mask(score, limit, _CMP_GE_OQ);
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/write_hits.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

#if defined(__AVX512F__)
template <class Arch>
    requires(simd::is_avx512<Arch>)
std::size_t scores_not_below(Simd<Arch>, std::span<const float> scores, float threshold,
                             std::span<Scored<>> out) noexcept {
    constexpr std::size_t lanes = 16;
    const __m512 limit = _mm512_set1_ps(threshold);
    std::size_t count = 0;
    for (std::size_t begin = 0; begin < scores.size(); begin += lanes) {
        const std::size_t left = scores.size() - begin;
        const auto live = static_cast<__mmask16>(left < lanes ? (1U << left) - 1U : 0xFFFFU);
        const __m512 some = _mm512_maskz_loadu_ps(live, scores.data() + begin);
        const unsigned hits = _mm512_mask_cmp_ps_mask(live, some, limit, _CMP_NLT_UQ);
        if (hits != 0) [[unlikely]] {
            simd::write_hits(hits, static_cast<std::uint32_t>(begin), some, out.data() + count);
            count += static_cast<std::size_t>(std::popcount(hits));
        }
    }
    return count;
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

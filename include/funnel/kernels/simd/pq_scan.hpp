// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/pq_scan.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// Without AVX-512 for 16-bit lanes, plain loads are the fastest: the scalar kernel.
#if defined(__AVX512BW__)
template <class Arch>
    requires simd::has_byte_masks<Arch>
void pq_scan(Simd<Arch>, std::span<const std::uint16_t> tables, std::span<const std::uint8_t> blocks,
             std::span<std::uint16_t> sums) noexcept {
    const __m512i bit6 = _mm512_set1_epi16(1 << 6);
    const __m512i bit7 = _mm512_set1_epi16(1 << 7);
    const std::size_t m = tables.size() / 256;
    const std::uint8_t* codes = blocks.data();
    for (std::size_t i = 0; i < sums.size(); i += 32) {
        __m512i sum = _mm512_setzero_si512();
        for (std::size_t j = 0; j < m; ++j, codes += 32) {
            const std::uint16_t* const table = tables.data() + j * 256;
            const __m512i code = _mm512_cvtepu8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(codes)));
            const auto quarter = [&](std::size_t q) __attribute__((always_inline)) {  // reads the lowest 6 bits
                return _mm512_permutex2var_epi16(_mm512_loadu_si512(table + q * 64), code,
                                                 _mm512_loadu_si512(table + q * 64 + 32));
            };
            const __mmask32 is_odd = _mm512_test_epi16_mask(code, bit6);
            const __m512i low = _mm512_mask_blend_epi16(is_odd, quarter(0), quarter(1));
            const __m512i high = _mm512_mask_blend_epi16(is_odd, quarter(2), quarter(3));
            sum = _mm512_add_epi16(sum, _mm512_mask_blend_epi16(_mm512_test_epi16_mask(code, bit7), low, high));
        }
        _mm512_storeu_si512(sums.data() + i, sum);
    }
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

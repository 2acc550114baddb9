// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/int8_rows.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/int8_sums.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

// xsimd has no products of bytes, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// The product of a query with one row: a sum per lane, and the sum of the lanes.
template <class Arch>
struct Int8RowDot;

#if defined(__AVX512VNNI__)
template <class Arch>
    requires has_vnni<Arch>
struct Int8RowDot<Arch> {
    static constexpr std::size_t lanes = 64;

    // The instruction multiplies unsigned with signed bytes, so 128 times the sum of the query is subtracted. 32 bits
    // may overflow on the way; the difference does not.
    [[nodiscard, gnu::always_inline]] static __m512i first(const std::int8_t* query) noexcept {
        return _mm512_sub_epi32(_mm512_setzero_si512(),
                                _mm512_dpbusd_epi32(_mm512_setzero_si512(), _mm512_set1_epi8(-128), load(query)));
    }
    [[nodiscard, gnu::always_inline]] static __m512i plus(__m512i sum, const std::int8_t* query,
                                                          const std::uint8_t* row) noexcept {
        return _mm512_dpbusd_epi32(sum, load(row), load(query));
    }
    [[nodiscard, gnu::always_inline]] static std::int32_t sum_of(__m512i sums) noexcept {
        return _mm512_reduce_add_epi32(sums);
    }
    // Stores the sums of four rows: fewer steps than four sums.
    [[gnu::always_inline]] static void store_sums(std::int32_t* out, __m512i a, __m512i b, __m512i c,
                                                  __m512i d) noexcept {
        const __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
        const __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
        const __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
        const __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1)));
    }
    static constexpr auto add = [](__m512i a, __m512i b)
                                    __attribute__((always_inline)) { return _mm512_add_epi32(a, b); };

private:
    [[nodiscard, gnu::always_inline]] static __m512i load(const void* p) noexcept { return _mm512_loadu_si512(p); }
};
#endif

#if defined(__AVX2__)
template <class Arch>
    requires(has_byte_products<Arch> && !has_vnni<Arch>)
struct Int8RowDot<Arch> {
    static constexpr std::size_t lanes = 32;

    [[nodiscard, gnu::always_inline]] static __m256i first(const std::int8_t*) noexcept {
        return _mm256_setzero_si256();
    }
    // |row| and sign(row) query: pairs are at most 2 * 127 * 127 < 2^15.
    [[nodiscard, gnu::always_inline]] static __m256i plus(__m256i sum, const std::int8_t* query,
                                                          const std::uint8_t* row) noexcept {
        const __m256i numbers = _mm256_xor_si256(load(row), _mm256_set1_epi8(-128));
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(numbers), _mm256_sign_epi8(load(query), numbers));
        return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    [[nodiscard, gnu::always_inline]] static std::int32_t sum_of(__m256i sums) noexcept {
        __m128i four = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
        four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
        return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xB1)));
    }
    [[gnu::always_inline]] static void store_sums(std::int32_t* out, __m256i a, __m256i b, __m256i c,
                                                  __m256i d) noexcept {
        const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
        _mm_storeu_si128(reinterpret_cast<__m128i*>(out),
                         _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
    }
    static constexpr auto add = [](__m256i a, __m256i b)
                                    __attribute__((always_inline)) { return _mm256_add_epi32(a, b); };

private:
    [[nodiscard, gnu::always_inline]] static __m256i load(const void* p) noexcept {
        return _mm256_loadu_si256(static_cast<const __m256i*>(p));
    }
};
#endif

#if defined(__aarch64__)
template <class Arch>
    requires has_byte_products<Arch>
struct Int8RowDot<Arch> {
    static constexpr std::size_t lanes = 16;

    [[nodiscard, gnu::always_inline]] static int32x4_t first(const std::int8_t*) noexcept { return vdupq_n_s32(0); }
    [[nodiscard, gnu::always_inline]] static int32x4_t plus(int32x4_t sum, const std::int8_t* query,
                                                            const std::uint8_t* row) noexcept {
        return add_byte_products(sum, load_plus_128(row), vld1q_s8(query));
    }
    [[nodiscard, gnu::always_inline]] static std::int32_t sum_of(int32x4_t sums) noexcept { return vaddvq_s32(sums); }
    [[gnu::always_inline]] static void store_sums(std::int32_t* out, int32x4_t a, int32x4_t b, int32x4_t c,
                                                  int32x4_t d) noexcept {
        vst1q_s32(out, vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d)));
    }
    static constexpr auto add = [](int32x4_t a, int32x4_t b) __attribute__((always_inline)) { return vaddq_s32(a, b); };
};
#endif

}  // namespace simd

template <class Arch, std::size_t Dim>
    requires simd::has_byte_products<Arch>
[[gnu::always_inline]] inline void int8_row_dots(Simd<Arch>, std::span<const std::int8_t, Dim> query,
                                                 MatrixView<const std::uint8_t> rows,
                                                 std::span<const std::uint32_t> ids,
                                                 std::span<std::int32_t> out) noexcept {
    using Dot = simd::Int8RowDot<Arch>;
    const std::size_t in_registers = query.size() - query.size() % Dot::lanes;
    if (in_registers == 0) {
        return int8_row_dots(Scalar{}, query, rows, ids, out);
    }
    auto first = Dot::first(query.data());
    for (std::size_t j = Dot::lanes; j < in_registers; j += Dot::lanes) {
        first = Dot::add(first, Dot::first(query.data() + j));
    }
    const auto lanes_of = [&](std::size_t i) __attribute__((always_inline)) {
        const std::uint8_t* row = rows.data() + ids[i] * rows.stride();
        auto sums = first;
        for (std::size_t j = 0; j < in_registers; j += Dot::lanes) {
            sums = Dot::plus(sums, query.data() + j, row + j);
        }
        return sums;
    };
    std::size_t i = 0;
    for (; i + 4 <= ids.size(); i += 4) {
        Dot::store_sums(out.data() + i, lanes_of(i), lanes_of(i + 1), lanes_of(i + 2), lanes_of(i + 3));
        for (std::size_t r = i; r < i + 4; ++r) {
            const std::uint8_t* row = rows.data() + ids[r] * rows.stride();
            for (std::size_t j = in_registers; j < query.size(); ++j) {
                out[r] += (row[j] - 128) * query[j];
            }
        }
    }
    for (; i < ids.size(); ++i) {
        const std::uint8_t* row = rows.data() + ids[i] * rows.stride();
        out[i] = Dot::sum_of(lanes_of(i));
        for (std::size_t j = in_registers; j < query.size(); ++j) {
            out[i] += (row[j] - 128) * query[j];
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>
#include <funnel/kernels/scalar/forest.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

// Registers for the kernels of forests: bytes with masked replacement, integers, and small tables held in registers.
// xsimd has no lookup in tables of several registers, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

template <class Arch>
inline constexpr bool is_avx2 = std::derived_from<Arch, xsimd::avx2>;
#if defined(__AVX512BW__)
template <class Arch>
inline constexpr bool has_byte_masks = std::derived_from<Arch, xsimd::avx512bw>;
#else
template <class Arch>
inline constexpr bool has_byte_masks = false;
#endif

/// A register of bytes.
template <class Arch>
class Bytes {
    // AVX-512 without the instructions for bytes: half a register.
    using Native = std::conditional_t<is_avx512<Arch>, Half<Arch>, Arch>;
    using Register = xsimd::batch<std::int8_t, Native>;

public:
    static constexpr std::size_t size = Register::size;

    Bytes() = default;

    [[nodiscard, gnu::always_inline]] static Bytes broadcast(std::int32_t four) noexcept {
        return Bytes(bytes_of(xsimd::batch<std::int32_t, Native>(four)));
    }
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::int8_t* p) noexcept {
        return Bytes(Register::load_unaligned(p));
    }
    [[gnu::always_inline]] void store(std::uint8_t* p) const noexcept {
        value_.store_unaligned(reinterpret_cast<std::int8_t*>(p));
    }

    /// Becomes `by` in the lanes where it is `old`, and x > limit.
    [[gnu::always_inline]] void replace(const Bytes& old, const Bytes& x, const Bytes& limit,
                                        const Bytes& by) noexcept {
        value_ = xsimd::select((value_ == old.value_) & (x.value_ > limit.value_), by.value_, value_);
    }

private:
    [[gnu::always_inline]] explicit Bytes(Register value) noexcept : value_(value) {}

    [[nodiscard, gnu::always_inline]] static Register bytes_of(const xsimd::batch<std::int32_t, Native>& x) noexcept {
#if XSIMD_VERSION_MAJOR >= 10
        return xsimd::bitwise_cast<std::int8_t>(x);
#else
        return xsimd::bitwise_cast<Register>(x);
#endif
    }

    Register value_;
};

#if defined(__AVX512BW__)
template <class Arch>
    requires has_byte_masks<Arch>
class Bytes<Arch> {
public:
    static constexpr std::size_t size = 64;

    Bytes() = default;

    [[nodiscard, gnu::always_inline]] static Bytes broadcast(std::int32_t four) noexcept {
        return Bytes(_mm512_set1_epi32(four));
    }
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::int8_t* p) noexcept {
        return Bytes(_mm512_loadu_si512(p));
    }
    [[gnu::always_inline]] void store(std::uint8_t* p) const noexcept { _mm512_storeu_si512(p, value_); }
    [[gnu::always_inline]] void replace(const Bytes& old, const Bytes& x, const Bytes& limit,
                                        const Bytes& by) noexcept {
        const __mmask64 is_above = _mm512_cmpgt_epi8_mask(x.value_, limit.value_);
        value_ = _mm512_mask_mov_epi8(value_, _mm512_mask_cmpeq_epi8_mask(is_above, value_, old.value_), by.value_);
    }

private:
    [[gnu::always_inline]] explicit Bytes(__m512i value) noexcept : value_(value) {}

    __m512i value_;
};
#endif

/// Whether there are lookups in tables of registers.
template <class Arch>
inline constexpr bool has_tables = is_avx512<Arch> || is_avx2<Arch>;

/// A register of integers of 32 bits.
template <class Arch>
class Integers;

#if defined(__AVX2__)
template <class Arch>
    requires is_avx2<Arch>
class Integers<Arch> {
public:
    static constexpr std::size_t size = 8;

    Integers() = default;
    [[gnu::always_inline]] explicit Integers(__m256i x) noexcept : value(x) {}
    [[nodiscard, gnu::always_inline]] static Integers broadcast(std::int32_t x) noexcept {
        return Integers(_mm256_set1_epi32(x));
    }
    [[nodiscard, gnu::always_inline]] static Integers load(const std::int32_t* p) noexcept {
        return Integers(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    }
    [[nodiscard, gnu::always_inline]] static Integers load_bits(const float* p) noexcept {
        return Integers(_mm256_castps_si256(_mm256_loadu_ps(p)));
    }
    /// The first count numbers; the others are 0. Reads no more.
    [[nodiscard, gnu::always_inline]] static Integers load_first(const std::int32_t* p, std::size_t count) noexcept {
        return Integers(_mm256_maskload_epi32(p, detail::first_of_eight(count)));
    }
    /// The results of comparisons.
    using Mask = Integers;
    [[nodiscard, gnu::always_inline]] Mask is_above(const Integers& threshold) const noexcept {
        return Integers(_mm256_cmpgt_epi32(value, threshold.value));
    }
    /// Elements `at` of a table of N = 2^n numbers: those of both halves are looked up, and one is selected. Element i
    /// of bits_of_at is bit n - 1 - i of `at`.
    template <std::size_t N>
    [[nodiscard, gnu::always_inline]] static Integers lookup(const Integers* table, const Integers& at,
                                                             const Mask* bits_of_at) noexcept {
        if constexpr (N <= 8) {
            return Integers(_mm256_permutevar8x32_epi32(table[0].value, at.value));
        } else {
            const Integers low = lookup<N / 2>(table, at, bits_of_at + 1);
            const Integers high = lookup<N / 2>(table + N / 2 / size, at, bits_of_at + 1);
            return Integers(_mm256_blendv_epi8(low.value, high.value, bits_of_at[0].value));
        }
    }
    /// See key_of.
    [[nodiscard, gnu::always_inline]] Integers keys(std::int32_t missing_key, std::int32_t zero_below) const noexcept {
        const __m256i magnitude = _mm256_and_si256(value, _mm256_set1_epi32(0x7FFF'FFFF));
        const __m256i key = _mm256_xor_si256(magnitude, _mm256_srai_epi32(value, 31));
        const __m256i is_missing = _mm256_or_si256(_mm256_cmpgt_epi32(magnitude, _mm256_set1_epi32(0x7F80'0000)),
                                                   _mm256_cmpgt_epi32(_mm256_set1_epi32(zero_below), magnitude));
        return Integers(_mm256_blendv_epi8(key, _mm256_set1_epi32(missing_key), is_missing));
    }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), value);
    }
    /// 2 * this, and 1 more where the mask is set.
    [[nodiscard, gnu::always_inline]] Integers twice_plus(const Mask& one_more) const noexcept {
        return Integers(_mm256_sub_epi32(_mm256_add_epi32(value, value), one_more.value));
    }
    /// 0 where the mask is set.
    [[nodiscard, gnu::always_inline]] Integers zero_at(const Mask& mask) const noexcept {
        return Integers(_mm256_andnot_si256(mask.value, value));
    }
    /// Stores numbers from 0 to 255 as codes.
    [[gnu::always_inline]] void store_codes(std::int8_t* p) const noexcept {
        const __m256i low = _mm256_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                             -1, -1, -1, -1, 0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1);
        const __m256i packed = _mm256_shuffle_epi8(value, low);
        const __m128i bytes = _mm_or_si128(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(lowest_code)));
    }

    __m256i value;  // NOLINT(misc-non-private-member-variables-in-classes): a register
};
#endif

#if defined(__AVX512F__)
template <class Arch>
    requires is_avx512<Arch>
class Integers<Arch> {
public:
    static constexpr std::size_t size = 16;

    Integers() = default;
    [[gnu::always_inline]] explicit Integers(__m512i x) noexcept : value(x) {}
    [[nodiscard, gnu::always_inline]] static Integers broadcast(std::int32_t x) noexcept {
        return Integers(_mm512_set1_epi32(x));
    }
    [[nodiscard, gnu::always_inline]] static Integers load(const std::int32_t* p) noexcept {
        return Integers(_mm512_loadu_si512(p));
    }
    [[nodiscard, gnu::always_inline]] static Integers load_bits(const float* p) noexcept {
        return Integers(_mm512_castps_si512(_mm512_loadu_ps(p)));
    }
    [[nodiscard, gnu::always_inline]] static Integers load_first(const std::int32_t* p, std::size_t count) noexcept {
        return Integers(_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1U << count) - 1U), p));
    }
    using Mask = __mmask16;
    [[nodiscard, gnu::always_inline]] Mask is_above(const Integers& threshold) const noexcept {
        return _mm512_cmpgt_epi32_mask(value, threshold.value);
    }
    template <std::size_t N>
    [[nodiscard, gnu::always_inline]] static Integers lookup(const Integers* table, const Integers& at,
                                                             const Mask* bits_of_at) noexcept {
        if constexpr (N <= 16) {
            return Integers(_mm512_permutexvar_epi32(at.value, table[0].value));
        } else if constexpr (N == 32) {
            return Integers(_mm512_permutex2var_epi32(table[0].value, at.value, table[1].value));
        } else {
            const Integers low = lookup<N / 2>(table, at, bits_of_at + 1);
            const Integers high = lookup<N / 2>(table + N / 2 / size, at, bits_of_at + 1);
            return Integers(_mm512_mask_mov_epi32(low.value, bits_of_at[0], high.value));
        }
    }
    [[nodiscard, gnu::always_inline]] Integers keys(std::int32_t missing_key, std::int32_t zero_below) const noexcept {
        const __m512i magnitude = _mm512_and_si512(value, _mm512_set1_epi32(0x7FFF'FFFF));
        const __m512i key = _mm512_xor_si512(magnitude, _mm512_maskz_srai_epi32(0xFFFF, value, 31));
        const auto is_missing =
            static_cast<__mmask16>(_mm512_cmpgt_epi32_mask(magnitude, _mm512_set1_epi32(0x7F80'0000)) |
                                   _mm512_cmplt_epi32_mask(magnitude, _mm512_set1_epi32(zero_below)));
        return Integers(_mm512_mask_mov_epi32(key, is_missing, _mm512_set1_epi32(missing_key)));
    }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept { _mm512_storeu_si512(p, value); }
    [[nodiscard, gnu::always_inline]] Integers twice_plus(Mask one_more) const noexcept {
        const __m512i twice = _mm512_add_epi32(value, value);
        return Integers(_mm512_mask_add_epi32(twice, one_more, twice, _mm512_set1_epi32(1)));
    }
    [[nodiscard, gnu::always_inline]] Integers zero_at(Mask mask) const noexcept {
        return Integers(_mm512_mask_mov_epi32(value, mask, _mm512_setzero_si512()));
    }
    [[gnu::always_inline]] void store_codes(std::int8_t* p) const noexcept {
        const __m128i bytes = _mm512_maskz_cvtepi32_epi8(0xFFFF, value);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_xor_si128(bytes, _mm_set1_epi8(lowest_code)));
    }

    __m512i value;  // NOLINT(misc-non-private-member-variables-in-classes): a register
};
#endif

/// A search tree of 2^Depth - 1 sorted thresholds, level by level. Each level is a table: lookups in registers take a
/// third of the time of a gather.
template <class Arch, std::size_t Depth>
class SearchTree {
    using Register = Integers<Arch>;

    static constexpr std::size_t registers_of(std::size_t level) {
        return std::max<std::size_t>(1, (std::size_t{1} << level) / Register::size);
    }
    static constexpr std::size_t registers_above(std::size_t level) {
        return level == 0 ? 0 : registers_above(level - 1) + registers_of(level - 1);
    }

public:
    [[gnu::always_inline]] explicit SearchTree(const std::int32_t* thresholds) noexcept {
        unroll<Depth>([&](auto level) __attribute__((always_inline)) {
            if constexpr (level == 0) {
                table_[0] = Register::broadcast(thresholds[0]);
                return;
            }
            constexpr std::size_t size = std::size_t{1} << level;
            unroll<registers_of(level)>([&](auto i) __attribute__((always_inline)) {
                table_[registers_above(level) + i] = Register::load_first(thresholds + size - 1 + i * Register::size,
                                                                          std::min<std::size_t>(size, Register::size));
            });
        });
    }

    /// The number of thresholds below each key.
    [[nodiscard, gnu::always_inline]] Register count(const Register& keys) const noexcept {
        Register at = Register::broadcast(0);
        std::array<typename Register::Mask, Depth> is_right;  // of each level: bits of `at`, the highest first
        unroll<Depth>([&](auto level) __attribute__((always_inline)) {
            const Register* const table = table_.data() + registers_above(level);
            if constexpr (level == 0) {
                is_right[level] = keys.is_above(*table);
            } else {
                constexpr std::size_t size = std::size_t{1} << level;
                is_right[level] = keys.is_above(Register::template lookup<size>(table, at, is_right.data()));
            }
            at = at.twice_plus(is_right[level]);
        });
        return at;
    }

private:
    std::array<Register, registers_above(Depth) + 1> table_;
};

#if defined(__AVX2__)
// to[16 j + i] = row(i)[first + j] for 16 rows and 8 features. Each register is stored whole: a load that spans several
// younger stores would wait for the cache.
template <class Arch, class Row>
    requires is_avx2<Arch>
[[gnu::always_inline]] inline void transpose_16x8(const Row& row, std::size_t first, float* to) noexcept {
    for (std::size_t i = 0; i < 16; i += 8) {
        for (std::size_t j = 0; j < 8; j += 4) {
            const auto two = [&](std::size_t at) __attribute__((always_inline)) {  // four features of two rows
                const __m128 low = _mm_loadu_ps(row(i + at) + first + j);
                return _mm256_insertf128_ps(_mm256_castps128_ps256(low), _mm_loadu_ps(row(i + at + 4) + first + j), 1);
            };
            const __m256 a = two(0);
            const __m256 b = two(1);
            const __m256 c = two(2);
            const __m256 d = two(3);
            const __m256 ab_low = _mm256_unpacklo_ps(a, b);  // a0 b0 a1 b1
            const __m256 ab_high = _mm256_unpackhi_ps(a, b);
            const __m256 cd_low = _mm256_unpacklo_ps(c, d);
            const __m256 cd_high = _mm256_unpackhi_ps(c, d);
            float* const at = to + 16 * j + i;
            _mm256_storeu_ps(at, _mm256_shuffle_ps(ab_low, cd_low, 0x44));  // a0 b0 c0 d0
            _mm256_storeu_ps(at + 16, _mm256_shuffle_ps(ab_low, cd_low, 0xEE));
            _mm256_storeu_ps(at + 32, _mm256_shuffle_ps(ab_high, cd_high, 0x44));
            _mm256_storeu_ps(at + 48, _mm256_shuffle_ps(ab_high, cd_high, 0xEE));
        }
    }
}

#endif

#if defined(__AVX512F__)
template <class Arch, class Row>
    requires is_avx512<Arch>
[[gnu::always_inline]] inline void transpose_16x8(const Row& row, std::size_t first, float* to) noexcept {
    // Columns 0 to 3 of a register hold four features of a row, columns 4 to 7 the other four, and so on for row + 4.
    struct Four {  // feature f of four rows, feature f + 4 of these, and the same of the next four
        __m512 of_0, of_1, of_2, of_3;
    };
    const auto eight_rows = [&](std::size_t i) __attribute__((always_inline)) {
        const auto two = [&](std::size_t at) __attribute__((always_inline)) {
            const __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(_mm256_loadu_ps(row(i + at) + first)));
            const __m256d high = _mm256_castps_pd(_mm256_loadu_ps(row(i + at + 4) + first));
            return _mm512_castpd_ps(_mm512_insertf64x4(low, high, 1));
        };
        const __m512 a = two(0);
        const __m512 b = two(1);
        const __m512 c = two(2);
        const __m512 d = two(3);
        const __m512 ab_low = _mm512_unpacklo_ps(a, b);
        const __m512 ab_high = _mm512_unpackhi_ps(a, b);
        const __m512 cd_low = _mm512_unpacklo_ps(c, d);
        const __m512 cd_high = _mm512_unpackhi_ps(c, d);
        return Four{_mm512_shuffle_ps(ab_low, cd_low, 0x44), _mm512_shuffle_ps(ab_low, cd_low, 0xEE),
                    _mm512_shuffle_ps(ab_high, cd_high, 0x44), _mm512_shuffle_ps(ab_high, cd_high, 0xEE)};
    };
    const Four low = eight_rows(0);
    const Four high = eight_rows(8);
    const auto store = [&](std::size_t f, __m512 x, __m512 y) __attribute__((always_inline)) {
        _mm512_storeu_ps(to + 16 * f, _mm512_shuffle_f32x4(x, y, 0x88));
        _mm512_storeu_ps(to + 16 * (f + 4), _mm512_shuffle_f32x4(x, y, 0xDD));
    };
    store(0, low.of_0, high.of_0);
    store(1, low.of_1, high.of_1);
    store(2, low.of_2, high.of_2);
    store(3, low.of_3, high.of_3);
}
#endif

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

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
    /// Elements `at` of a table of N = 2^n numbers: those of both halves are looked up, and one is selected.
    template <std::size_t N>
    [[nodiscard, gnu::always_inline]] static Integers lookup(const Integers* table, const Integers& at) noexcept {
        if constexpr (N <= 8) {
            return Integers(_mm256_permutevar8x32_epi32(table[0].value, at.value));
        } else {
            const auto low = _mm256_castsi256_ps(lookup<N / 2>(table, at).value);
            const auto high = _mm256_castsi256_ps(lookup<N / 2>(table + N / 2 / size, at).value);
            const __m256i is_high = _mm256_slli_epi32(at.value, 32 - std::bit_width(N / 2));  // the sign
            return Integers(_mm256_castps_si256(_mm256_blendv_ps(low, high, _mm256_castsi256_ps(is_high))));
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
    /// The child of node `at` of a search tree: the right one if this > threshold.
    [[nodiscard, gnu::always_inline]] Integers child(const Integers& at, const Integers& threshold) const noexcept {
        return Integers(
            _mm256_sub_epi32(_mm256_add_epi32(at.value, at.value), _mm256_cmpgt_epi32(value, threshold.value)));
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
    template <std::size_t N>
    [[nodiscard, gnu::always_inline]] static Integers lookup(const Integers* table, const Integers& at) noexcept {
        if constexpr (N <= 16) {
            return Integers(_mm512_permutexvar_epi32(at.value, table[0].value));
        } else if constexpr (N == 32) {
            return Integers(_mm512_permutex2var_epi32(table[0].value, at.value, table[1].value));
        } else {
            const Integers low = lookup<N / 2>(table, at);
            const Integers high = lookup<N / 2>(table + N / 2 / size, at);
            const __mmask16 is_high = _mm512_test_epi32_mask(at.value, _mm512_set1_epi32(N / 2));
            return Integers(_mm512_mask_mov_epi32(low.value, is_high, high.value));
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
    [[nodiscard, gnu::always_inline]] Integers child(const Integers& at, const Integers& threshold) const noexcept {
        const __m512i left = _mm512_add_epi32(at.value, at.value);
        return Integers(
            _mm512_mask_add_epi32(left, _mm512_cmpgt_epi32_mask(value, threshold.value), left, _mm512_set1_epi32(1)));
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
        unroll<Depth>([&](auto level) __attribute__((always_inline)) {
            const Register* const table = table_.data() + registers_above(level);
            at = keys.child(at, Register::template lookup<std::size_t{1} << level>(table, at));
        });
        return at;
    }

private:
    std::array<Register, registers_above(Depth) + 1> table_;
};

#if defined(__AVX2__)
// to[j * stride + i] = rows[i][first + j]
[[gnu::always_inline]] inline void transpose_8x8(const float* const* rows, std::size_t first, float* to,
                                                 std::size_t stride) noexcept {
    for (std::size_t i = 0; i < 8; i += 4) {
        const __m256 a = _mm256_loadu_ps(rows[i] + first);
        const __m256 b = _mm256_loadu_ps(rows[i + 1] + first);
        const __m256 c = _mm256_loadu_ps(rows[i + 2] + first);
        const __m256 d = _mm256_loadu_ps(rows[i + 3] + first);
        const __m256 ab_low = _mm256_unpacklo_ps(a, b);  // a0 b0 a1 b1, a4 b4 a5 b5
        const __m256 ab_high = _mm256_unpackhi_ps(a, b);
        const __m256 cd_low = _mm256_unpacklo_ps(c, d);
        const __m256 cd_high = _mm256_unpackhi_ps(c, d);
        const auto store = [&](std::size_t j, __m256 columns) __attribute__((always_inline)) {  // j and j + 4
            _mm_storeu_ps(to + j * stride + i, _mm256_castps256_ps128(columns));
            _mm_storeu_ps(to + (j + 4) * stride + i, _mm256_extractf128_ps(columns, 1));
        };
        store(0, _mm256_shuffle_ps(ab_low, cd_low, 0x44));  // a0 b0 c0 d0, a4 b4 c4 d4
        store(1, _mm256_shuffle_ps(ab_low, cd_low, 0xEE));
        store(2, _mm256_shuffle_ps(ab_high, cd_high, 0x44));
        store(3, _mm256_shuffle_ps(ab_high, cd_high, 0xEE));
    }
}

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
// At most 32 values, for a multiple of 16 leaves. They are looked up in registers; for more, loads are as fast.
[[gnu::always_inline]] inline void add_from_registers(std::span<const double> values,
                                                      std::span<const std::uint8_t> leaves,
                                                      std::span<double> sums) noexcept {
    const auto table = [&](std::size_t i) __attribute__((always_inline)) {  // values 8 i to 8 i + 7
        const auto all = (std::uint64_t{1} << values.size()) - 1;
        return _mm512_maskz_loadu_pd(static_cast<__mmask8>(all >> (8 * i)), values.data() + 8 * i);
    };
    const __m512d values_0 = table(0);
    const __m512d values_8 = table(1);
    const __m512d values_16 = table(2);
    const __m512d values_24 = table(3);
    for (std::size_t r = 0; r < leaves.size(); r += 8) {
        const __m512i at = _mm512_cvtepu8_epi64(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(leaves.data() + r)));
        const __m512d low = _mm512_permutex2var_pd(values_0, at, values_8);
        const __m512d high = _mm512_permutex2var_pd(values_16, at, values_24);
        const __mmask8 is_high = _mm512_test_epi64_mask(at, _mm512_set1_epi64(16));
        double* sum = sums.data() + r;
        _mm512_storeu_pd(sum, _mm512_add_pd(_mm512_loadu_pd(sum), _mm512_mask_mov_pd(low, is_high, high)));
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

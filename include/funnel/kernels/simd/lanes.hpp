// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

// Lanes of floats beside lanes of 32-bit words, for random numbers. xsimd has no product of two words of 64 bits, and
// its fma is not exact on every instruction set, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// Has specializations for the instruction sets with a fused multiply-add; backends without it use the scalar kernel.
template <class Arch>
struct Lanes;

#if defined(__AVX512F__)
template <class Arch>
    requires is_avx512<Arch>
struct Lanes<Arch> {
    static constexpr std::size_t size = 16;
    using Float = __m512;
    using Word = __m512i;
    using Mask = __mmask16;

#define FUNNEL_LANES [[nodiscard, gnu::always_inline]] static inline
    FUNNEL_LANES Float all(float x) noexcept { return _mm512_set1_ps(x); }
    FUNNEL_LANES Word all_words(std::uint32_t x) noexcept { return _mm512_set1_epi32(static_cast<int>(x)); }
    FUNNEL_LANES Word iota() noexcept {
        return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    }
    FUNNEL_LANES Float load(const float* p) noexcept { return _mm512_loadu_ps(p); }
    FUNNEL_LANES Word load_words(const std::uint32_t* p) noexcept { return _mm512_loadu_si512(p); }
    [[gnu::always_inline]] static inline void store_words(std::uint32_t* p, Word x) noexcept {
        _mm512_storeu_si512(p, x);
    }
    [[gnu::always_inline]] static inline void store(float* p, Float x) noexcept { _mm512_storeu_ps(p, x); }

    FUNNEL_LANES Float add(Float x, Float y) noexcept { return _mm512_add_ps(x, y); }
    FUNNEL_LANES Float sub(Float x, Float y) noexcept { return _mm512_sub_ps(x, y); }
    FUNNEL_LANES Float mul(Float x, Float y) noexcept { return _mm512_mul_ps(x, y); }
    FUNNEL_LANES Float div(Float x, Float y) noexcept { return _mm512_div_ps(x, y); }
    FUNNEL_LANES Float minus_abs(Float x) noexcept {
        return as_float(_mm512_or_si512(as_word(x), all_words(1U << 31)));
    }
    FUNNEL_LANES Float fma(Float x, Float y, Float z) noexcept { return _mm512_fmadd_ps(x, y, z); }

    FUNNEL_LANES Word add_words(Word x, Word y) noexcept { return _mm512_add_epi32(x, y); }
    FUNNEL_LANES Word sub_words(Word x, Word y) noexcept { return _mm512_sub_epi32(x, y); }
    FUNNEL_LANES Word bit_and(Word x, Word y) noexcept { return _mm512_and_si512(x, y); }
    FUNNEL_LANES Word bit_xor(Word x, Word y) noexcept { return _mm512_xor_si512(x, y); }
    template <int N>
    FUNNEL_LANES Word right(Word x) noexcept {
        return _mm512_srli_epi32(x, N);
    }
    template <int N>
    FUNNEL_LANES Word signed_right(Word x) noexcept {
        return _mm512_srai_epi32(x, N);
    }
    template <int N>
    FUNNEL_LANES Word left(Word x) noexcept {
        return _mm512_slli_epi32(x, N);
    }
    FUNNEL_LANES Word wide_product(Word x, Word y) noexcept { return _mm512_mul_epu32(x, y); }
    FUNNEL_LANES Word high_halves(Word x) noexcept { return _mm512_srli_epi64(x, 32); }
    FUNNEL_LANES Word bit_xor(Word x, Word y, Word z) noexcept { return _mm512_ternarylogic_epi64(x, y, z, 0x96); }
    FUNNEL_LANES Word join_low_halves(Word even, Word odd) noexcept {
        return _mm512_mask_mov_epi32(even, 0xAAAA, _mm512_slli_epi64(odd, 32));
    }
    FUNNEL_LANES Float to_float(Word x) noexcept { return _mm512_cvtepi32_ps(x); }
    FUNNEL_LANES Word to_word(Float x) noexcept { return _mm512_cvttps_epi32(x); }
    FUNNEL_LANES Float as_float(Word x) noexcept { return _mm512_castsi512_ps(x); }
    FUNNEL_LANES Word as_word(Float x) noexcept { return _mm512_castps_si512(x); }

    FUNNEL_LANES Mask none() noexcept { return 0; }
    FUNNEL_LANES Mask every() noexcept { return 0xFFFF; }
    FUNNEL_LANES unsigned bits_of(Mask x) noexcept { return x; }
    FUNNEL_LANES Mask is_less(Float x, Float y) noexcept { return _mm512_cmp_ps_mask(x, y, _CMP_LT_OQ); }
    template <int Bit>
    FUNNEL_LANES Mask has_bit(Word x) noexcept {
        return _mm512_test_epi32_mask(x, _mm512_set1_epi32(1 << Bit));
    }
    FUNNEL_LANES Mask both(Mask x, Mask y) noexcept { return static_cast<Mask>(x & y); }
    FUNNEL_LANES Mask either(Mask x, Mask y) noexcept { return static_cast<Mask>(x | y); }
    FUNNEL_LANES Mask without(Mask x, Mask y) noexcept { return static_cast<Mask>(x & ~y); }
    FUNNEL_LANES bool any(Mask x) noexcept { return x != 0; }
    FUNNEL_LANES bool all_of(Mask x) noexcept { return x == 0xFFFF; }
    FUNNEL_LANES Float select(Mask mask, Float yes, Float no) noexcept { return _mm512_mask_mov_ps(no, mask, yes); }
#undef FUNNEL_LANES
};
#endif

#if defined(__AVX2__) && defined(__FMA__)
template <class Arch>
    requires(std::derived_from<Arch, xsimd::fma3<xsimd::avx2>> && !is_avx512<Arch>)
struct Lanes<Arch> {
    static constexpr std::size_t size = 8;
    using Float = __m256;
    using Word = __m256i;
    using Mask = __m256;  // all bits of a lane, or none

#define FUNNEL_LANES [[nodiscard, gnu::always_inline]] static inline
    FUNNEL_LANES Float all(float x) noexcept { return _mm256_set1_ps(x); }
    FUNNEL_LANES Word all_words(std::uint32_t x) noexcept { return _mm256_set1_epi32(static_cast<int>(x)); }
    FUNNEL_LANES Word iota() noexcept { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
    FUNNEL_LANES Float load(const float* p) noexcept { return _mm256_loadu_ps(p); }
    FUNNEL_LANES Word load_words(const std::uint32_t* p) noexcept {
        return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    }
    [[gnu::always_inline]] static inline void store_words(std::uint32_t* p, Word x) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), x);
    }
    [[gnu::always_inline]] static inline void store(float* p, Float x) noexcept { _mm256_storeu_ps(p, x); }

    FUNNEL_LANES Float add(Float x, Float y) noexcept { return _mm256_add_ps(x, y); }
    FUNNEL_LANES Float sub(Float x, Float y) noexcept { return _mm256_sub_ps(x, y); }
    FUNNEL_LANES Float mul(Float x, Float y) noexcept { return _mm256_mul_ps(x, y); }
    FUNNEL_LANES Float div(Float x, Float y) noexcept { return _mm256_div_ps(x, y); }
    FUNNEL_LANES Float minus_abs(Float x) noexcept { return _mm256_or_ps(x, all(-0.0F)); }
    FUNNEL_LANES Float fma(Float x, Float y, Float z) noexcept { return _mm256_fmadd_ps(x, y, z); }

    FUNNEL_LANES Word add_words(Word x, Word y) noexcept { return _mm256_add_epi32(x, y); }
    FUNNEL_LANES Word sub_words(Word x, Word y) noexcept { return _mm256_sub_epi32(x, y); }
    FUNNEL_LANES Word bit_and(Word x, Word y) noexcept { return _mm256_and_si256(x, y); }
    FUNNEL_LANES Word bit_xor(Word x, Word y) noexcept { return _mm256_xor_si256(x, y); }
    template <int N>
    FUNNEL_LANES Word right(Word x) noexcept {
        return _mm256_srli_epi32(x, N);
    }
    template <int N>
    FUNNEL_LANES Word signed_right(Word x) noexcept {
        return _mm256_srai_epi32(x, N);
    }
    template <int N>
    FUNNEL_LANES Word left(Word x) noexcept {
        return _mm256_slli_epi32(x, N);
    }
    FUNNEL_LANES Word wide_product(Word x, Word y) noexcept { return _mm256_mul_epu32(x, y); }
    FUNNEL_LANES Word high_halves(Word x) noexcept { return _mm256_srli_epi64(x, 32); }
    FUNNEL_LANES Word bit_xor(Word x, Word y, Word z) noexcept { return bit_xor(bit_xor(x, y), z); }
    FUNNEL_LANES Word join_low_halves(Word even, Word odd) noexcept {
        return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
    }
    FUNNEL_LANES Float to_float(Word x) noexcept { return _mm256_cvtepi32_ps(x); }
    FUNNEL_LANES Word to_word(Float x) noexcept { return _mm256_cvttps_epi32(x); }
    FUNNEL_LANES Float as_float(Word x) noexcept { return _mm256_castsi256_ps(x); }
    FUNNEL_LANES Word as_word(Float x) noexcept { return _mm256_castps_si256(x); }

    FUNNEL_LANES Mask none() noexcept { return _mm256_setzero_ps(); }
    FUNNEL_LANES Mask every() noexcept { return as_float(_mm256_set1_epi32(-1)); }
    FUNNEL_LANES unsigned bits_of(Mask x) noexcept { return static_cast<unsigned>(_mm256_movemask_ps(x)); }
    FUNNEL_LANES Mask is_less(Float x, Float y) noexcept { return _mm256_cmp_ps(x, y, _CMP_LT_OQ); }
    template <int Bit>
    FUNNEL_LANES Mask has_bit(Word x) noexcept {
        return as_float(_mm256_srai_epi32(_mm256_slli_epi32(x, 31 - Bit), 31));
    }
    FUNNEL_LANES Mask both(Mask x, Mask y) noexcept { return _mm256_and_ps(x, y); }
    FUNNEL_LANES Mask either(Mask x, Mask y) noexcept { return _mm256_or_ps(x, y); }
    FUNNEL_LANES Mask without(Mask x, Mask y) noexcept { return _mm256_andnot_ps(y, x); }
    FUNNEL_LANES bool any(Mask x) noexcept { return _mm256_movemask_ps(x) != 0; }
    FUNNEL_LANES bool all_of(Mask x) noexcept { return _mm256_movemask_ps(x) == 0xFF; }
    FUNNEL_LANES Float select(Mask mask, Float yes, Float no) noexcept { return _mm256_blendv_ps(no, yes, mask); }
#undef FUNNEL_LANES
};
#endif

/// Two batches side by side. The operations of the two alternate, so that a processor works on one batch while it waits
/// for the other: formulas of random numbers are long chains of operations, each of which needs the result before.
template <class L>
struct Twice {
    static constexpr std::size_t size = 2 * L::size;
    struct Float {
        typename L::Float low;
        typename L::Float high;
    };
    struct Word {
        typename L::Word low;
        typename L::Word high;
    };
    struct Mask {
        typename L::Mask low;
        typename L::Mask high;
    };

#define FUNNEL_LANES [[nodiscard, gnu::always_inline]] static inline
    FUNNEL_LANES Float all(float x) noexcept { return {L::all(x), L::all(x)}; }
    FUNNEL_LANES Word all_words(std::uint32_t x) noexcept { return {L::all_words(x), L::all_words(x)}; }
    FUNNEL_LANES Word iota() noexcept {
        return {L::iota(), L::add_words(L::iota(), L::all_words(static_cast<std::uint32_t>(L::size)))};
    }
    FUNNEL_LANES Float load(const float* p) noexcept { return {L::load(p), L::load(p + L::size)}; }
    FUNNEL_LANES Word load_words(const std::uint32_t* p) noexcept {
        return {L::load_words(p), L::load_words(p + L::size)};
    }
    [[gnu::always_inline]] static inline void store_words(std::uint32_t* p, Word x) noexcept {
        L::store_words(p, x.low);
        L::store_words(p + L::size, x.high);
    }
    [[gnu::always_inline]] static inline void store(float* p, Float x) noexcept {
        L::store(p, x.low);
        L::store(p + L::size, x.high);
    }

    FUNNEL_LANES Float add(Float x, Float y) noexcept { return {L::add(x.low, y.low), L::add(x.high, y.high)}; }
    FUNNEL_LANES Float sub(Float x, Float y) noexcept { return {L::sub(x.low, y.low), L::sub(x.high, y.high)}; }
    FUNNEL_LANES Float mul(Float x, Float y) noexcept { return {L::mul(x.low, y.low), L::mul(x.high, y.high)}; }
    FUNNEL_LANES Float div(Float x, Float y) noexcept { return {L::div(x.low, y.low), L::div(x.high, y.high)}; }
    FUNNEL_LANES Float minus_abs(Float x) noexcept { return {L::minus_abs(x.low), L::minus_abs(x.high)}; }
    FUNNEL_LANES Float fma(Float x, Float y, Float z) noexcept {
        return {L::fma(x.low, y.low, z.low), L::fma(x.high, y.high, z.high)};
    }

    FUNNEL_LANES Word add_words(Word x, Word y) noexcept {
        return {L::add_words(x.low, y.low), L::add_words(x.high, y.high)};
    }
    FUNNEL_LANES Word sub_words(Word x, Word y) noexcept {
        return {L::sub_words(x.low, y.low), L::sub_words(x.high, y.high)};
    }
    FUNNEL_LANES Word bit_and(Word x, Word y) noexcept {
        return {L::bit_and(x.low, y.low), L::bit_and(x.high, y.high)};
    }
    FUNNEL_LANES Word bit_xor(Word x, Word y) noexcept {
        return {L::bit_xor(x.low, y.low), L::bit_xor(x.high, y.high)};
    }
    FUNNEL_LANES Word bit_xor(Word x, Word y, Word z) noexcept {
        return {L::bit_xor(x.low, y.low, z.low), L::bit_xor(x.high, y.high, z.high)};
    }
    template <int N>
    FUNNEL_LANES Word right(Word x) noexcept {
        return {L::template right<N>(x.low), L::template right<N>(x.high)};
    }
    template <int N>
    FUNNEL_LANES Word signed_right(Word x) noexcept {
        return {L::template signed_right<N>(x.low), L::template signed_right<N>(x.high)};
    }
    template <int N>
    FUNNEL_LANES Word left(Word x) noexcept {
        return {L::template left<N>(x.low), L::template left<N>(x.high)};
    }
    FUNNEL_LANES Word wide_product(Word x, Word y) noexcept {
        return {L::wide_product(x.low, y.low), L::wide_product(x.high, y.high)};
    }
    FUNNEL_LANES Word high_halves(Word x) noexcept { return {L::high_halves(x.low), L::high_halves(x.high)}; }
    FUNNEL_LANES Word join_low_halves(Word even, Word odd) noexcept {
        return {L::join_low_halves(even.low, odd.low), L::join_low_halves(even.high, odd.high)};
    }
    FUNNEL_LANES Float to_float(Word x) noexcept { return {L::to_float(x.low), L::to_float(x.high)}; }
    FUNNEL_LANES Float as_float(Word x) noexcept { return {L::as_float(x.low), L::as_float(x.high)}; }
    FUNNEL_LANES Word as_word(Float x) noexcept { return {L::as_word(x.low), L::as_word(x.high)}; }

    FUNNEL_LANES Mask every() noexcept { return {L::every(), L::every()}; }
    FUNNEL_LANES std::uint64_t bits_of(Mask x) noexcept {
        return std::uint64_t{L::bits_of(x.low)} | std::uint64_t{L::bits_of(x.high)} << L::size;
    }
    FUNNEL_LANES Mask is_less(Float x, Float y) noexcept {
        return {L::is_less(x.low, y.low), L::is_less(x.high, y.high)};
    }
    template <int Bit>
    FUNNEL_LANES Mask has_bit(Word x) noexcept {
        return {L::template has_bit<Bit>(x.low), L::template has_bit<Bit>(x.high)};
    }
    FUNNEL_LANES Mask both(Mask x, Mask y) noexcept { return {L::both(x.low, y.low), L::both(x.high, y.high)}; }
    FUNNEL_LANES Mask either(Mask x, Mask y) noexcept { return {L::either(x.low, y.low), L::either(x.high, y.high)}; }
    FUNNEL_LANES Mask without(Mask x, Mask y) noexcept {
        return {L::without(x.low, y.low), L::without(x.high, y.high)};
    }
    FUNNEL_LANES bool any(Mask x) noexcept { return L::any(L::either(x.low, x.high)); }
    FUNNEL_LANES Float select(Mask mask, Float yes, Float no) noexcept {
        return {L::select(mask.low, yes.low, no.low), L::select(mask.high, yes.high, no.high)};
    }
#undef FUNNEL_LANES
};

/// Four words per lane: philox4x32 of each lane's counter, all with one key.
///
/// A product of two words has 64 bits. So the words of even and of odd lanes are computed apart, in the low halves of
/// lanes of 64 bits. Products ignore the high halves, which hold anything.
template <class L>
[[nodiscard, gnu::always_inline]] inline std::array<typename L::Word, 4> philox4x32(
    std::array<typename L::Word, 4> counter, std::array<std::uint32_t, 2> key) noexcept {
    const auto first = L::all_words(0xD2511F53);
    const auto second = L::all_words(0xCD9E8D57);
    auto even = counter;
    auto odd = counter;
    for (auto& word : odd) {
        word = L::high_halves(word);
    }
    for (int round = 0; round < 10; ++round) {
        const auto key_a = L::all_words(key[0]);
        const auto key_b = L::all_words(key[1]);
        for (auto* const words : {&even, &odd}) {
            const auto a = L::wide_product((*words)[0], first);
            const auto b = L::wide_product((*words)[2], second);
            *words = {L::bit_xor(L::high_halves(b), (*words)[1], key_a), b,
                      L::bit_xor(L::high_halves(a), (*words)[3], key_b), a};
        }
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    for (std::size_t i = 0; i < 4; ++i) {
        counter[i] = L::join_low_halves(even[i], odd[i]);
    }
    return counter;
}

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

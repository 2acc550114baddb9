// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/write_hits.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

// Products of bytes with VNNI, AVX2 and NEON. xsimd has none, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

#if defined(__AVX512VNNI__)
template <class Arch>
inline constexpr bool has_vnni = is_avx512<Arch>;
#else
template <class Arch>
inline constexpr bool has_vnni = false;
#endif
#if defined(__AVX2__)
template <class Arch>
inline constexpr bool has_byte_products = is_avx512<Arch> || std::derived_from<Arch, xsimd::avx2>;
#elif defined(__aarch64__)
template <class Arch>
inline constexpr bool has_byte_products = std::derived_from<Arch, xsimd::neon64>;
#else
template <class Arch>
inline constexpr bool has_byte_products = false;
#endif

/// Sums for the vectors of one register, each in its lane, in the order of the vectors.
template <class Arch>
class Int8Sums;

#if defined(__AVX2__)
/// One half of a block.
template <class Arch>
    requires(has_byte_products<Arch> && !has_vnni<Arch>)
class Int8Sums<Arch> {
public:
    static constexpr std::size_t lanes = 8;
    static constexpr std::size_t registers = 2;  // registers of sums for each of several queries

    // Bytes as signed numbers, and their absolute values.
    struct Bytes {
        __m256i numbers;
        __m256i absolutes;
    };
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::uint8_t* p) noexcept {
        const __m256i numbers =
            _mm256_xor_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)), _mm256_set1_epi8(-128));
        return {numbers, _mm256_abs_epi8(numbers)};
    }
    using Four = __m256i;
    [[nodiscard, gnu::always_inline]] static Four broadcast(std::int32_t four) noexcept {
        return _mm256_set1_epi32(four);
    }

    [[gnu::always_inline]] void start(std::int32_t) noexcept { sums_ = _mm256_setzero_si256(); }
    // The product of an unsigned and a signed byte: |b| and sign(b) q. Pairs are at most 2 * 127 * 127 < 2^15.
    [[gnu::always_inline]] void add(const Bytes& bytes, Four query) noexcept {
        const __m256i pairs = _mm256_maddubs_epi16(bytes.absolutes, _mm256_sign_epi8(query, bytes.numbers));
        sums_ = _mm256_add_epi32(sums_, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    [[gnu::always_inline]] void add(const Int8Sums& other) noexcept { sums_ = _mm256_add_epi32(sums_, other.sums_); }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sums_);
    }
    [[nodiscard, gnu::always_inline]] __m256 floats() const noexcept { return _mm256_cvtepi32_ps(sums_); }

    class Scores {
    public:
        [[gnu::always_inline]] Scores(const Int8Sums& sums, const Int8Scan& scan, const float* scales,
                                      const float* biases) noexcept {
            const __m256 dots = _mm256_cvtepi32_ps(sums.sums_);
            const __m256 inner =
                _mm256_add_ps(_mm256_mul_ps(_mm256_set1_ps(scan.step), dots), _mm256_set1_ps(scan.offset));
            scores_ = _mm256_mul_ps(_mm256_loadu_ps(scales), inner);
            if (biases != nullptr) {
                scores_ = _mm256_add_ps(scores_, _mm256_loadu_ps(biases));
            }
            const __m256 reach = _mm256_cmp_ps(scores_, _mm256_set1_ps(scan.threshold), _CMP_NLT_UQ);
            hits_ = static_cast<unsigned>(_mm256_movemask_ps(reach));
        }
        [[nodiscard, gnu::always_inline]] unsigned hits() const noexcept { return hits_; }
        // The vectors whose bit is set, the first of which has id `first`.
        [[gnu::always_inline]] void write(unsigned hits, std::uint32_t first, Scored<>* out) const noexcept {
            alignas(32) std::array<float, lanes> scores;
            _mm256_store_ps(scores.data(), scores_);
            write_hits(hits, first, scores.data(), out);
        }

    private:
        __m256 scores_;
        unsigned hits_;
    };

private:
    __m256i sums_;
};
#endif

#if defined(__AVX512VNNI__)
/// One block.
template <class Arch>
    requires has_vnni<Arch>
class Int8Sums<Arch> {
public:
    static constexpr std::size_t lanes = 16;
    static constexpr std::size_t registers = 4;

    struct Bytes {
        __m512i plus_128;
    };
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::uint8_t* p) noexcept {
        return {_mm512_loadu_si512(p)};
    }
    using Four = __m512i;
    [[nodiscard, gnu::always_inline]] static Four broadcast(std::int32_t four) noexcept {
        return _mm512_set1_epi32(four);
    }

    // The instruction multiplies unsigned with signed bytes: subtract 128 times the sum of the query. Intermediate sums
    // may wrap around, the result fits.
    [[gnu::always_inline]] void start(std::int32_t sum) noexcept {
        sums_ = _mm512_set1_epi32(static_cast<std::int32_t>(0U - 128U * static_cast<std::uint32_t>(sum)));
    }
    [[gnu::always_inline]] void add(const Bytes& bytes, Four query) noexcept {
        __m512i sums = _mm512_dpbusd_epi32(sums_, bytes.plus_128, query);
        asm("" : "+v"(sums));  // else g++ 12 copies the register before and after each instruction
        sums_ = sums;
    }
    [[gnu::always_inline]] void add(const Int8Sums& other) noexcept { sums_ = _mm512_add_epi32(sums_, other.sums_); }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept { _mm512_storeu_si512(p, sums_); }
    [[nodiscard, gnu::always_inline]] __m512 floats() const noexcept { return _mm512_cvtepi32_ps(sums_); }

    class Scores {
    public:
        [[gnu::always_inline]] Scores(const Int8Sums& sums, const Int8Scan& scan, const float* scales,
                                      const float* biases) noexcept {
            const __m512 inner =
                _mm512_fmadd_ps(_mm512_set1_ps(scan.step), _mm512_cvtepi32_ps(sums.sums_), _mm512_set1_ps(scan.offset));
            const __m512 scale = _mm512_loadu_ps(scales);
            scores_ = biases != nullptr ? _mm512_fmadd_ps(scale, inner, _mm512_loadu_ps(biases))
                                        : _mm512_mul_ps(scale, inner);
            hits_ = _mm512_cmp_ps_mask(scores_, _mm512_set1_ps(scan.threshold), _CMP_NLT_UQ);
        }
        [[nodiscard, gnu::always_inline]] unsigned hits() const noexcept { return hits_; }
        // The vectors whose bit is set, the first of which has id `first`.
        [[gnu::always_inline]] void write(unsigned hits, std::uint32_t first, Scored<>* out) const noexcept {
            write_hits(hits, first, scores_, out);
        }

    private:
        __m512 scores_;
        __mmask16 hits_;
    };

private:
    __m512i sums_;
};
#endif

#if defined(__aarch64__)
/// Adds the products of four bytes to each lane. Every byte is in [-127, 127].
[[nodiscard, gnu::always_inline]] inline int32x4_t add_byte_products(int32x4_t sums, int8x16_t a,
                                                                     int8x16_t b) noexcept {
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sums, a, b);
#else
    // Pairs are at most 2 * 127 * 127 < 2^15.
    return vpadalq_s16(sums, vpaddq_s16(vmull_s8(vget_low_s8(a), vget_low_s8(b)), vmull_high_s8(a, b)));
#endif
}

/// 16 bytes u, each of which stands for u - 128.
[[nodiscard, gnu::always_inline]] inline int8x16_t load_plus_128(const std::uint8_t* p) noexcept {
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(128)));
}

/// A quarter of a block.
template <class Arch>
    requires has_byte_products<Arch>
class Int8Sums<Arch> {
public:
    static constexpr std::size_t lanes = 4;
    static constexpr std::size_t registers = 4;

    using Bytes = int8x16_t;
    [[nodiscard, gnu::always_inline]] static Bytes load(const std::uint8_t* p) noexcept { return load_plus_128(p); }
    using Four = int8x16_t;
    [[nodiscard, gnu::always_inline]] static Four broadcast(std::int32_t four) noexcept {
        return vreinterpretq_s8_s32(vdupq_n_s32(four));
    }

    [[gnu::always_inline]] void start(std::int32_t) noexcept { sums_ = vdupq_n_s32(0); }
    [[gnu::always_inline]] void add(Bytes bytes, Four query) noexcept {
        sums_ = add_byte_products(sums_, bytes, query);
    }
    [[gnu::always_inline]] void add(const Int8Sums& other) noexcept { sums_ = vaddq_s32(sums_, other.sums_); }
    [[gnu::always_inline]] void store(std::int32_t* p) const noexcept { vst1q_s32(p, sums_); }
    [[nodiscard, gnu::always_inline]] float32x4_t floats() const noexcept { return vcvtq_f32_s32(sums_); }

    class Scores {
    public:
        [[gnu::always_inline]] Scores(const Int8Sums& sums, const Int8Scan& scan, const float* scales,
                                      const float* biases) noexcept {
            const float32x4_t inner =
                vfmaq_f32(vdupq_n_f32(scan.offset), vdupq_n_f32(scan.step), vcvtq_f32_s32(sums.sums_));
            const float32x4_t scale = vld1q_f32(scales);
            scores_ = biases != nullptr ? vfmaq_f32(vld1q_f32(biases), scale, inner) : vmulq_f32(scale, inner);
            const uint32x4_t below = vcltq_f32(scores_, vdupq_n_f32(scan.threshold));
            constexpr std::array<std::uint32_t, lanes> bits{1, 2, 4, 8};
            hits_ = vaddvq_u32(vbicq_u32(vld1q_u32(bits.data()), below));
        }
        [[nodiscard, gnu::always_inline]] unsigned hits() const noexcept { return hits_; }
        // The vectors whose bit is set, the first of which has id `first`.
        [[gnu::always_inline]] void write(unsigned hits, std::uint32_t first, Scored<>* out) const noexcept {
            std::array<float, lanes> scores;
            vst1q_f32(scores.data(), scores_);
            write_hits(hits, first, scores.data(), out);
        }

    private:
        float32x4_t scores_;
        unsigned hits_;
    };

private:
    int32x4_t sums_;
};
#endif

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

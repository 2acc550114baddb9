// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/scalar/half.hpp>
#include <funnel/kernels/simd/sums.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

// xsimd has no floats of 16 bits, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// A batch of floats from and to as many halves. Has specializations for the instruction sets that convert. load_even
/// and load_odd read the elements 0, 2, 4 ... and 1, 3, 5 ... of twice as many.
template <class Arch, class H>
struct HalfBatch;

#if defined(__AVX512F__) && defined(__F16C__)
template <class Arch>
    requires is_avx512<Arch>
struct HalfBatch<Arch, Float16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const Float16* p) noexcept {
        return Batch<Arch>(_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))));
    }
    [[gnu::always_inline]] static void store(const Batch<Arch>& batch, Float16* p) noexcept {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(batch, _MM_FROUND_TO_NEAREST_INT));
    }
};
#endif
#if defined(__AVX512F__)
template <class Arch>
    requires is_avx512<Arch>
struct HalfBatch<Arch, BFloat16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const BFloat16* p) noexcept {
        const __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
        return Batch<Arch>(_mm512_castsi512_ps(_mm512_slli_epi32(words, 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_even(const BFloat16* p) noexcept {
        return Batch<Arch>(_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_odd(const BFloat16* p) noexcept {
        const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
        return Batch<Arch>(_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), upper)));
    }
};
#endif
#if defined(__F16C__)
template <class Arch>
    requires is_avx<Arch>
struct HalfBatch<Arch, Float16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const Float16* p) noexcept {
        return Batch<Arch>(_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
    }
    [[gnu::always_inline]] static void store(const Batch<Arch>& batch, Float16* p) noexcept {
        _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(batch, _MM_FROUND_TO_NEAREST_INT));
    }
};
#endif
#if defined(__AVX2__)
template <class Arch>
    requires std::derived_from<Arch, xsimd::avx2>
struct HalfBatch<Arch, BFloat16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const BFloat16* p) noexcept {
        const __m256i words = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
        return Batch<Arch>(_mm256_castsi256_ps(_mm256_slli_epi32(words, 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_even(const BFloat16* p) noexcept {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        return Batch<Arch>(_mm256_castsi256_ps(_mm256_slli_epi32(words, 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_odd(const BFloat16* p) noexcept {
        const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xFFFF0000U));
        return Batch<Arch>(_mm256_castsi256_ps(_mm256_and_si256(words, upper)));
    }
};
#endif
#if defined(__aarch64__)
template <class Arch>
    requires std::derived_from<Arch, xsimd::neon64>
struct HalfBatch<Arch, Float16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const Float16* p) noexcept {
        return Batch<Arch>(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(reinterpret_cast<const std::uint16_t*>(p)))));
    }
    [[gnu::always_inline]] static void store(const Batch<Arch>& batch, Float16* p) noexcept {
        vst1_u16(reinterpret_cast<std::uint16_t*>(p), vreinterpret_u16_f16(vcvt_f16_f32(batch)));
    }
};
template <class Arch>
    requires std::derived_from<Arch, xsimd::neon64>
struct HalfBatch<Arch, BFloat16> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const BFloat16* p) noexcept {
        const uint16x4_t halves = vld1_u16(reinterpret_cast<const std::uint16_t*>(p));
        return Batch<Arch>(vreinterpretq_f32_u32(vshll_n_u16(halves, 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_even(const BFloat16* p) noexcept {
        const uint32x4_t words = vreinterpretq_u32_u16(vld1q_u16(reinterpret_cast<const std::uint16_t*>(p)));
        return Batch<Arch>(vreinterpretq_f32_u32(vshlq_n_u32(words, 16)));
    }
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_odd(const BFloat16* p) noexcept {
        const uint32x4_t words = vreinterpretq_u32_u16(vld1q_u16(reinterpret_cast<const std::uint16_t*>(p)));
        return Batch<Arch>(vreinterpretq_f32_u32(vandq_u32(words, vdupq_n_u32(0xFFFF0000U))));
    }
};
#endif

template <class Arch, class H>
concept LoadsHalves = requires(const H* p) {
    { HalfBatch<Arch, H>::load(p) } -> std::same_as<Batch<Arch>>;
};

/// How sums_of reads rows of halves.
template <class Arch, HalfFloat H>
    requires LoadsHalves<Arch, H>
struct RowElements<Arch, H> : HalfBatch<Arch, H> {
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load_first(const H* p, std::size_t count) noexcept {
        std::array<H, Batch<Arch>::size> lanes{};
        std::copy_n(p, count, lanes.begin());
        return HalfBatch<Arch, H>::load(lanes.data());
    }
};

}  // namespace simd

template <class Arch, HalfFloat H>
    requires requires(simd::Batch<Arch> batch, H* p) { simd::HalfBatch<Arch, H>::store(batch, p); }
void to_half(Simd<Arch>, std::span<const float> from, std::span<H> out) noexcept {
    constexpr std::size_t lanes = simd::Batch<Arch>::size;
    const std::size_t in_batches = from.size() - from.size() % lanes;
    for (std::size_t i = 0; i < in_batches; i += lanes) {
        simd::HalfBatch<Arch, H>::store(simd::Batch<Arch>::load_unaligned(from.data() + i), out.data() + i);
    }
    to_half(Scalar{}, from.subspan(in_batches), out.subspan(in_batches));
}

template <class Arch, HalfFloat H>
    requires simd::LoadsHalves<Arch, H>
void to_float(Simd<Arch>, std::span<const H> from, std::span<float> out) noexcept {
    constexpr std::size_t lanes = simd::Batch<Arch>::size;
    const std::size_t in_batches = from.size() - from.size() % lanes;
    for (std::size_t i = 0; i < in_batches; i += lanes) {
        simd::HalfBatch<Arch, H>::load(from.data() + i).store_unaligned(out.data() + i);
    }
    to_float(Scalar{}, from.subspan(in_batches), out.subspan(in_batches));
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

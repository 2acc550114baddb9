// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>

#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

// The only file that depends on the xsimd version (8.1 to 14). It hides renamed functions and adds missing ones. The
// kernels use these functions, arithmetic operators, and the parts of xsimd that are the same in all versions:
// load_unaligned, store_unaligned, max, abs, exp, select, any.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

template <class Arch>
using Batch = xsimd::batch<float, Arch>;

// Register width of a batch: 512 bits, 256 bits.
template <class Arch>
inline constexpr bool is_avx512 = std::derived_from<Arch, xsimd::avx512f>;
template <class Arch>
inline constexpr bool is_avx = std::derived_from<Arch, xsimd::avx>;

// Batches of half the length, where the instruction set has them.
template <class Arch>
inline constexpr bool has_halves = is_avx512<Arch> || is_avx<Arch>;
template <class Arch>
using Half = std::conditional_t<is_avx512<Arch>, xsimd::fma3<xsimd::avx2>, xsimd::sse2>;

/// The backend for the elements left over after the last full batch. A masked store would need one instruction, but a
/// later load must wait until the stored data has reached the cache (no store-to-load forwarding).
template <class Arch>
using Shorter = std::conditional_t<has_halves<Arch>, Simd<Half<Arch>>, Scalar>;

/// merge(upper half, lower half). Lanes are summed by halves: xsimd adds neighbouring lanes, which takes three times as
/// many operations on processors with AVX.
template <class Arch, class Merge>
    requires has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Half<Arch>> merge_halves([[maybe_unused]] const Batch<Arch>& batch,
                                                                        [[maybe_unused]] Merge merge) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        const Batch<Half<Arch>> upper(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(batch), 1)));
        return merge(upper, Batch<Half<Arch>>(_mm512_castps512_ps256(batch)));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        const Batch<Half<Arch>> upper(_mm256_extractf128_ps(batch, 1));  // first, else g++ copies the lower half
        return merge(upper, Batch<Half<Arch>>(_mm256_castps256_ps128(batch)));
    }
#endif
}

/// Sum of the lanes. xsimd 9 renamed hadd to reduce_add.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline float sum_of_lanes(const Batch<Arch>& batch) noexcept {
    if constexpr (has_halves<Arch>) {
        const auto add = [](const auto& a, const auto& b) __attribute__((always_inline)) { return a + b; };
        return sum_of_lanes(merge_halves<Arch>(batch, add));
    } else {
#if XSIMD_VERSION_MAJOR >= 9
        return xsimd::reduce_add(batch);
#else
        return xsimd::hadd(batch);
#endif
    }
}

/// Largest lane. reduce_max exists since xsimd 9.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline float max_of_lanes(const Batch<Arch>& batch) noexcept {
    if constexpr (has_halves<Arch>) {
        const auto larger = [](const auto& a, const auto& b)
                                __attribute__((always_inline)) { return xsimd::max(a, b); };
        return max_of_lanes(merge_halves<Arch>(batch, larger));
    } else {
#if XSIMD_VERSION_MAJOR >= 9
        return xsimd::reduce_max(batch);
#else
        alignas(64) std::array<float, Batch<Arch>::size> lanes;
        batch.store_aligned(lanes.data());
        return *std::max_element(lanes.begin(), lanes.end());
#endif
    }
}

/// a * b + c. Up to xsimd 10, fma for AVX-512 is a multiplication and an addition, which clang does not fuse. The same
/// holds for SSE, and g++ fuses them in some loops and not in others, so that results would depend on the loop.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> fma(const Batch<Arch>& a, const Batch<Arch>& b,
                                                         const Batch<Arch>& c) noexcept {
#if defined(__FMA__)
    if constexpr (std::derived_from<Arch, xsimd::sse2> && !has_halves<Arch>) {
        return Batch<Arch>(_mm_fmadd_ps(a, b, c));
    }
#endif
#if XSIMD_VERSION_MAJOR < 11 && defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return Batch<Arch>(_mm512_fmadd_ps(a, b, c));
    }
#endif
    return xsimd::fma(a, b, c);
}

/// c - a * b, like fma.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> fnma(const Batch<Arch>& a, const Batch<Arch>& b,
                                                          const Batch<Arch>& c) noexcept {
#if XSIMD_VERSION_MAJOR < 11 && defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return Batch<Arch>(_mm512_fnmadd_ps(a, b, c));
    }
#endif
    return xsimd::fnma(a, b, c);
}

#if defined(__AVX__)
namespace detail {

// The eight values from position 8 - count are a mask that enables the first count lanes.
alignas(64) inline constexpr std::array<std::int32_t, 16> lanes_on{-1, -1, -1, -1, -1, -1, -1, -1};

[[nodiscard, gnu::always_inline]] inline __m256i first_of_eight(std::size_t count) noexcept {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(lanes_on.data() + 8 - count));
}

}  // namespace detail
#endif

/// Loads the first count elements at p, count <= lanes (not checked); the other lanes are 0. Reads only these elements.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> load_first(const float* p, std::size_t count) noexcept {
    FUNNEL_ASSERT(count <= Batch<Arch>::size);
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return Batch<Arch>(_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << count) - 1U), p));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        return Batch<Arch>(_mm256_maskload_ps(p, detail::first_of_eight(count)));
    }
#endif
    alignas(64) std::array<float, Batch<Arch>::size> lanes{};
    for (std::size_t i = 0; i < count; ++i) {
        lanes[i] = p[i];
    }
    return Batch<Arch>::load_aligned(lanes.data());
}

/// Stores the first count lanes, count <= lanes (not checked). Writes only these elements.
template <class Arch>
[[gnu::always_inline]] inline void store_first(const Batch<Arch>& batch, float* p, std::size_t count) noexcept {
    FUNNEL_ASSERT(count <= Batch<Arch>::size);
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << count) - 1U), batch);
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        return _mm256_maskstore_ps(p, detail::first_of_eight(count), batch);
    }
#endif
    alignas(64) std::array<float, Batch<Arch>::size> lanes;
    batch.store_aligned(lanes.data());
    for (std::size_t i = 0; i < count; ++i) {
        p[i] = lanes[i];
    }
}

/// All lanes equal to lane i < lanes (not checked) of a batch.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> broadcast_lane(const Batch<Arch>& batch, std::size_t i) noexcept {
    FUNNEL_ASSERT(i < Batch<Arch>::size);
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return Batch<Arch>(_mm512_permutexvar_ps(_mm512_set1_epi32(static_cast<int>(i)), batch));
    }
#endif
#if defined(__AVX2__)
    if constexpr (std::derived_from<Arch, xsimd::avx2>) {
        return Batch<Arch>(_mm256_permutevar8x32_ps(batch, _mm256_set1_epi32(static_cast<int>(i))));
    }
#endif
    alignas(64) std::array<float, Batch<Arch>::size> lanes;
    batch.store_aligned(lanes.data());
    return Batch<Arch>(lanes[i]);
}

template <class Arch>
[[nodiscard, gnu::always_inline]] inline float first_lane(const Batch<Arch>& batch) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return _mm512_cvtss_f32(batch);
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        return _mm256_cvtss_f32(batch);
    }
#endif
    return batch.get(0);
}

/// Doubles. load_wide widens floats.
template <class Arch>
using Wide = xsimd::batch<double, Arch>;

template <class Arch>
    requires has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline Wide<Arch> load_wide([[maybe_unused]] const float* p) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        return Wide<Arch>(_mm512_cvtps_pd(_mm256_loadu_ps(p)));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        return Wide<Arch>(_mm256_cvtps_pd(_mm_loadu_ps(p)));
    }
#endif
}

template <class Arch>
    requires has_halves<Arch>
[[nodiscard, gnu::always_inline]] inline Wide<Arch> load_wide(const double* p) noexcept {
    return Wide<Arch>::load_unaligned(p);
}

/// Sum of the lanes, by halves as above.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline double sum_of_wide_lanes(const Wide<Arch>& batch) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        const __m256d halves = _mm256_add_pd(_mm512_castpd512_pd256(batch), _mm512_extractf64x4_pd(batch, 1));
        return sum_of_wide_lanes<Half<Arch>>(Wide<Half<Arch>>(halves));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        const __m128d halves = _mm_add_pd(_mm256_castpd256_pd128(batch), _mm256_extractf128_pd(batch, 1));
        return _mm_cvtsd_f64(_mm_add_sd(halves, _mm_unpackhi_pd(halves, halves)));
    }
#endif
    double sum = 0.0;
    for (std::size_t i = 0; i < Wide<Arch>::size; ++i) {
        sum += batch.get(i);
    }
    return sum;
}

/// First half of a sum over the lanes of many batches: element i of each group of four lanes becomes the sum of that
/// group of batch i.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> sum_groups(const std::array<Batch<Arch>, 4>& batches) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        const auto add = [](__m512 a, __m512 b) __attribute__((always_inline)) {
            return _mm512_castps_pd(_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)));
        };
        const __m512d pair01 = add(batches[0], batches[1]);
        const __m512d pair23 = add(batches[2], batches[3]);
        return Batch<Arch>(_mm512_castpd_ps(_mm512_unpacklo_pd(pair01, pair23))) +
               Batch<Arch>(_mm512_castpd_ps(_mm512_unpackhi_pd(pair01, pair23)));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        const auto add = [](__m256 a, __m256 b) __attribute__((always_inline)) {
            return _mm256_castps_pd(_mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)));
        };
        const __m256d pair01 = add(batches[0], batches[1]);
        const __m256d pair23 = add(batches[2], batches[3]);
        return Batch<Arch>(_mm256_castpd_ps(_mm256_unpacklo_pd(pair01, pair23))) +
               Batch<Arch>(_mm256_castpd_ps(_mm256_unpackhi_pd(pair01, pair23)));
    }
#endif
    constexpr std::size_t lanes = Batch<Arch>::size;
    alignas(64) std::array<float, lanes> sums{};
    for (std::size_t i = 0; i < 4; ++i) {
        alignas(64) std::array<float, lanes> terms;
        batches[i].store_aligned(terms.data());
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            sums[lane / 4 * 4 + i] += terms[lane];
        }
    }
    return Batch<Arch>::load_aligned(sums.data());
}

/// Second half: lane 4 g + i becomes the sum of the elements i of all groups of batch g.
template <class Arch>
[[nodiscard, gnu::always_inline]] inline Batch<Arch> sum_over_groups(
    const std::array<Batch<Arch>, Batch<Arch>::size / 4>& batches) noexcept {
#if defined(__AVX512F__)
    if constexpr (is_avx512<Arch>) {
        const auto add = [](__m512 a, __m512 b) __attribute__((always_inline)) {
            return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xDD));
        };
        return Batch<Arch>(add(add(batches[0], batches[1]), add(batches[2], batches[3])));
    }
#endif
#if defined(__AVX__)
    if constexpr (is_avx<Arch>) {
        return Batch<Arch>(_mm256_add_ps(_mm256_permute2f128_ps(batches[0], batches[1], 0x20),
                                         _mm256_permute2f128_ps(batches[0], batches[1], 0x31)));
    }
#endif
    constexpr std::size_t lanes = Batch<Arch>::size;
    alignas(64) std::array<float, lanes> sums{};
    for (std::size_t g = 0; g < lanes / 4; ++g) {
        alignas(64) std::array<float, lanes> terms;
        batches[g].store_aligned(terms.data());
        for (std::size_t lane = 0; lane < lanes; ++lane) {
            sums[4 * g + lane % 4] += terms[lane];
        }
    }
    return Batch<Arch>::load_aligned(sums.data());
}

/// Calls body(0), ..., body(N - 1) with compile-time constants. The body must be always_inline; otherwise clang may not
/// inline it, and its batches go through memory.
template <std::size_t N, class Body>
[[gnu::always_inline]] inline void unroll(Body&& body) noexcept {
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
        (body(std::integral_constant<std::size_t, I>{}), ...);
    }(std::make_index_sequence<N>{});
}

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

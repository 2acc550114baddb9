// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/byte_scale.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/scalar/int8_dense.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/int8_sums.hpp>
#include <funnel/kernels/simd/packed_dense.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// xsimd has no conversions to bytes, so this file uses intrinsics.

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Floats that are rounded to bytes, a batch at a time.
template <class Arch>
class ByteRounding;

#if defined(__AVX2__)
template <class Arch>
    requires(has_byte_products<Arch> && !is_avx512<Arch>)
class ByteRounding<Arch> {
public:
    [[gnu::always_inline]] void compare(const Batch<Arch>& numbers) noexcept {
        const __m256i sizes = _mm256_and_si256(_mm256_castps_si256(numbers), _mm256_set1_epi32(0x7FFF'FFFF));
        registers_ = _mm256_max_epu32(registers_, sizes);
    }
    [[nodiscard, gnu::always_inline]] std::uint32_t largest() const noexcept {
        const auto all = lanes();
        return *std::max_element(all.begin(), all.end());
    }

    /// Writes the bytes of a batch, and adds them up.
    [[gnu::always_inline]] void round(const Batch<Arch>& steps, std::int8_t* to) noexcept {
        const __m256i rounded = _mm256_cvtps_epi32(steps);
        registers_ = _mm256_add_epi32(registers_, rounded);
        const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(rounded), _mm256_extracti128_si256(rounded, 1));
        _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packs_epi16(words, words));
    }
    [[nodiscard, gnu::always_inline]] std::int32_t sum() const noexcept {
        std::uint32_t sum = 0;
        for (const std::uint32_t lane : lanes()) {
            sum += lane;
        }
        return static_cast<std::int32_t>(sum);
    }

private:
    [[nodiscard, gnu::always_inline]] std::array<std::uint32_t, 8> lanes() const noexcept {
        std::array<std::uint32_t, 8> lanes;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(lanes.data()), registers_);
        return lanes;
    }
    __m256i registers_ = _mm256_setzero_si256();
};
#endif

#if defined(__AVX512VNNI__)
template <class Arch>
    requires has_vnni<Arch>
class ByteRounding<Arch> {
public:
    [[gnu::always_inline]] void compare(const Batch<Arch>& numbers) noexcept {
        const __m512i sizes = _mm512_and_si512(_mm512_castps_si512(numbers), _mm512_set1_epi32(0x7FFF'FFFF));
        registers_ = _mm512_max_epu32(registers_, sizes);
    }
    [[nodiscard, gnu::always_inline]] std::uint32_t largest() const noexcept {
        return _mm512_reduce_max_epu32(registers_);
    }

    /// Writes the bytes of a batch, and adds them up.
    [[gnu::always_inline]] void round(const Batch<Arch>& steps, std::int8_t* to) noexcept {
        const __m512i rounded = _mm512_cvtps_epi32(steps);
        registers_ = _mm512_add_epi32(registers_, rounded);
        _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(rounded));
    }
    [[nodiscard, gnu::always_inline]] std::int32_t sum() const noexcept { return _mm512_reduce_add_epi32(registers_); }

private:
    __m512i registers_ = _mm512_setzero_si512();
};
#endif

#if defined(__aarch64__)
template <class Arch>
    requires has_byte_products<Arch>
class ByteRounding<Arch> {
public:
    [[gnu::always_inline]] void compare(const Batch<Arch>& numbers) noexcept {
        const uint32x4_t sizes = vandq_u32(vreinterpretq_u32_f32(numbers), vdupq_n_u32(0x7FFF'FFFFU));
        registers_ = vmaxq_u32(registers_, sizes);
    }
    [[nodiscard, gnu::always_inline]] std::uint32_t largest() const noexcept { return vmaxvq_u32(registers_); }

    /// Writes the bytes of a batch, and adds them up. Ties go to the even byte.
    [[gnu::always_inline]] void round(const Batch<Arch>& steps, std::int8_t* to) noexcept {
        const int32x4_t rounded = vcvtnq_s32_f32(steps);
        registers_ = vaddq_u32(registers_, vreinterpretq_u32_s32(rounded));
        const int16x4_t words = vmovn_s32(rounded);
        const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
        std::memcpy(to, &bytes, sizeof(std::int32_t));
    }
    [[nodiscard, gnu::always_inline]] std::int32_t sum() const noexcept {
        return static_cast<std::int32_t>(vaddvq_u32(registers_));
    }

private:
    uint32x4_t registers_ = vdupq_n_u32(0);
};
#endif

/// A row that is rounded to bytes.
struct ByteRow {
    float step = 0.0F;
    std::int32_t sum = 0;
};

/// Rounds a row to bytes, and fills up the last batch with zeros.
template <class Arch>
[[nodiscard]] inline ByteRow round_to_bytes(std::span<const float> row, std::int8_t* bytes) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    const std::size_t rest = row.size() % lanes;
    const std::size_t in_batches = row.size() - rest;
    const auto each = [&](const auto& visit) __attribute__((always_inline)) {
        for (std::size_t k = 0; k < in_batches; k += lanes) {
            visit(Batch<Arch>::load_unaligned(row.data() + k), k);
        }
        if (rest != 0) {
            visit(load_first<Arch>(row.data() + in_batches, rest), in_batches);
        }
    };
    ByteRounding<Arch> sizes;
    each([&](const Batch<Arch>& x, std::size_t) __attribute__((always_inline)) { sizes.compare(x); });
    const kernels::detail::ByteScale scale = kernels::detail::byte_scale(sizes.largest());
    if (scale.per_step == 0.0F) {
        std::memset(bytes, 0, in_batches + lanes);
        return {scale.step, 0};
    }
    const Batch<Arch> per_step(scale.per_step);
    ByteRounding<Arch> rounding;
    each([&](const Batch<Arch>& x, std::size_t k)
             __attribute__((always_inline)) { rounding.round(x * per_step, bytes + k); });
    return {scale.step, rounding.sum()};
}

template <class Arch, Epilogue E, std::size_t R, std::size_t V>
void dense_tile_of_bytes(const DensePanels<ScaledInt8>& panels, std::size_t first, const ByteRow* rows,
                         const std::int8_t* bytes, std::size_t bytes_step, MatrixView<float> y,
                         std::size_t row) noexcept {
    using Sums = Int8Sums<Arch>;
    constexpr std::size_t step = DensePanels<ScaledInt8>::width;
    dense_tile<Arch, E, R, V>(panels, first, y, row, [&](auto& weights, auto& outputs) __attribute__((always_inline)) {
        std::array<std::array<Sums, V>, R> sums;
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            unroll<V>([&](auto v) __attribute__((always_inline)) { sums[r][v].start(rows[r].sum); });
        });
        for (std::size_t k = 0; k < panels.in; k += int8_group) {
            std::array<typename Sums::Bytes, V> factors;
            unroll<V>([&](auto v) __attribute__((always_inline)) {
                factors[v] = Sums::load(reinterpret_cast<const std::uint8_t*>(weights[v] + k * step));
            });
            unroll<R>([&](auto r) __attribute__((always_inline)) {
                std::int32_t four;
                std::memcpy(&four, bytes + r * bytes_step + k, sizeof four);
                const auto input = Sums::broadcast(four);
                unroll<V>([&](auto v) __attribute__((always_inline)) { sums[r][v].add(factors[v], input); });
            });
        }
        unroll<V>([&](auto v) __attribute__((always_inline)) {
            const float* const scales = panels.scales.data() + (first + v) * Batch<Arch>::size;
            unroll<R>([&](auto r) __attribute__((always_inline)) {
                const Batch<Arch> scale = Batch<Arch>(rows[r].step) * Batch<Arch>::load_unaligned(scales);
                outputs[r][v] = fma<Arch>(Batch<Arch>(sums[r][v].floats()), scale, outputs[r][v]);
            });
        });
    });
}

}  // namespace simd

template <Epilogue E, class Arch>
    requires simd::has_byte_products<Arch>
void int8_dense(Simd<Arch>, const DensePanels<ScaledInt8>& panels, MatrixView<const float> x,
                MatrixView<float> y) noexcept {
    if constexpr (simd::is_avx512<Arch> && !simd::has_vnni<Arch>) {
        int8_dense<E>(Simd<simd::Half<Arch>>{}, panels, x, y);
    } else {
        constexpr std::size_t most = simd::tile_rows<Arch>;
        alignas(64) std::array<std::int8_t, 2 * max_int8_inputs> bytes;
        std::array<simd::ByteRow, most> rounded;
        const std::size_t step = (panels.in + 63) / 64 * 64;
        const std::size_t block = std::min(most, bytes.size() / std::max<std::size_t>(step, 1));
        for (std::size_t begin = 0; begin < x.rows(); begin += block) {
            const std::size_t rows = std::min(block, x.rows() - begin);
            for (std::size_t i = 0; i < rows; ++i) {
                rounded[i] = simd::round_to_bytes<Arch>(x.row(begin + i), bytes.data() + i * step);
            }
            simd::for_dense_tiles<Arch>(rows, panels.out, [&](auto r, auto v, std::size_t row, std::size_t first) {
                simd::dense_tile_of_bytes<Arch, E, r, v>(panels, first, rounded.data() + row, bytes.data() + row * step,
                                                         step, y, begin + row);
            });
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels::simd {

/// A block of four columns of as many rows as a batch has lanes, read row by row.
template <class Arch>
struct ColumnBlock {
    static constexpr std::size_t rows = Batch<Arch>::size;
    std::array<Batch<Arch>, 4> columns;

    /// `step` numbers from row to row.
    [[gnu::always_inline]] void load(const float* p, std::size_t step) noexcept {
#if defined(__AVX__)
        if constexpr (rows == 8) {  // two blocks of four rows, side by side
            const float* const upper = p + 4 * step;
            const auto row = [&](std::size_t i) __attribute__((always_inline)) {
                return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + i * step)),
                                            _mm_loadu_ps(upper + i * step), 1);
            };
            const __m256 a = row(0);
            const __m256 b = row(1);
            const __m256 c = row(2);
            const __m256 d = row(3);
            const __m256 ac = _mm256_unpacklo_ps(a, c);
            const __m256 bd = _mm256_unpacklo_ps(b, d);
            const __m256 ac_high = _mm256_unpackhi_ps(a, c);
            const __m256 bd_high = _mm256_unpackhi_ps(b, d);
            columns = {Batch<Arch>(_mm256_unpacklo_ps(ac, bd)), Batch<Arch>(_mm256_unpackhi_ps(ac, bd)),
                       Batch<Arch>(_mm256_unpacklo_ps(ac_high, bd_high)),
                       Batch<Arch>(_mm256_unpackhi_ps(ac_high, bd_high))};
            return;
        }
#endif
        if constexpr (rows == 4) {
            const auto row = [&](std::size_t i)
                                 __attribute__((always_inline)) { return Batch<Arch>::load_unaligned(p + i * step); };
            const Batch<Arch> ac = xsimd::zip_lo(row(0), row(2));
            const Batch<Arch> bd = xsimd::zip_lo(row(1), row(3));
            const Batch<Arch> ac_high = xsimd::zip_hi(row(0), row(2));
            const Batch<Arch> bd_high = xsimd::zip_hi(row(1), row(3));
            columns = {xsimd::zip_lo(ac, bd), xsimd::zip_hi(ac, bd), xsimd::zip_lo(ac_high, bd_high),
                       xsimd::zip_hi(ac_high, bd_high)};
        }
    }

    /// Only the first column.
    [[gnu::always_inline]] void load_one(const float* p, std::size_t step) noexcept {
        alignas(64) std::array<float, rows> numbers;
        for (std::size_t i = 0; i < rows; ++i) {
            numbers[i] = p[i * step];
        }
        columns[0] = Batch<Arch>::load_aligned(numbers.data());
    }
};

/// The instruction set with which row_products of a backend computes: blocks of 16 rows would not be faster.
template <class Arch>
using RowArch = std::conditional_t<is_avx512<Arch>, Half<Arch>, Arch>;

/// Products of rows with one vector, and where their sums start and go: y[i] = start[i] + <row i, x>. Each is one chain
/// of multiply-adds in ascending order, as in a tile of a matrix product.
struct RowProducts {
    MatrixView<const float> a;
    const float* x;
    const float* start;
    std::size_t start_step;  ///< 0: all start from the same number
    float* y;
    std::size_t y_step;
};

/// The products of G blocks of rows from row `first` on.
template <class Arch, std::size_t G>
[[gnu::always_inline]] inline void multiply_blocks(const RowProducts& p, std::size_t first) noexcept {
    using Block = ColumnBlock<Arch>;
    constexpr std::size_t lanes = Block::rows;
    const std::size_t step = p.a.stride();
    std::array<Batch<Arch>, G> sums;
    std::array<const float*, G> rows;
    unroll<G>([&](auto g) __attribute__((always_inline)) {
        const float* const from = p.start + (first + g * lanes) * p.start_step;
        sums[g] = p.start_step == 0 ? Batch<Arch>(*from) : Batch<Arch>::load_unaligned(from);
        rows[g] = p.a.data() + (first + g * lanes) * step;
    });
    Block block;
    std::size_t k = 0;
    for (; k + 4 <= p.a.cols(); k += 4) {
        unroll<G>([&](auto g) __attribute__((always_inline)) {
            block.load(rows[g] + k, step);
            unroll<4>([&](auto i) __attribute__((always_inline)) {
                sums[g] = fma<Arch>(Batch<Arch>(p.x[k + i]), block.columns[i], sums[g]);
            });
        });
    }
    for (; k < p.a.cols(); ++k) {
        unroll<G>([&](auto g) __attribute__((always_inline)) {
            block.load_one(rows[g] + k, step);
            sums[g] = fma<Arch>(Batch<Arch>(p.x[k]), block.columns[0], sums[g]);
        });
    }
    unroll<G>([&](auto g) __attribute__((always_inline)) {
        float* const to = p.y + (first + g * lanes) * p.y_step;
        if (p.y_step == 1) {
            sums[g].store_unaligned(to);
        } else {
            alignas(64) std::array<float, lanes> numbers;
            sums[g].store_aligned(numbers.data());
            for (std::size_t i = 0; i < lanes; ++i) {
                to[i * p.y_step] = numbers[i];
            }
        }
    });
}

/// Fewer rows than multiply_row_products can take.
template <class Arch>
inline constexpr std::size_t least_rows = ColumnBlock<RowArch<Arch>>::rows;

/// All products of a matrix with least_rows or more.
template <class Arch>
void multiply_row_products(const RowProducts& p) noexcept {
    using Narrow = RowArch<Arch>;
    constexpr std::size_t lanes = least_rows<Arch>;
    constexpr std::size_t blocks = 4;
    const std::size_t n = p.a.rows();
    std::size_t first = 0;
    for (; n - first >= blocks * lanes; first += blocks * lanes) {
        multiply_blocks<Narrow, blocks>(p, first);
    }
    for (; n - first >= lanes; first += lanes) {
        multiply_blocks<Narrow, 1>(p, first);
    }
    if (first < n) {
        multiply_blocks<Narrow, 1>(p, n - lanes);  // some rows again, with the same results
    }
}

}  // namespace kernels::simd
}  // namespace FUNNEL_ABI
}  // namespace funnel

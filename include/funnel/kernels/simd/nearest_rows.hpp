// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd::detail {

// The best row so far for the vectors of one block.
template <class Arch>
struct NearestRow {
    Batch<Arch> score = Batch<Arch>(std::numeric_limits<float>::lowest());
    Batch<Arch> position = Batch<Arch>(0.0F);  // exact below 2^24

    [[gnu::always_inline]] void offer(const Batch<Arch>& candidate, std::size_t row) noexcept {
        position = xsimd::select(candidate > score, Batch<Arch>(static_cast<float>(row)), position);
        score = xsimd::max(score, candidate);
    }
};

// Scores `Rows` rows from `first` on for `Blocks` blocks: a load serves Rows or Blocks sums, and no sum waits for
// another.
template <class Arch, std::size_t Blocks, std::size_t Rows>
[[gnu::always_inline]] inline void offer_rows(const std::array<const float*, Blocks>& blocks,
                                              MatrixView<const float> rows, std::span<const float> offset,
                                              std::size_t first, std::array<NearestRow<Arch>, Blocks>& best) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    std::array<const float*, Rows> row;
    unroll<Rows>([&](auto r) __attribute__((always_inline)) { row[r] = rows.row(first + r).data(); });
    std::array<Batch<Arch>, Blocks * Rows> sums;
    unroll<Blocks * Rows>([&](auto s) __attribute__((always_inline)) { sums[s] = Batch<Arch>(0.0F); });
    const std::size_t d = rows.cols();
    for (std::size_t j = 0; j < d; ++j) {
        std::array<Batch<Arch>, Blocks> features;
        unroll<Blocks>([&](auto b) __attribute__((always_inline)) {
            features[b] = Batch<Arch>::load_unaligned(blocks[b] + j * lanes);
        });
        unroll<Rows>([&](auto r) __attribute__((always_inline)) {
            const Batch<Arch> element(row[r][j]);
            unroll<Blocks>([&](auto b) __attribute__((always_inline)) {
                sums[r * Blocks + b] = fma<Arch>(features[b], element, sums[r * Blocks + b]);
            });
        });
    }
    unroll<Rows>([&](auto r) __attribute__((always_inline)) {
        const Batch<Arch> less(offset[first + r]);
        unroll<Blocks>([&](auto b)
                           __attribute__((always_inline)) { best[b].offer(sums[r * Blocks + b] - less, first + r); });
    });
}

template <class Arch, std::size_t Blocks>
[[gnu::always_inline]] inline void nearest_of_blocks(const float* blocks, MatrixView<const float> rows,
                                                     std::span<const float> offset, float* score,
                                                     std::uint32_t* nearest) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    constexpr std::size_t together = is_avx512<Arch> ? 8 : 4;  // 16 or 8 sums: what the registers hold
    std::array<const float*, Blocks> starts;
    unroll<Blocks>([&](auto b) __attribute__((always_inline)) { starts[b] = blocks + b * lanes * rows.cols(); });
    std::array<NearestRow<Arch>, Blocks> best;
    std::size_t r = 0;
    for (; r + together <= rows.rows(); r += together) {
        offer_rows<Arch, Blocks, together>(starts, rows, offset, r, best);
    }
    for (; r < rows.rows(); ++r) {
        offer_rows<Arch, Blocks, 1>(starts, rows, offset, r, best);
    }
    for (std::size_t b = 0; b < Blocks; ++b) {
        best[b].score.store_unaligned(score + b * lanes);
        std::array<float, lanes> positions;
        best[b].position.store_unaligned(positions.data());
        for (std::size_t i = 0; i < lanes; ++i) {
            nearest[b * lanes + i] = static_cast<std::uint32_t>(positions[i]);
        }
    }
}

}  // namespace simd::detail

template <class Arch>
inline void nearest_rows(Simd<Arch>, std::span<const float> blocks, MatrixView<const float> rows,
                         std::span<const float> offset, std::span<float> score,
                         std::span<std::uint32_t> nearest) noexcept {
    constexpr std::size_t lanes = simd::Batch<Arch>::size;
    std::size_t i = 0;
    for (; i + 2 * lanes <= score.size(); i += 2 * lanes) {
        simd::detail::nearest_of_blocks<Arch, 2>(blocks.data() + i * rows.cols(), rows, offset, score.data() + i,
                                                 nearest.data() + i);
    }
    for (; i < score.size(); i += lanes) {
        simd::detail::nearest_of_blocks<Arch, 1>(blocks.data() + i * rows.cols(), rows, offset, score.data() + i,
                                                 nearest.data() + i);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

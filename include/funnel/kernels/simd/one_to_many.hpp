// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/simd/sums.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

// The sum that a metric needs per row, and the score computed from it. Cosine has no RowSum and handles one row at a
// time: its twelve accumulators per row already fill the registers.
template <class M>
struct RowSum;

template <>
struct RowSum<L2> : SquaredDifferences {
    [[nodiscard]] static float score(float sum) noexcept { return 0.0F - sum; }
};

template <>
struct RowSum<InnerProduct> : Products {
    [[nodiscard]] static float score(float sum) noexcept { return sum; }
};

template <class M>
concept OneSumPerRow = requires { RowSum<M>::score(0.0F); };

// Rows scored together share the loads of the query, and their cache misses overlap. Prefetching gave no further gain.
// Four rows with four accumulators each need the 32 registers of AVX-512.
template <class Arch, class M, std::size_t Together = is_avx512<Arch> ? 4 : 2, std::size_t Dim, class RowOf>
[[gnu::always_inline]] inline void score_each(std::span<const float, Dim> query, RowOf row_of,
                                              std::span<float> out) noexcept {
    const auto score_some = [&](std::size_t first, auto count) __attribute__((always_inline)) {
        std::array<decltype(row_of(first)), count> rows;
        unroll<count>([&](auto r) __attribute__((always_inline)) { rows[r] = row_of(first + r); });
        const auto sums = sums_of<RowSum<M>, Arch, Dim>(query.data(), rows, query.size());
        unroll<count>([&](auto r) __attribute__((always_inline)) { out[first + r] = RowSum<M>::score(sums[r]); });
    };

    std::size_t i = 0;
    for (; out.size() - i >= Together; i += Together) {
        score_some(i, std::integral_constant<std::size_t, Together>{});
    }
    for (; i < out.size(); ++i) {
        score_some(i, std::integral_constant<std::size_t, 1>{});
    }
}

}  // namespace simd

template <class Arch, simd::OneSumPerRow M>
void score_rows(Simd<Arch>, M, std::span<const float> query, MatrixView<const float> rows,
                std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i) { return rows.data() + i * rows.stride(); };
    simd::score_each<Arch, M>(query, row_of, out.first(rows.rows()));
}

template <class Arch, simd::OneSumPerRow M, std::size_t Dim>
[[gnu::always_inline]] inline void score_rows(Simd<Arch>, M, std::span<const float, Dim> query,
                                              MatrixView<const float> rows, std::span<const std::uint32_t> ids,
                                              std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i)
                            __attribute__((always_inline)) { return rows.data() + ids[i] * rows.stride(); };
    simd::score_each<Arch, M>(query, row_of, out.first(ids.size()));
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

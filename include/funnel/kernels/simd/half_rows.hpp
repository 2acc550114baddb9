// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/simd/half.hpp>
#include <funnel/kernels/simd/one_to_many.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Zen 4 converts 256 bits in less than half of the time of 512. Four rows together also have their registers there.
template <class Arch, class M, std::size_t Dim, class RowOf>
[[gnu::always_inline]] inline void score_each_half(std::span<const float, Dim> query, RowOf row_of,
                                                   std::span<float> out) noexcept {
    if constexpr (is_avx512<Arch>) {
        score_each<Half<Arch>, M, 4>(query, row_of, out);
    } else {
        score_each<Arch, M>(query, row_of, out);
    }
}

}  // namespace simd

template <class Arch, simd::OneSumPerRow M, HalfFloat H>
    requires simd::LoadsHalves<Arch, H>
void score_half_rows(Simd<Arch>, M, std::span<const float> query, MatrixView<const H> rows,
                     std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i) { return rows.data() + i * rows.stride(); };
    simd::score_each_half<Arch, M>(query, row_of, out.first(rows.rows()));
}

template <class Arch, simd::OneSumPerRow M, HalfFloat H, std::size_t Dim>
    requires simd::LoadsHalves<Arch, H>
[[gnu::always_inline]] inline void score_half_rows(Simd<Arch>, M, std::span<const float, Dim> query,
                                                   MatrixView<const H> rows, std::span<const std::uint32_t> ids,
                                                   std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i)
                            __attribute__((always_inline)) { return rows.data() + ids[i] * rows.stride(); };
    simd::score_each_half<Arch, M>(query, row_of, out.first(ids.size()));
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

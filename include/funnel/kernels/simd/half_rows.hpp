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

/// The width at which rows are read. Zen 4 converts 256 bits in less than half of the time of 512.
template <class Arch>
struct HalfRowsArch {
    using Type = Arch;
};
template <class Arch>
    requires is_avx512<Arch>
struct HalfRowsArch<Arch> {
    using Type = Half<Arch>;
};

}  // namespace simd

template <class Arch, simd::OneSumPerRow M, HalfFloat H>
    requires simd::LoadsHalves<Arch, H>
void score_half_rows(Simd<Arch>, M, std::span<const float> query, MatrixView<const H> rows,
                     std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i) { return rows.data() + i * rows.stride(); };
    simd::score_each<typename simd::HalfRowsArch<Arch>::Type, M>(query, row_of, out.first(rows.rows()));
}

template <class Arch, simd::OneSumPerRow M, HalfFloat H, std::size_t Dim>
    requires simd::LoadsHalves<Arch, H>
[[gnu::always_inline]] inline void score_half_rows(Simd<Arch>, M, std::span<const float, Dim> query,
                                                   MatrixView<const H> rows, std::span<const std::uint32_t> ids,
                                                   std::span<float> out) noexcept {
    const auto row_of = [&](std::size_t i)
                            __attribute__((always_inline)) { return rows.data() + ids[i] * rows.stride(); };
    simd::score_each<typename simd::HalfRowsArch<Arch>::Type, M>(query, row_of, out.first(ids.size()));
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

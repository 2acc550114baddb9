// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/add_rows.hpp>
#include <funnel/kernels/simd/batch.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Rows of a matrix, each at the place that its id tells.
struct ChosenRows {
    MatrixView<const float> all;
    const std::uint32_t* ids;

    [[nodiscard, gnu::always_inline]] const float* operator[](std::size_t i) const noexcept {
        return all.data() + ids[i] * all.stride();
    }
};

/// V batches of columns from column `first` on: out += the rows, each times its factor.
template <class Arch, std::size_t V>
[[gnu::always_inline]] inline void add_columns(const float* factors, const ChosenRows& rows, std::size_t count,
                                               std::size_t first, float* out) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    std::array<Batch<Arch>, V> sums;
    unroll<V>([&](auto v)
                  __attribute__((always_inline)) { sums[v] = Batch<Arch>::load_unaligned(out + first + v * lanes); });
    for (std::size_t i = 0; i < count; ++i) {
        const Batch<Arch> factor(factors[i]);
        const float* const row = rows[i] + first;
        unroll<V>([&](auto v) __attribute__((always_inline)) {
            sums[v] = fma<Arch>(factor, Batch<Arch>::load_unaligned(row + v * lanes), sums[v]);
        });
    }
    unroll<V>([&](auto v) __attribute__((always_inline)) { sums[v].store_unaligned(out + first + v * lanes); });
}

/// out += the rows, each times its factor.
template <class Arch>
[[gnu::always_inline]] inline void add_rows(const float* factors, const ChosenRows& rows, std::size_t count,
                                            std::span<float> out) noexcept {
    constexpr std::size_t lanes = Batch<Arch>::size;
    std::size_t j = 0;
    for (; out.size() - j >= 8 * lanes; j += 8 * lanes) {
        add_columns<Arch, 8>(factors, rows, count, j, out.data());
    }
    if (out.size() - j >= 4 * lanes) {
        add_columns<Arch, 4>(factors, rows, count, j, out.data());
        j += 4 * lanes;
    }
    for (; out.size() - j >= lanes; j += lanes) {
        add_columns<Arch, 1>(factors, rows, count, j, out.data());
    }
    if (j < out.size()) {
        const std::size_t width = out.size() - j;
        Batch<Arch> sum = load_first<Arch>(out.data() + j, width);
        for (std::size_t i = 0; i < count; ++i) {
            sum = fma<Arch>(Batch<Arch>(factors[i]), load_first<Arch>(rows[i] + j, width), sum);
        }
        store_first<Arch>(sum, out.data() + j, width);
    }
}

}  // namespace simd

template <class Arch>
void add_rows(Simd<Arch>, MatrixView<const float> a, std::span<const std::uint32_t> ids, std::span<const float> factors,
              std::span<float> out) noexcept {
    simd::add_rows<Arch>(factors.data(), {a, ids.data()}, ids.size(), out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/scalar/packed_dense.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/gemm.hpp>
#include <funnel/kernels/simd/half.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// The weights of a panel are read in pairs of batches: outputs j ... and j + 16 ... of the panel.
template <class Arch, PackedWeight Weight>
struct WeightPairs;

template <class Arch>
struct WeightPairs<Arch, float> {
    [[nodiscard, gnu::always_inline]] static std::array<Batch<Arch>, 2> load(const float* p, std::size_t j) noexcept {
        return {Batch<Arch>::load_unaligned(p + j), Batch<Arch>::load_unaligned(p + j + 16)};
    }
};

template <class Arch>
    requires LoadsHalfPairs<Arch>
struct WeightPairs<Arch, BFloat16> {
    [[nodiscard, gnu::always_inline]] static std::array<Batch<Arch>, 2> load(const BFloat16* p,
                                                                             std::size_t j) noexcept {
        return HalfBatch<Arch, BFloat16>::load_pairs(p + 2 * j);
    }
};

template <class Arch, class Weight>
concept LoadsWeights = requires(const Weight* p) { WeightPairs<Arch, Weight>::load(p, std::size_t{0}); };

template <std::size_t N>
using Count = std::integral_constant<std::size_t, N>;

/// Pairs of batches in a panel.
template <class Arch>
inline constexpr std::size_t pairs_per_panel = DensePanels<float>::width / 2 / Batch<Arch>::size;

/// R rows of x, and the outputs of P pairs from `first` on.
template <class Arch, Epilogue E, std::size_t R, std::size_t P, PackedWeight Weight>
void dense_tile(const DensePanels<Weight>& panels, const float* x, std::size_t x_step, std::size_t first, float* y,
                std::size_t y_step) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    constexpr std::size_t width = DensePanels<Weight>::width;
    std::array<std::size_t, P> columns;
    std::array<const Weight*, P> weights;
    std::array<std::array<std::array<Batch, 2>, P>, R> sums;
    unroll<P>([&](auto p) __attribute__((always_inline)) {
        const std::size_t pair = first + p;
        const std::size_t panel = pair / pairs_per_panel<Arch>;
        const std::size_t in_panel = pair % pairs_per_panel<Arch> * lanes;
        columns[p] = panel * width + in_panel;
        weights[p] = panels.weights.data() + panel * width * panels.in;
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            sums[r][p] = WeightPairs<Arch, float>::load(panels.bias.data(), columns[p]);
        });
    });
    // Four rows share a pointer, as in multiply_tile.
    std::array<const float*, (R + 3) / 4> rows;
    for (std::size_t g = 0; g < rows.size(); ++g) {
        rows[g] = x + 4 * g * x_step;
    }
    for (std::size_t k = 0; k < panels.in; ++k) {
        std::array<std::array<Batch, 2>, P> factors;
        unroll<P>([&](auto p) __attribute__((always_inline)) {
            factors[p] = WeightPairs<Arch, Weight>::load(weights[p] + k * width, columns[p] % width);
        });
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            const Batch input(rows[r / 4][r % 4 * x_step + k]);
            unroll<P>([&](auto p) __attribute__((always_inline)) {
                sums[r][p][0] = fma<Arch>(input, factors[p][0], sums[r][p][0]);
                sums[r][p][1] = fma<Arch>(input, factors[p][1], sums[r][p][1]);
            });
        });
    }
    unroll<R>([&](auto r) __attribute__((always_inline)) {
        unroll<P>([&](auto p) __attribute__((always_inline)) {
            unroll<2>([&](auto half) __attribute__((always_inline)) {
                Batch sum = sums[r][p][half];
                if constexpr (E == Epilogue::ReLU) {
                    sum = xsimd::select(sum > Batch(0.0F), sum, Batch(0.0F));
                }
                const std::size_t column = columns[p] + half * 16;
                if (column + lanes <= panels.out) {
                    sum.store_unaligned(y + r * y_step + column);
                } else if (column < panels.out) {
                    store_first<Arch>(sum, y + r * y_step + column, panels.out - column);
                }
            });
        });
    });
}

}  // namespace simd

template <Epilogue E, class Arch, PackedWeight Weight>
    requires simd::LoadsWeights<Arch, Weight>
void packed_dense(Simd<Arch>, const DensePanels<Weight>& panels, MatrixView<const float> x,
                  MatrixView<float> y) noexcept {
    constexpr std::size_t most = simd::tile_rows<Arch>;
    const std::size_t lanes = simd::Batch<Arch>::size;
    const std::size_t rest = std::min(panels.out % panels.width, panels.width / 2);
    const std::size_t pairs = panels.out / panels.width * simd::pairs_per_panel<Arch> + (rest + lanes - 1) / lanes;
    std::size_t pair = 0;
    const auto tile = [&](auto rows, auto of_pairs, std::size_t i) {
        simd::dense_tile<Arch, E, rows, of_pairs>(panels, x.data() + i * x.stride(), x.stride(), pair,
                                                  y.data() + i * y.stride(), y.stride());
    };
    using simd::Count;
    // One row has too few sums per pair: each would wait for the one before.
    if (x.rows() == 1) {
        for (; pairs - pair >= 4; pair += 4) {
            tile(Count<1>{}, Count<4>{}, 0);
        }
    } else if (x.rows() == 2) {
        for (; pairs - pair >= 2; pair += 2) {
            tile(Count<2>{}, Count<2>{}, 0);
        }
    }
    for (; pair < pairs; ++pair) {
        std::size_t i = 0;
        for (; x.rows() - i >= most; i += most) {
            tile(Count<most>{}, Count<1>{}, i);
        }
        [&]<std::size_t... Less>(std::index_sequence<Less...>) {
            ((x.rows() - i == Less + 1 ? tile(Count<Less + 1>{}, Count<1>{}, i) : void()), ...);
        }(std::make_index_sequence<most - 1>{});
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

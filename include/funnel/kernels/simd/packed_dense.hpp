// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/scalar/packed_dense.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/bfloat16_products.hpp>
#include <funnel/kernels/simd/gemm.hpp>
#include <funnel/kernels/simd/half.hpp>
#include <funnel/kernels/simd/row_products.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

template <std::size_t N>
using Count = std::integral_constant<std::size_t, N>;

/// Weights of a batch of outputs, of one input. load<I>(p) takes those of input I of the words at p.
template <class Arch, PackedWeight Weight>
struct WeightBatch;

template <class Arch>
struct WeightBatch<Arch, float> {
    template <std::size_t I>
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const float* p) noexcept {
        return Batch<Arch>::load_unaligned(p);
    }
};

template <class Arch>
    requires LoadsHalves<Arch, Float16>
struct WeightBatch<Arch, Float16> {
    template <std::size_t I>
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const Float16* p) noexcept {
        return HalfBatch<Arch, Float16>::load(p);
    }
};

template <class Arch>
    requires LoadsHalves<Arch, BFloat16>
struct WeightBatch<Arch, BFloat16> {
    template <std::size_t I>
    [[nodiscard, gnu::always_inline]] static Batch<Arch> load(const BFloat16* p) noexcept {
        return I == 0 ? HalfBatch<Arch, BFloat16>::load_even(p) : HalfBatch<Arch, BFloat16>::load_odd(p);
    }
};

template <class Arch, class Weight>
concept LoadsWeights = requires(const Weight* p) { WeightBatch<Arch, Weight>::template load<0>(p); };

/// The outputs of V batches from batch `first` on, for R rows. accumulate(weights, sums) adds the products, given where
/// the weights of each batch begin.
template <class Arch, Epilogue E, std::size_t R, std::size_t V, StoredWeight Weight, class Accumulate>
[[gnu::always_inline]] inline void dense_tile(const DensePanels<Weight>& panels, std::size_t first, MatrixView<float> y,
                                              std::size_t row, const Accumulate& accumulate) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    std::array<const Weight*, V> weights;
    std::array<std::array<Batch, V>, R> sums;
    unroll<V>([&](auto v) __attribute__((always_inline)) {
        const std::size_t column = (first + v) * lanes;
        weights[v] = panels.weights.data() + panels.position(0, column);
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            sums[r][v] = Batch::load_unaligned(panels.bias.data() + column);
        });
    });
    accumulate(weights, sums);
    unroll<V>([&](auto v) __attribute__((always_inline)) {
        const std::size_t column = (first + v) * lanes;
        const std::size_t count = std::min(lanes, panels.out - column);
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            const Batch sum = sums[r][v];
            const Batch output = E == Epilogue::ReLU ? Batch(xsimd::select(sum > Batch(0.0F), sum, Batch(0.0F))) : sum;
            float* const to = y.data() + (row + r) * y.stride() + column;
            if (count == lanes) {
                output.store_unaligned(to);
            } else {
                store_first<Arch>(output, to, count);
            }
        });
    });
}

template <class Arch, Epilogue E, std::size_t R, std::size_t V, PackedWeight Weight>
void dense_tile_of_floats(const DensePanels<Weight>& panels, std::size_t first, MatrixView<const float> x,
                          MatrixView<float> y, std::size_t row) noexcept {
    constexpr std::size_t per_word = DensePanels<Weight>::per_word;
    constexpr std::size_t step = DensePanels<Weight>::width * per_word;
    // Four rows share a pointer, as in multiply_tile.
    std::array<const float*, (R + 3) / 4> rows;
    for (std::size_t g = 0; g < rows.size(); ++g) {
        rows[g] = x.data() + (row + 4 * g) * x.stride();
    }
    dense_tile<Arch, E, R, V>(panels, first, y, row, [&](auto& weights, auto& sums) __attribute__((always_inline)) {
        const auto add = [&](auto half, std::size_t word) __attribute__((always_inline)) {
            std::array<Batch<Arch>, V> factors;
            unroll<V>([&](auto v) __attribute__((always_inline)) {
                factors[v] = WeightBatch<Arch, Weight>::template load<half>(weights[v] + word * step);
            });
            unroll<R>([&](auto r) __attribute__((always_inline)) {
                const Batch<Arch> input(rows[r / 4][r % 4 * x.stride() + word * per_word + half]);
                unroll<V>([&](auto v) __attribute__((always_inline)) {
                    sums[r][v] = fma<Arch>(input, factors[v], sums[r][v]);
                });
            });
        };
        for (std::size_t word = 0; word < panels.in / per_word; ++word) {
            unroll<per_word>([&](auto half) __attribute__((always_inline)) { add(half, word); });
        }
        if (panels.in % per_word != 0) {
            add(Count<0>{}, panels.in / per_word);
        }
    });
}

template <class Arch, Epilogue E, std::size_t R, std::size_t V>
void dense_tile_of_pairs(const DensePanels<BFloat16>& panels, std::size_t first, const std::uint32_t* x,
                         std::size_t x_step, MatrixView<float> y, std::size_t row) noexcept {
    constexpr std::size_t step = DensePanels<BFloat16>::width * 2;
    dense_tile<Arch, E, R, V>(panels, first, y, row, [&](auto& weights, auto& sums) __attribute__((always_inline)) {
        for (std::size_t word = 0; word < (panels.in + 1) / 2; ++word) {
            unroll<R>([&](auto r) __attribute__((always_inline)) {
                unroll<V>([&](auto v) __attribute__((always_inline)) {
                    sums[r][v] = BFloat16Products<Arch>::multiply_add(sums[r][v], x[r * x_step + word],
                                                                      weights[v] + word * step);
                });
            });
        }
    });
}

/// Divides rows and batches of outputs into tiles, and calls tile(rows, batches, first row, first batch).
template <class Arch, class Tile>
[[gnu::always_inline]] inline void for_dense_tiles(std::size_t rows, std::size_t outputs, const Tile& tile) noexcept {
    constexpr std::size_t most = tile_rows<Arch>;
    const std::size_t batches = (outputs + Batch<Arch>::size - 1) / Batch<Arch>::size;
    std::size_t first = 0;
    const auto all_rows = [&](auto count) __attribute__((always_inline)) {
        std::size_t row = 0;
        for (; rows - row >= most; row += most) {
            tile(Count<most>{}, count, row, first);
        }
        const auto rest = [&](auto some) __attribute__((always_inline)) {
            if (rows - row >= some) {
                tile(some, count, row, first);
                row += some;
            }
        };
        if constexpr (most > 8) {
            rest(Count<8>{});
        }
        rest(Count<4>{});
        rest(Count<2>{});
        rest(Count<1>{});
    };
    // Few rows have too few sums in two batches: each would wait for the one before.
    if (rows == 1) {
        for (; batches - first >= 8; first += 8) {
            tile(Count<1>{}, Count<8>{}, 0, first);
        }
        if (batches - first >= 4) {
            tile(Count<1>{}, Count<4>{}, 0, first);
            first += 4;
        }
    } else if (rows == 2) {
        for (; batches - first >= 4; first += 4) {
            tile(Count<2>{}, Count<4>{}, 0, first);
        }
    }
    for (; batches - first >= 2; first += 2) {
        all_rows(Count<2>{});
    }
    if (first < batches) {
        all_rows(Count<1>{});
    }
}

/// Inputs of a layer that are rounded to pairs of BFloat16, on the stack.
inline constexpr std::size_t most_rounded_inputs = 2048;

/// Inputs of a layer with one output whose weights are unpacked, on the stack.
inline constexpr std::size_t most_unpacked_inputs = 2048;

/// A layer with one output would use one lane of a batch of outputs, so its batches are of rows.
template <class Arch, Epilogue E>
void dense_column(const DensePanels<float>& panels, MatrixView<const float> x, MatrixView<float> y) noexcept {
    std::array<float, most_unpacked_inputs> weights;
    for (std::size_t k = 0; k < panels.in; ++k) {
        weights[k] = panels.weights[panels.position(k, 0)];
    }
    multiply_row_products<Arch>({x, weights.data(), panels.bias.data(), 0, y.data(), y.stride()});
    for (std::size_t i = 0; i < y.rows() && E == Epilogue::ReLU; ++i) {
        y(i, 0) = y(i, 0) > 0.0F ? y(i, 0) : 0.0F;
    }
}

}  // namespace simd

template <Epilogue E, class Arch, PackedWeight Weight>
    requires simd::LoadsWeights<Arch, Weight>
void packed_dense(Simd<Arch>, const DensePanels<Weight>& panels, MatrixView<const float> x,
                  MatrixView<float> y) noexcept {
    if constexpr (std::same_as<Weight, BFloat16> && simd::MultipliesBFloat16<Arch>) {
        if (panels.in <= simd::most_rounded_inputs) {
            constexpr std::size_t block = simd::tile_rows<Arch>;
            alignas(64) std::array<std::uint32_t, block * simd::most_rounded_inputs / 2> words;
            const std::size_t step = (panels.in + 31) / 32 * 16;
            for (std::size_t begin = 0; begin < x.rows(); begin += block) {
                const std::size_t rows = std::min(block, x.rows() - begin);
                for (std::size_t i = 0; i < rows; ++i) {
                    simd::BFloat16Products<Arch>::round(x.row(begin + i).data(), panels.in, words.data() + i * step);
                }
                simd::for_dense_tiles<Arch>(rows, panels.out, [&](auto r, auto v, std::size_t row, std::size_t first) {
                    simd::dense_tile_of_pairs<Arch, E, r, v>(panels, first, words.data() + row * step, step, y,
                                                             begin + row);
                });
            }
            return;
        }
    }
    if constexpr (std::same_as<Weight, float>) {
        if (panels.out == 1 && x.rows() >= simd::least_rows<Arch> && panels.in > 0 &&
            panels.in <= simd::most_unpacked_inputs) {
            return simd::dense_column<Arch, E>(panels, x, y);
        }
    }
    simd::for_dense_tiles<Arch>(x.rows(), panels.out, [&](auto r, auto v, std::size_t row, std::size_t first) {
        simd::dense_tile_of_floats<Arch, E, r, v>(panels, first, x, y, row);
    });
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

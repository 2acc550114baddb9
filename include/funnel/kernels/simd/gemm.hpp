// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/gemm.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/row_products.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace simd {

/// Rows of a tile of a product: as many as have their sums in registers, with two batches each.
template <class Arch>
inline constexpr std::size_t tile_rows = is_avx512<Arch> ? 12 : 6;

/// The first factor of a product: element (i, k) is data[i * row_step + k * k_step].
struct Strided {
    const float* data;
    std::size_t row_step;
    std::size_t k_step;
};

/// The other operands of a tile. Sums start from `from` and are stored at `to`. For all rows to start from the same
/// numbers, from_step is 0.
struct Tile {
    const float* b = nullptr;  ///< row k of the second factor is b[k * b_step ...]
    std::size_t b_step = 0;
    std::size_t depth = 0;  ///< numbers that are multiplied and added, per element
    const float* from = nullptr;
    std::size_t from_step = 0;
    float* to = nullptr;
    std::size_t to_step = 0;
    std::size_t width = 0;  ///< columns that are read from `from` and stored
};

/// R rows and V batches of columns: to = from + a b. All columns of b must be readable, also beyond width, unless
/// IsNarrow.
template <class Arch, std::size_t R, std::size_t V, bool IsNarrow = false>
void multiply_tile(const Strided& a, const Tile& tile) noexcept {
    using Batch = simd::Batch<Arch>;
    constexpr std::size_t lanes = Batch::size;
    const bool is_full = tile.width == V * lanes;
    const auto lanes_of = [&](std::size_t v) { return std::min(lanes, tile.width - std::min(tile.width, v * lanes)); };
    std::array<std::array<Batch, V>, R> sums;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) {
            const float* const from = tile.from + r * tile.from_step + v * lanes;
            sums[r][v] = is_full ? Batch::load_unaligned(from) : load_first<Arch>(from, lanes_of(v));
        });
    });
    // Four rows share a pointer: they are 0, 1, 2 and 3 steps away. There are too few registers for a pointer per row.
    constexpr std::size_t parts = (R + 3) / 4;
    std::array<const float*, parts> rows;
    for (std::size_t g = 0; g < parts; ++g) {
        rows[g] = a.data + 4 * g * a.row_step;
    }
    const float* b = tile.b;
    for (std::size_t k = 0; k < tile.depth; ++k) {
        std::array<Batch, V> columns;
        unroll<V>([&](auto v) __attribute__((always_inline)) {
            const float* const at = b + v * lanes;
            columns[v] = IsNarrow ? load_first<Arch>(at, lanes_of(v)) : Batch::load_unaligned(at);
        });
        unroll<R>([&](auto r) __attribute__((always_inline)) {
            const Batch factor(rows[r / 4][r % 4 * a.row_step]);
            unroll<V>([&](auto v)
                          __attribute__((always_inline)) { sums[r][v] = fma<Arch>(factor, columns[v], sums[r][v]); });
        });
        for (const float*& row : rows) {
            row += a.k_step;
        }
        b += tile.b_step;
    }
    unroll<R>([&](auto r) __attribute__((always_inline)) {
        unroll<V>([&](auto v) __attribute__((always_inline)) {
            float* const to = tile.to + r * tile.to_step + v * lanes;
            if (is_full) {
                sums[r][v].store_unaligned(to);
            } else {
                store_first<Arch>(sums[r][v], to, lanes_of(v));
            }
        });
    });
}

/// As multiply_tile for any number of rows.
template <class Arch, std::size_t V>
void multiply_all_rows(Strided a, Tile tile, std::size_t rows) noexcept {
    constexpr std::size_t most = tile_rows<Arch>;
    for (; rows >= most; rows -= most) {
        multiply_tile<Arch, most, V>(a, tile);
        a.data += most * a.row_step;
        tile.from += most * tile.from_step;
        tile.to += most * tile.to_step;
    }
    [&]<std::size_t... Less>(std::index_sequence<Less...>) {
        ((rows == Less + 1 ? multiply_tile<Arch, Less + 1, V>(a, tile) : void()), ...);
    }(std::make_index_sequence<most - 1>{});
}

/// As multiply_tile for any number of rows, and at most two batches of columns.
template <class Arch>
void multiply_rows(const Strided& a, const Tile& tile, std::size_t rows) noexcept {
    if (tile.width <= Batch<Arch>::size) {
        multiply_all_rows<Arch, 1>(a, tile, rows);
    } else {
        multiply_all_rows<Arch, 2>(a, tile, rows);
    }
}

inline constexpr std::size_t panel_depth = 256;
alignas(64) inline constexpr std::array<float, 128> zeros{};  // 8 batches of 16 lanes

/// Columns of the second factor of a product that are used together, copied to where they lie side by side: row k is
/// at k * width.
template <class Arch>
struct Panel {
    static constexpr std::size_t width = 2 * Batch<Arch>::size;
    alignas(64) std::array<float, panel_depth * width> elements;

    /// Takes b(first_k + k, first + j) to row k and column j.
    void copy(MatrixView<const float> b, std::size_t first_k, std::size_t depth, std::size_t first,
              std::size_t count) noexcept {
        for (std::size_t k = 0; k < depth; ++k) {
            const float* const from = b.data() + (first_k + k) * b.stride() + first;
            float* const to = elements.data() + k * width;
            std::fill(std::copy_n(from, count, to), to + width, 0.0F);
        }
    }

    /// Takes b(first + j, first_k + k) to row k and column j.
    void transpose(MatrixView<const float> b, std::size_t first_k, std::size_t depth, std::size_t first,
                   std::size_t count) noexcept {
        const float* const from = b.data() + first * b.stride() + first_k;
        if (count < width) {
            std::fill_n(elements.begin(), depth * width, 0.0F);
        }
        std::size_t j = 0;
        for (; j + 4 <= count; j += 4) {
            const float* const rows = from + j * b.stride();
            std::size_t k = 0;
            for (; k + 4 <= depth; k += 4) {
                transpose_4x4(rows + k, b.stride(), elements.data() + k * width + j, width);
            }
            for (; k < depth; ++k) {
                for (std::size_t i = 0; i < 4; ++i) {
                    elements[k * width + j + i] = rows[i * b.stride() + k];
                }
            }
        }
        for (; j < count; ++j) {
            for (std::size_t k = 0; k < depth; ++k) {
                elements[k * width + j] = from[j * b.stride() + k];
            }
        }
    }

private:
    // The narrowest batches have four lanes.
    using Four = std::conditional_t<has_halves<Arch>, xsimd::batch<float, xsimd::sse2>, Batch<Arch>>;

    [[gnu::always_inline]] static void transpose_4x4(const float* from, std::size_t from_step, float* to,
                                                     std::size_t to_step) noexcept {
        const Four a = Four::load_unaligned(from);
        const Four b = Four::load_unaligned(from + from_step);
        const Four c = Four::load_unaligned(from + 2 * from_step);
        const Four d = Four::load_unaligned(from + 3 * from_step);
        const Four ac = xsimd::zip_lo(a, c);
        const Four bd = xsimd::zip_lo(b, d);
        xsimd::zip_lo(ac, bd).store_unaligned(to);
        xsimd::zip_hi(ac, bd).store_unaligned(to + to_step);
        const Four ac_high = xsimd::zip_hi(a, c);
        const Four bd_high = xsimd::zip_hi(b, d);
        xsimd::zip_lo(ac_high, bd_high).store_unaligned(to + 2 * to_step);
        xsimd::zip_hi(ac_high, bd_high).store_unaligned(to + 3 * to_step);
    }
};

/// The product of a (c.rows() x depth, depth > 0) and b. All rows of sums start from the numbers at `start`; if that is
/// null, they start from c.
struct Product {
    Strided a;
    std::size_t depth;
    const float* start;
    std::size_t start_step;  ///< per column: 0 if `start` has only as many numbers as a tile has columns
    MatrixView<float> c;
};

/// Calls body(a, first_k, tile) for blocks of the depth of a product that are about as long, for the columns from
/// `first` on. The tile lacks b.
template <class Body>
void for_blocks(const Product& p, std::size_t first, std::size_t columns, const Body& body) noexcept {
    const std::size_t blocks = (p.depth + panel_depth - 1) / panel_depth;
    const std::size_t block = (p.depth + blocks - 1) / blocks;
    float* const to = p.c.data() + first;
    Tile tile{
        .from = p.start + first * p.start_step, .from_step = 0, .to = to, .to_step = p.c.stride(), .width = columns};
    for (std::size_t i = 0; i < blocks; ++i) {
        if (i > 0 || p.start == nullptr) {
            tile.from = to;
            tile.from_step = p.c.stride();
        }
        const std::size_t k = std::min(i * block, p.depth);
        tile.depth = std::min(block, p.depth - k);
        body(Strided{p.a.data + k * p.a.k_step, p.a.row_step, p.a.k_step}, k, tile);
    }
}

/// The columns of a product from `first` on. pack(panel, first_k, depth, first, count) packs columns of b.
template <class Arch, class Pack>
void multiply_packed(const Product& p, std::size_t first, const Pack& pack) noexcept {
    constexpr std::size_t width = Panel<Arch>::width;
    Panel<Arch> panel;
    for (; p.c.rows() > 0 && first < p.c.cols(); first += width) {
        const std::size_t count = std::min(width, p.c.cols() - first);
        for_blocks(p, first, count, [&](const Strided& a, std::size_t k, Tile& tile) {
            pack(panel, k, tile.depth, first, count);
            tile.b = panel.elements.data();
            tile.b_step = width;
            multiply_rows<Arch>(a, tile, p.c.rows());
        });
    }
}

/// The product with b as it lies in memory. Only its last columns are packed, if they do not fill two batches.
template <class Arch>
void multiply_in_place(const Product& p, MatrixView<const float> b) noexcept {
    constexpr std::size_t width = Panel<Arch>::width;
    std::size_t first = 0;
    const auto next_columns = [&](std::size_t columns, const auto& multiply) {
        for (; p.c.cols() - first >= columns; first += columns) {
            for_blocks(p, first, columns, [&](const Strided& a, std::size_t k, Tile& tile) {
                tile.b = b.data() + k * b.stride() + first;
                tile.b_step = b.stride();
                multiply(a, tile);
            });
        }
    };
    if (p.c.rows() > 0) {
        if (p.c.rows() == 1) {  // a step of two sums would wait for the one before
            next_columns(4 * width, multiply_tile<Arch, 1, 8>);
        }
        next_columns(width, [&](const Strided& a, const Tile& tile) { multiply_rows<Arch>(a, tile, p.c.rows()); });
        if (p.c.rows() == 1 && first < p.c.cols()) {  // packing would cost more than the product
            next_columns(p.c.cols() - first, multiply_tile<Arch, 1, 2, true>);
        }
    }
    multiply_packed<Arch>(p, first, [&](Panel<Arch>& panel, auto... part) { panel.copy(b, part...); });
}

}  // namespace simd

template <class Arch>
void gemm_nt(Simd<Arch>, MatrixView<const float> a, MatrixView<const float> b, std::span<const float> bias,
             MatrixView<float> c) noexcept {
    if (a.cols() == 0) {  // no products, and perhaps no memory
        return gemm_nt(Scalar{}, a, b, bias, c);
    }
    const bool has_bias = !bias.empty();
    const float* const start = has_bias ? bias.data() : simd::zeros.data();
    // A product with one row or one column would use few of the numbers of a panel.
    if (c.rows() == 1 && c.cols() >= simd::least_rows<Arch>) {
        return simd::multiply_row_products<Arch>({b, a.data(), start, has_bias ? 1U : 0U, c.data(), 1});
    }
    if (c.cols() == 1 && c.rows() >= simd::least_rows<Arch>) {
        return simd::multiply_row_products<Arch>({a, b.data(), start, 0, c.data(), c.stride()});
    }
    simd::multiply_packed<Arch>({{a.data(), a.stride(), 1}, a.cols(), start, has_bias ? 1U : 0U, c}, 0,
                                [&](simd::Panel<Arch>& panel, auto... part) { panel.transpose(b, part...); });
}

template <class Arch>
void gemm_nn(Simd<Arch>, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> c) noexcept {
    if (a.cols() == 0) {
        return gemm_nn(Scalar{}, a, b, c);
    }
    simd::multiply_in_place<Arch>({{a.data(), a.stride(), 1}, a.cols(), simd::zeros.data(), 0, c}, b);
}

template <class Arch>
void gemm_tn(Simd<Arch>, MatrixView<const float> a, MatrixView<const float> b, MatrixView<float> c) noexcept {
    if (a.rows() == 0) {
        return;
    }
    simd::multiply_in_place<Arch>({{a.data(), 1, a.stride()}, a.rows(), nullptr, 0, c}, b);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

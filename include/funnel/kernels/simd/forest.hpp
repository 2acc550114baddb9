// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>
#include <funnel/kernels/scalar/forest.hpp>
#include <funnel/kernels/simd/batch.hpp>
#include <funnel/kernels/simd/leaf_sums.hpp>
#include <funnel/kernels/simd/tables.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// Tables of bytes and the transposition need AVX2; without it, the scalar kernels.
#if defined(__AVX2__)
namespace simd {

// One load: see SweepNode.
template <class Arch, class Byte>
[[nodiscard, gnu::always_inline]] inline Bytes<Arch> broadcast(const std::array<Byte, 4>& same) noexcept {
    return Bytes<Arch>::broadcast(std::bit_cast<std::int32_t>(same));
}

// Registers of leaves, each with its own chain of dependent instructions, stay in registers for the whole tree.
template <class Arch, std::size_t Registers>
inline void sweep(std::span<const SweepNode> nodes, const std::int8_t* codes, std::size_t stride,
                  std::uint8_t* leaves) noexcept {
    std::array<Bytes<Arch>, Registers> at;
    unroll<Registers>([&](auto i) __attribute__((always_inline)) { at[i] = Bytes<Arch>::broadcast(0); });
    for (const SweepNode& node : nodes) {
        const std::int8_t* column = codes + node.column * stride;
        const auto code = broadcast<Arch>(node.code);
        const auto first = broadcast<Arch>(node.first_leaf);
        const auto right = broadcast<Arch>(node.right_leaf);
        unroll<Registers>([&](auto i) __attribute__((always_inline)) {
            at[i].replace(first, Bytes<Arch>::load(column + i * Bytes<Arch>::size), code, right);
        });
    }
    unroll<Registers>([&](auto i) __attribute__((always_inline)) { at[i].store(leaves + i * Bytes<Arch>::size); });
}

}  // namespace simd

template <class Arch>
    requires simd::has_tables<Arch>
void load_keys(Simd<Arch>, MatrixView<const float> rows, std::span<const KeyColumn> columns,
               MatrixView<std::int32_t> keys) noexcept {
    const auto copy = [&](const auto& row, std::size_t first, std::size_t n, detail::Tile& tile) {
        if (first + detail::tile_features <= rows.cols()) {
            simd::transpose_16x8<Arch>(row, first, tile.data());
        } else {
            detail::copy_tile(row, first, n, tile);
        }
    };
    detail::transpose(rows, columns, copy, [&](std::size_t c, std::size_t r, auto values) {
        const KeyColumn& column = columns[c];
        for (std::size_t i = 0; i < values.size(); i += simd::Integers<Arch>::size) {
            const auto bits = simd::Integers<Arch>::load_bits(values.data() + i);
            bits.keys(column.missing_key, column.zero_below).store(keys.data() + c * keys.stride() + r + i);
        }
    });
}

template <class Arch>
    requires simd::has_tables<Arch>
void quantise(Simd<Arch>, std::span<const std::int32_t> levels, std::span<const std::int32_t> keys,
              std::span<std::int8_t> codes, std::span<std::int8_t> left_codes) noexcept {
    using Register = simd::Integers<Arch>;
    const std::size_t filled = keys.size() / Register::size * Register::size;
    const auto search = [&](auto depth) __attribute__((always_inline)) {
        const simd::SearchTree<Arch, depth> tree(levels.data());
        for (std::size_t r = 0; r < filled; r += Register::size) {
            const Register at = Register::load(keys.data() + r);
            const Register count = tree.count(at);
            count.store_codes(codes.data() + r);
            if (!left_codes.empty()) {
                const auto is_missing = at.is_above(Register::broadcast(missing_goes_right - 1));
                count.zero_at(is_missing).store_codes(left_codes.data() + r);
            }
        }
    };
    const auto depth = static_cast<unsigned>(std::bit_width(levels.size()));
    [&]<std::size_t... Depth>(std::index_sequence<Depth...>) {
        ((depth == Depth ? search(std::integral_constant<std::size_t, Depth>{}) : void()), ...);
    }(std::make_index_sequence<9>{});
    quantise(Scalar{}, levels, keys.subspan(filled), codes.subspan(filled),
             left_codes.subspan(left_codes.empty() ? 0 : filled));
}

template <class Arch>
void find_leaves(Simd<Arch>, std::span<const SweepNode> nodes, MatrixView<const std::int8_t> codes,
                 std::span<std::uint8_t> leaves) noexcept {
    constexpr std::size_t size = simd::Bytes<Arch>::size;
    constexpr std::size_t registers = size == 64 ? 4 : 8;
    std::size_t r = 0;
    for (; leaves.size() - r >= registers * size; r += registers * size) {
        simd::sweep<Arch, registers>(nodes, codes.data() + r, codes.stride(), leaves.data() + r);
    }
    for (; r < leaves.size(); r += 64) {
        simd::sweep<Arch, 64 / size>(nodes, codes.data() + r, codes.stride(), leaves.data() + r);
    }
}

template <class Arch, std::floating_point Value, std::unsigned_integral Leaf>
    requires simd::has_tables<Arch>
void add_leaves(Simd<Arch>, std::span<const Value> values, std::span<const Leaf> leaves,
                std::span<Value> sums) noexcept {
#if defined(__AVX512F__)
    if constexpr (simd::is_avx512<Arch> && std::same_as<Leaf, std::uint8_t>) {
        if (values.size() <= 32 && leaves.size() % 64 == 0) {
            return simd::add_from_registers(values, leaves, sums);
        }
    }
#endif
    constexpr std::size_t size = 32 / sizeof(Value);
    const std::size_t filled = leaves.size() / size * size;
    for (std::size_t r = 0; r < filled; r += size) {
        simd::add_loaded(values.data(), leaves.data() + r, sums.data() + r);
    }
    add_leaves(Scalar{}, values, leaves.subspan(filled), sums.subspan(filled));
}
#endif

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

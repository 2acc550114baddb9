// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>
#include <funnel/kernels/scalar/forest.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/forest.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

// A block of rows is scored in four steps: floats -> keys -> codes of one byte -> for each tree: leaves -> sums.
// No argument may overlap an output (not checked), and every backend gives the same bits.

/// Transposes a block of rows, and maps the values to keys.
///
///     keys(c, r) = key of rows(r, columns[c].feature)
///
/// Shapes    rows: up to forest_block x any, features in range;  keys: as many rows as columns, stride >= forest_block
/// Cost      O(rows columns), no allocation. Elements of keys from rows.rows() to forest_block may change
template <HostBackend Backend = DefaultBackend>
void load_keys(MatrixView<const float> rows, std::span<const KeyColumn> columns,
               MatrixView<std::int32_t> keys) noexcept {
    FUNNEL_ASSERT(rows.rows() <= forest_block && keys.rows() >= columns.size() &&
                  (columns.empty() || keys.stride() >= forest_block));
    if (rows.rows() > 0) {
        load_keys(Backend{}, rows, columns, keys);
    }
}

/// Maps the keys of a column to codes. Splits at which missing values go left read codes of their own, which differ
/// where the key is missing_goes_right.
///
///     codes[r]      = lowest_code + number of thresholds < keys[r]
///     left_codes[r] = codes[r], or lowest_code if keys[r] is missing_goes_right
///
/// Shapes    levels: 2^l - 1 sorted thresholds, l <= 8, as a search tree, where 2 i + 1 and 2 i + 2 are the children of
///           i; unused ones are the largest number;  keys, codes, left_codes: the same size, or left_codes empty
/// Cost      O(l) per key, no allocation
template <HostBackend Backend = DefaultBackend>
void quantise(std::span<const std::int32_t> levels, std::span<const std::int32_t> keys, std::span<std::int8_t> codes,
              std::span<std::int8_t> left_codes = {}) noexcept {
    FUNNEL_ASSERT(levels.size() < 256 && (levels.size() & (levels.size() + 1)) == 0 && keys.size() == codes.size() &&
                  (left_codes.empty() || left_codes.size() == codes.size()));
    quantise(Backend{}, levels, keys, codes, left_codes);
}

/// Finds the leaf of a tree that each row falls into, by visiting every node of the tree for all rows at once. There is
/// no branch and no dependent load.
///
/// Shapes    nodes: parents before children;  codes: columns x forest_block;  leaves: a multiple of 64, at most
///           forest_block
/// Cost      O(nodes rows), no allocation: about 3 instructions per node and SIMD register
/// Source    the sweep over all nodes is that of Lucchese et al., "QuickScorer", SIGIR 2015, for bytes in place of
///           floats, and with the position of the leaf in place of bit vectors
template <HostBackend Backend = DefaultBackend>
void find_leaves(std::span<const SweepNode> nodes, MatrixView<const std::int8_t> codes,
                 std::span<std::uint8_t> leaves) noexcept {
    FUNNEL_ASSERT(leaves.size() % 64 == 0 && leaves.size() <= forest_block &&
                  (nodes.empty() || codes.stride() >= forest_block));
    find_leaves(Backend{}, nodes, codes, leaves);
}

/// Adds the values of leaves.
///
///     sums[r] += values[leaves[r]]
///
/// Shapes    leaves: each < values.size();  sums: the size of leaves or more
/// Cost      O(rows), no allocation
template <HostBackend Backend = DefaultBackend, std::floating_point Value, std::unsigned_integral Leaf>
void add_leaves(std::span<const Value> values, std::span<const Leaf> leaves, std::span<Value> sums) noexcept {
    FUNNEL_ASSERT(sums.size() >= leaves.size());
    add_leaves(Backend{}, values, leaves, sums);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The key of one value. All tests are on integers, so that they hold for denormals and NaN in any floating-point mode.
[[nodiscard, gnu::always_inline]] inline std::int32_t key_of(const float& x, const KeyColumn& column) noexcept {
    constexpr std::int32_t infinity = 0x7F80'0000;
    const auto bits = std::bit_cast<std::int32_t>(x);
    const std::int32_t magnitude = bits & 0x7FFF'FFFF;
    const std::int32_t key = bits < 0 ? ~magnitude : magnitude;
    const bool is_missing =
        static_cast<int>(magnitude > infinity) + static_cast<int>(magnitude < column.zero_below) > 0;
    return is_missing ? column.missing_key : key;
}

namespace detail {

/// Values of 16 rows and up to 8 features that follow one another, transposed. It stays in the L1 cache.
inline constexpr std::size_t tile_rows = 16;
inline constexpr std::size_t tile_features = 8;
using Tile = std::array<float, tile_rows * tile_features>;

/// Transposes a block of rows by tiles. Calls copy(row, first, n, tile) to fill one with the features from first to
/// first + n - 1 of row(0) to row(15), and then with_values(c, r, values) for its columns: those of rows r to r + 15.
/// After the last row, that row is repeated. All rows of a few columns come before the next columns, which are then
/// written in order.
template <class Copy, class WithValues>
[[gnu::always_inline]] inline void transpose(MatrixView<const float> rows, std::span<const KeyColumn> columns,
                                             const Copy& copy, const WithValues& with_values) noexcept {
    Tile tile;
    for (std::size_t begin = 0, end = 0; begin < columns.size(); begin = end) {
        const std::uint32_t first = columns[begin].feature;
        std::uint32_t last = first;
        for (; end < columns.size() && columns[end].feature - first < tile_features; ++end) {
            last = std::max(last, columns[end].feature);
        }
        const auto do_tile = [&](std::size_t r, const auto& row) {
            copy(row, first, last - first + 1, tile);
            for (std::size_t c = begin; c < end; ++c) {
                const std::size_t feature = columns[c].feature - first;
                with_values(c, r, std::span<const float>(tile.data() + feature * tile_rows, tile_rows));
            }
        };
        std::size_t r = 0;
        for (; r + tile_rows <= rows.rows(); r += tile_rows) {
            do_tile(r, [&](std::size_t i) { return rows.data() + (r + i) * rows.stride(); });
        }
        if (r < rows.rows()) {
            do_tile(r, [&](std::size_t i) { return rows.row(std::min(r + i, rows.rows() - 1)).data(); });
        }
    }
}

/// The copy of transpose() for any number of features.
inline constexpr auto copy_tile = [](const auto& row, std::size_t first, std::size_t n, Tile& tile) noexcept {
    for (std::size_t i = 0; i < tile_rows; ++i) {
        for (std::size_t j = 0; j < n; ++j) {
            tile[j * tile_rows + i] = row(i)[first + j];
        }
    }
};

}  // namespace detail

inline void load_keys(Scalar, MatrixView<const float> rows, std::span<const KeyColumn> columns,
                      MatrixView<std::int32_t> keys) noexcept {
    detail::transpose(rows, columns, detail::copy_tile, [&](std::size_t c, std::size_t r, auto values) {
        const KeyColumn column = columns[c];
        std::int32_t* const out = keys.data() + c * keys.stride() + r;
        for (std::size_t i = 0; i < values.size(); ++i) {
            out[i] = key_of(values[i], column);
        }
    });
}

inline void quantise(Scalar, std::span<const std::int32_t> levels, std::span<const std::int32_t> keys,
                     std::span<std::int8_t> codes, std::span<std::int8_t> left_codes) noexcept {
    constexpr std::size_t together = 8;  // independent searches hide the latency of each other
    std::size_t r = 0;
    const auto search = [&](auto count) {
        std::array<std::size_t, count> at{};
        for (std::size_t begin = 0; begin < levels.size(); begin = 2 * begin + 1) {
            for (std::size_t i = 0; i < count; ++i) {
                at[i] = 2 * at[i] + 1 + (keys[r + i] > levels[at[i]] ? 1U : 0U);
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            codes[r + i] = static_cast<std::int8_t>(static_cast<std::ptrdiff_t>(at[i] - levels.size()) + lowest_code);
        }
    };
    for (; keys.size() - r >= together; r += together) {
        search(std::integral_constant<std::size_t, together>{});
    }
    for (; r < keys.size(); ++r) {
        search(std::integral_constant<std::size_t, 1>{});
    }
    for (std::size_t i = 0; i < left_codes.size(); ++i) {
        left_codes[i] = keys[i] == missing_goes_right ? lowest_code : codes[i];
    }
}

inline void find_leaves(Scalar, std::span<const SweepNode> nodes, MatrixView<const std::int8_t> codes,
                        std::span<std::uint8_t> leaves) noexcept {
    // Without branches and in local arrays of a fixed size, so that compilers use what registers there are.
    for (std::size_t begin = 0; begin < leaves.size(); begin += 64) {
        std::array<std::uint8_t, 64> at{};
        for (const SweepNode& node : nodes) {
            const std::int8_t* const column = codes.data() + node.column * codes.stride() + begin;
            const std::int8_t code = node.code[0];
            const std::uint8_t first = node.first_leaf[0];
            const std::uint8_t right = node.right_leaf[0];
            asm("");  // else g++ -O3 runs several nodes together (unroll-and-jam), without vectors: 20 times slower
            for (std::size_t r = 0; r < 64; ++r) {
                const auto is_here = static_cast<std::uint8_t>(at[r] == first ? 0xFF : 0);
                const auto is_above = static_cast<std::uint8_t>(column[r] > code ? 0xFF : 0);
                const auto turns = static_cast<std::uint8_t>(is_here & is_above);
                at[r] = static_cast<std::uint8_t>((at[r] & ~turns) | (right & turns));
            }
        }
        std::copy(at.begin(), at.end(), leaves.begin() + static_cast<std::ptrdiff_t>(begin));
    }
}

template <std::floating_point Value, std::unsigned_integral Leaf>
void add_leaves(Scalar, std::span<const Value> values, std::span<const Leaf> leaves, std::span<Value> sums) noexcept {
    for (std::size_t r = 0; r < leaves.size(); ++r) {
        sums[r] += values[leaves[r]];
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest_block.hpp>

#include <algorithm>
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
    return magnitude > infinity || magnitude < column.zero_below ? column.missing_key : key;
}

inline void load_keys(Scalar, MatrixView<const float> rows, std::span<const KeyColumn> columns,
                      MatrixView<std::int32_t> keys) noexcept {
    for (std::size_t r = 0; r < rows.rows(); ++r) {
        for (std::size_t c = 0; c < columns.size(); ++c) {
            keys.data()[c * keys.stride() + r] = key_of(rows.row(r)[columns[c].feature], columns[c]);
        }
    }
}

inline void quantise(Scalar, std::span<const std::int32_t> levels, std::span<const std::int32_t> keys,
                     std::span<std::int8_t> codes) noexcept {
    constexpr std::size_t together = 8;  // independent searches hide the latency of each other
    std::size_t r = 0;
    const auto search = [&](auto count) {
        std::size_t at[count] = {};
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
}

inline void find_leaves(Scalar, std::span<const SweepNode> nodes, MatrixView<const std::int8_t> codes,
                        std::span<std::uint8_t> leaves) noexcept {
    std::fill(leaves.begin(), leaves.end(), std::uint8_t{0});
    for (const SweepNode node : nodes) {  // a copy: leaves are bytes, which could be bytes of the node
        const std::int8_t* column = codes.data() + node.column * codes.stride();
        for (std::size_t r = 0; r < leaves.size(); ++r) {
            const bool goes_right = leaves[r] == node.first_leaf[0] && column[r] > node.code[0];
            leaves[r] = goes_right ? node.right_leaf[0] : leaves[r];
        }
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

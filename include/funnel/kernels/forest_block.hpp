// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// The kernels of forests work on blocks of this many rows, stored column by column.
inline constexpr std::size_t forest_block = 256;

/// Trees with more leaves have no SweepNode: the position of a leaf is one byte.
inline constexpr std::size_t max_swept_leaves = 256;

/// A column of keys: a feature whose values are mapped to integers in the same order. The key of a missing value is
/// fixed.
///
///     value < other   if and only if   key < key of other, except that -0.0 is just below 0.0
struct KeyColumn {
    std::uint32_t feature = 0;
    std::int32_t missing_key = 0;
    std::int32_t zero_below = 0;  ///< values with fewer bits, without the sign, count as missing, as does NaN
};

/// The missing_key that is above all numbers, and so goes right at every split.
inline constexpr std::int32_t missing_goes_right = std::numeric_limits<std::int32_t>::max();

/// The code of a key that is above no threshold. The thresholds of a column are at most 255, so a code is one byte.
inline constexpr std::int8_t lowest_code = std::numeric_limits<std::int8_t>::min();

/// A split of a tree whose leaves are numbered from left to right. A row is at this node if the leftmost leaf that it
/// can still reach is first_leaf; if its code is above this one, that becomes right_leaf, the first leaf on the right
/// side. (A row elsewhere has turned off at a node above, and is now on the left of all leaves below that node's other
/// side, or on the right of them.) Parents come before their children.
///
/// Each byte is stored four times, because a load that broadcasts 32 bits costs less than one that broadcasts a byte.
struct SweepNode {
    std::uint32_t column = 0;  ///< of the matrix of codes
    std::array<std::int8_t, 4> code{};
    std::array<std::uint8_t, 4> first_leaf{};
    std::array<std::uint8_t, 4> right_leaf{};
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

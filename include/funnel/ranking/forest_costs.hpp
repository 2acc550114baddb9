// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/forest.hpp>
#include <funnel/kernels/forest_block.hpp>

#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// The cost model that picks the engine of a block of rows: what the steps of the engines take, in nanoseconds. Nothing
/// is timed when a forest is made, so a forest always gets the same engine on the same backend. All engines give the
/// same bits.
///
///     walk     rows (key columns * row_key + sum over trees of bit_width(leaves) * walk_step)
///     sweep    64s of rows (key columns * keys + code columns * codes + splits * sweep_node + trees * leaves)
///
/// Measured with LightGBM models of 136 features on one core at 2.5 GHz (Cascade Lake). It sweeps from:
///
///     trees x leaves    Scalar     AVX2       AVX-512
///     500 x 31          31 rows     9 rows     8 rows
///     500 x 64          34 rows    11 rows    10 rows
///     100 x 255         never      32 rows    32 rows
struct EngineCosts {
    // For each row of a walk.
    double row_key = 1.0;    ///< per column of keys
    double walk_step = 3.2;  ///< per level of a balanced tree
    // For 64 rows of a sweep.
    double keys = 180.0;                  ///< per column of keys
    double codes = 600.0;                 ///< per column of codes
    double sweep_node = 8.0;              ///< per split
    double leaves = 45.0;                 ///< per tree
    std::size_t most_swept_leaves = 128;  ///< larger trees are walked
};

[[nodiscard]] constexpr EngineCosts engine_costs(kernels::Scalar) noexcept {
    return {};
}

#if FUNNEL_HAS_SIMD
template <class Arch>
[[nodiscard]] constexpr EngineCosts engine_costs(kernels::Simd<Arch>) noexcept {
    constexpr std::size_t bytes = kernels::simd::Bytes<Arch>::size;
    if constexpr (bytes >= 64) {
        return {.keys = 10.0,
                .codes = 25.0,
                .sweep_node = 3.1,
                .leaves = 15.0,
                .most_swept_leaves = kernels::max_swept_leaves};
    } else if constexpr (bytes == 32) {
        return {.keys = 10.0,
                .codes = 30.0,
                .sweep_node = 3.0,
                .leaves = 40.0,
                .most_swept_leaves = kernels::max_swept_leaves};
    } else {
        return engine_costs(kernels::Scalar{});
    }
}
#endif

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

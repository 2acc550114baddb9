// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

/// How a sum of entries of integer tables becomes a sum of entries of the tables of floats.
///
///     sum of floats = scale * sum of integers + offset, with an error of at most M scale / 2, and rounding
struct TableScale {
    float scale = 0.0F;
    float offset = 0.0F;
};

/// Rounds M tables of floats to integers, with one scale for all, so that kernels::pq_scan (16 bits) and
/// kernels::fast_scan (8 bits) can add them. The largest possible sum fits into 16 bits: no sum overflows.
///
/// Shapes    tables: M x size, finite;  out: M x size (not checked);  M from 1 to 256, size a multiple of 16
/// Cost      O(M size), no allocation
template <class Integer>
    requires(std::same_as<Integer, std::uint8_t> || std::same_as<Integer, std::uint16_t>)
TableScale round_tables(std::span<const float> tables, std::size_t m, std::span<Integer> out) noexcept {
    FUNNEL_ASSERT(m >= 1 && m <= 256 && tables.size() % (16 * m) == 0 && out.size() == tables.size());
    const std::size_t size = tables.size() / m;
    constexpr std::size_t lanes = 16;  // with one minimum per lane, compilers use full registers
    std::array<float, 256> lows;
    TableScale result;
    float range = 0.0F;
    for (std::size_t i = 0; i < m; ++i) {
        std::array<float, lanes> low;
        std::array<float, lanes> high;
        low.fill(tables[i * size]);
        high.fill(tables[i * size]);
        for (std::size_t j = 0; j < size; j += lanes) {
            for (std::size_t l = 0; l < lanes; ++l) {
                const float x = tables[i * size + j + l];
                low[l] = x < low[l] ? x : low[l];
                high[l] = x > high[l] ? x : high[l];
            }
        }
        lows[i] = *std::min_element(low.begin(), low.end());
        range = std::max(range, *std::max_element(high.begin(), high.end()) - lows[i]);
        result.offset += lows[i];
    }
    const auto levels = static_cast<float>(
        std::min<std::size_t>(std::numeric_limits<Integer>::max(), std::numeric_limits<std::uint16_t>::max() / m));
    // Below, all entries of a table are the same number up to 1e-30, and the inverse could overflow.
    const float inverse = range > 1e-30F ? levels / range : 0.0F;
    result.scale = range > 1e-30F ? range / levels : 0.0F;
    for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < size; ++j) {
            const float level = (tables[i * size + j] - lows[i]) * inverse + 0.5F;
            out[i * size + j] = static_cast<Integer>(static_cast<std::int32_t>(std::min(level, levels)));
        }
    }
    return result;
}

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel

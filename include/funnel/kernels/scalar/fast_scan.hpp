// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void fast_scan(Scalar, std::span<const std::uint8_t> tables, std::span<const std::uint8_t> blocks,
                      std::span<std::uint16_t> sums) noexcept {
    constexpr std::size_t together = 4;  // bytes, of two vectors each
    const std::size_t m = tables.size() / 16;
    for (std::size_t i = 0; i < sums.size(); i += 32) {
        const std::uint8_t* const codes = blocks.data() + i / 2 * m;
        for (std::size_t k = 0; k < 16; k += together) {
            std::array<std::uint32_t, together> low{};
            std::array<std::uint32_t, together> high{};
            for (std::size_t j = 0; j < m; ++j) {
                const std::uint8_t* const table = tables.data() + j * 16;
                for (std::size_t l = 0; l < together; ++l) {
                    const std::size_t both = codes[j * 16 + k + l];
                    low[l] += table[both & 15];
                    high[l] += table[both >> 4];
                }
            }
            for (std::size_t l = 0; l < together; ++l) {
                sums[i + k + l] = static_cast<std::uint16_t>(low[l]);
                sums[i + 16 + k + l] = static_cast<std::uint16_t>(high[l]);
            }
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

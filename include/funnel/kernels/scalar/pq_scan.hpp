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

inline void pq_scan(Scalar, std::span<const std::uint16_t> tables, std::span<const std::uint8_t> blocks,
                    std::span<std::uint16_t> sums) noexcept {
    constexpr std::size_t together = 8;  // sums in registers: twice as fast as one vector at a time
    const std::size_t m = tables.size() / 256;
    for (std::size_t i = 0; i < sums.size(); i += together) {
        const std::size_t first = i / 32 * 32 * m + i % 32;
        std::array<std::uint32_t, together> sum{};
        for (std::size_t j = 0; j < m; ++j) {
            const std::uint16_t* const table = tables.data() + j * 256;
            const std::uint8_t* const codes = blocks.data() + first + j * 32;
            for (std::size_t k = 0; k < together; ++k) {
                sum[k] += table[codes[k]];
            }
        }
        for (std::size_t k = 0; k < together; ++k) {
            sums[i + k] = static_cast<std::uint16_t>(sum[k]);
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

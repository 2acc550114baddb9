// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/backend.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

inline void hamming(Scalar, std::span<const std::uint64_t> query, std::span<const std::uint64_t> codes,
                    std::span<std::uint32_t> distances) noexcept {
    const std::uint64_t* word = codes.data();
    for (std::uint32_t& distance : distances) {
        int sum = 0;
        for (const std::uint64_t bits : query) {
            sum += std::popcount(bits ^ *word++);
        }
        distance = static_cast<std::uint32_t>(sum);
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

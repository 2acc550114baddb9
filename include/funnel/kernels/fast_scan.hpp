// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/fast_scan.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/fast_scan.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Adds up entries of look-up tables that fit into registers: the scores of vectors that are encoded in M codes of 4
/// bits.
///
///     sums[i] = sum over m of tables[16 m + code(i, m)]
///
/// Codes stand in blocks of 32 vectors. Byte 16 m + j of a block holds code m of its vector j in the low 4 bits, and
/// that of its vector j + 16 in the high ones. M is at most 257, so that a sum never exceeds 16 bits: no backend
/// saturates, and all give the same bits.
///
/// Shapes    tables: M x 16, M <= 257;  blocks: n x M x 16;  sums: n x 32, not overlapping (not checked)
/// Cost      O(n M), no allocation
/// Source    Andre, Kermarrec & Le Scouarnec, "Quicker ADC", TPAMI 2019
template <HostBackend Backend = DefaultBackend>
void fast_scan(std::span<const std::uint8_t> tables, std::span<const std::uint8_t> blocks,
               std::span<std::uint16_t> sums) noexcept {
    FUNNEL_ASSERT(tables.size() % 16 == 0 && tables.size() <= 16 * 257 && sums.size() % 32 == 0);
    FUNNEL_ASSERT(2 * blocks.size() == sums.size() * (tables.size() / 16));
    fast_scan(Backend{}, tables, blocks, sums);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

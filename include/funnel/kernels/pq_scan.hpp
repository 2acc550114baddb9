// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/pq_scan.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/pq_scan.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Vectors per block of codes, in pq_scan and fast_scan.
inline constexpr std::size_t code_block = 32;

/// Adds up entries of look-up tables: the scores of vectors that are encoded in M bytes (product quantisation).
///
///     sums[i] = sum over m of tables[256 m + code(i, m)],   modulo 2^16
///
/// Code m of vector i is blocks[32 M (i / 32) + 32 m + i % 32]: blocks of 32 vectors, transposed. Tables are integers
/// of 16 bits, so that all backends give the same bits, and eight registers of AVX-512 hold a table. Gathers of floats
/// take 5 times as long as these look-ups, and 2 times as long as plain loads.
///
/// Shapes    tables: M x 256;  blocks: n x M x 32;  sums: n x 32, not overlapping (not checked)
/// Cost      O(n M), no allocation
/// Source    Jegou, Douze & Schmid, "Product quantization for nearest neighbor search", TPAMI 2011
template <HostBackend Backend = DefaultBackend>
void pq_scan(std::span<const std::uint16_t> tables, std::span<const std::uint8_t> blocks,
             std::span<std::uint16_t> sums) noexcept {
    FUNNEL_ASSERT(tables.size() % 256 == 0 && sums.size() % code_block == 0);
    FUNNEL_ASSERT(blocks.size() == sums.size() * (tables.size() / 256));
    pq_scan(Backend{}, tables, blocks, sums);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

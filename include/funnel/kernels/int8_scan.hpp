// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/scalar/int8_scan.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/int8_scan.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

[[nodiscard]] inline bool fit_int8(const Int8Query& query, const Int8Vectors& vectors) noexcept {
    const std::size_t padded = int8_blocks(vectors.size) * int8_block;
    return query.bytes.size() % int8_group == 0 && query.bytes.size() <= max_int8_dimension &&
           vectors.bytes.size() >= padded * query.bytes.size() && vectors.scales.size() >= padded &&
           (vectors.biases.empty() || vectors.biases.size() >= padded);
}

}  // namespace detail

/// Inner products of bytes: a query with each vector of a sequence of blocks.
///
///     out[v] = sum over j of (byte[v][j] - 128) query[j]
///
/// Shapes    blocks: out.size() vectors of query.bytes.size() <= 2^17 dimensions (not checked), see int8_blocks.hpp
/// Cost      O(n d), no allocation; all backends give the same numbers
template <HostBackend Backend = DefaultBackend>
void int8_dots(const Int8Query& query, std::span<const std::uint8_t> blocks, std::span<std::int32_t> out) noexcept {
    FUNNEL_ASSERT(blocks.size() >= int8_blocks(out.size()) * int8_block * query.bytes.size());
    int8_dots(Backend{}, query, blocks, out);
}

/// The vectors whose score reaches a threshold, for each query of a batch. The blocks are read once for four queries.
///
///     score[v] = scale[v] (step dot[v] + offset) + bias[v],  dot as in int8_dots
///
/// Each scan receives hits {v, score[v]} in the order of the vectors, and their count. A score that is NaN is a hit.
///
/// Shapes    scans: any number of queries of the same dimension, each with room for vectors.size hits (not checked)
/// Cost      O(n d) per query, no allocation; scores of backends differ by rounding
template <HostBackend Backend = DefaultBackend>
void int8_scan(const Int8Vectors& vectors, std::span<Int8Scan> scans) noexcept {
    for (Int8Scan& scan : scans) {
        FUNNEL_ASSERT(detail::fit_int8(scan.query, vectors) && scan.hits.size() >= vectors.size);
        FUNNEL_ASSERT(scan.query.bytes.size() == scans[0].query.bytes.size());
        scan.count = 0;
    }
    int8_scan(Backend{}, vectors, scans);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

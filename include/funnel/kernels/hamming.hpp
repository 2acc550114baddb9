// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/hamming.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/hamming.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Hamming distances: the number of bits in which codes differ from a query.
///
///     distances[i] = popcount(query xor code i)
///
/// Shapes    query: w words of 64 bits;  codes: n x w, one after another;  distances: n (not checked)
/// Cost      O(n w), no allocation
template <HostBackend Backend = DefaultBackend>
void hamming(std::span<const std::uint64_t> query, std::span<const std::uint64_t> codes,
             std::span<std::uint32_t> distances) noexcept {
    FUNNEL_ASSERT(codes.size() == query.size() * distances.size());
    hamming(Backend{}, query, codes, distances);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

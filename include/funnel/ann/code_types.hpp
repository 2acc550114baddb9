// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/quantise/int8.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// Searches score the stored vectors themselves.
struct F32 {};

/// Searches first score a copy of the vectors with 8 bits per element, then the best ones exactly.
struct Int8 {};

/// Searches first score a copy of the vectors with 16 bits per element, a float of half the size, then the best ones
/// exactly.
struct F16 {};

/// What a search scores first: F32, Int8 or F16.
template <class C>
concept CodeType = std::same_as<C, F32> || std::same_as<C, Int8> || std::same_as<C, F16>;

namespace detail {

/// Why vectors of this dimension cannot be in an index of dimension Dim with these codes; empty if they can.
template <std::size_t Dim, CodeType Codes>
[[nodiscard]] std::string defect_of_dimension(std::size_t dimension) {
    if (Dim != std::dynamic_extent && dimension != Dim) {
        return "the vectors have " + std::to_string(dimension) + " elements, the index has dimension " +
               std::to_string(Dim);
    }
    if (std::same_as<Codes, Int8> && dimension > quantise::max_int8_elements) {
        return "int8 codes are for at most 2^14 elements, the vectors have " + std::to_string(dimension);
    }
    return {};
}

}  // namespace detail

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel

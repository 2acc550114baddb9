// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <concepts>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

/// Searches score the stored vectors themselves.
struct F32 {};

/// Searches first score a copy of the vectors with 16 bits per element, then the best ones exactly.
struct F16 {};

/// Searches first score a copy of the vectors with 8 bits per element, then the best ones exactly.
struct Int8 {};

/// What a search scores first: F32, F16 or Int8.
template <class C>
concept CodeType = std::same_as<C, F32> || std::same_as<C, F16> || std::same_as<C, Int8>;

}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Decides which items a result may contain, such as those in stock. filter(id) returns true to keep an item. Ids come
/// in no particular order and perhaps repeatedly; the answer for an id must always be the same.
template <class F>
concept ItemFilter = std::predicate<const F&, std::uint32_t>;

/// Whether a filter is declared noexcept. The allocation-free overloads of search and recommend are noexcept only with
/// such filters.
template <ItemFilter F>
inline constexpr bool is_nothrow_filter = std::is_nothrow_invocable_r_v<bool, const F&, std::uint32_t>;

/// Accepts every item.
struct AcceptAll {
    constexpr bool operator()(std::uint32_t) const noexcept { return true; }
};

}  // namespace FUNNEL_ABI
}  // namespace funnel

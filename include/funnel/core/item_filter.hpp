// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Says which items a result may hold: in stock, allowed in this country. Called as filter(id) -> bool, in no
/// particular order and perhaps more than once per id; it must return the same each time.
template <class F>
concept ItemFilter = std::predicate<const F&, std::uint32_t>;

/// Whether a filter is declared noexcept. The forms of search and recommend that allocate nothing are noexcept with
/// such filters only.
template <ItemFilter F>
inline constexpr bool is_nothrow_filter = std::is_nothrow_invocable_r_v<bool, const F&, std::uint32_t>;

/// Lets every item pass.
struct AcceptAll {
    constexpr bool operator()(std::uint32_t) const noexcept { return true; }
};

}  // namespace FUNNEL_ABI
}  // namespace funnel

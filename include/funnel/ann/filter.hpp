// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace funnel::inline FUNNEL_ABI::ann {

/// Says which ids may be in a result: in stock, allowed in this country, not seen yet. Asked in no particular order,
/// and perhaps more than once for an id; it must answer alike.
template <class F>
concept Filter = std::predicate<const F&, std::uint32_t>;

/// Whether a filter is declared not to throw. The noexcept forms of search are noexcept with such filters only.
template <Filter F>
inline constexpr bool is_nothrow_filter = std::is_nothrow_invocable_r_v<bool, const F&, std::uint32_t>;

/// Lets every id pass.
struct AcceptAll {
    constexpr bool operator()(std::uint32_t) const noexcept { return true; }
};

}  // namespace funnel::ann

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

namespace detail {

template <class Entry>
[[nodiscard]] constexpr auto id_of(const Entry& entry) noexcept {
    if constexpr (requires { entry.id; }) {
        return entry.id;
    } else {
        return entry;
    }
}

}  // namespace detail

/// The items shown to one user, best first: a range of item ids, or of entries with an id, as recommend() returns.
template <class L>
concept ItemList = requires(const L& list) {
    { detail::id_of(*std::begin(list)) } -> std::integral;
    std::end(list);
};

namespace detail {

// The id of an entry, checked to be inside the catalogue. A negative id is outside.
template <class Entry>
[[nodiscard]] std::size_t checked_id(const Entry& entry, std::size_t items, const char* function) {
    const auto id = id_of(entry);
    if (static_cast<std::uint64_t>(id) >= items) {
        raise<InvalidArgument>(std::string(function) + ": item ids must lie inside the catalogue");
    }
    return static_cast<std::size_t>(id);
}

}  // namespace detail

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

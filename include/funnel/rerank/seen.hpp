// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct SeenOptions {
    std::size_t times = 1;  ///< > 0, removes items that occur this often in the history; 1 is the plain seen filter
};

/// Removes the items that a user has already seen, `times` times or more.
///
/// Shapes    items: n ids, best first;  history: m ids, in any order; an id occurs once for each time it was seen
/// Returns   the positions of the items that remain, in their order
/// Cost      O((n + m) log m) time, O(n + m) memory
/// Errors    InvalidArgument if times is 0
template <std::integral Id = std::uint32_t>
[[nodiscard]] std::vector<std::size_t> remove_seen(std::span<const Id> items, std::span<const Id> history,
                                                   const SeenOptions& options = {}) {
    require_at_least(options.times, 1, "remove_seen: times");

    std::vector<Id> sorted(history.begin(), history.end());
    std::sort(sorted.begin(), sorted.end());

    std::vector<std::size_t> kept;
    for (std::size_t i = 0; i < items.size(); ++i) {
        const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), items[i]);
        if (static_cast<std::size_t>(last - first) < options.times) {
            kept.push_back(i);
        }
    }
    return kept;
}

/// Overload for vectors and arrays of the default id type, from which the template cannot deduce Id.
[[nodiscard]] inline std::vector<std::size_t> remove_seen(std::span<const std::uint32_t> items,
                                                          std::span<const std::uint32_t> history,
                                                          const SeenOptions& options = {}) {
    return remove_seen<std::uint32_t>(items, history, options);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

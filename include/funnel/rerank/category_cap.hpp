// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct CategoryCapOptions {
    std::size_t k = 10;                      ///< length of the slate
    std::size_t per_category = 2;            ///< maximum number of items of a category ...
    std::optional<std::size_t> window = {};  ///< ... in any `window` adjacent places; not set: in the whole slate
    bool backfill = false;                   ///< true: if no candidate fits a place, take the best remaining one
};

/// Fills a slate from a ranked list, with a limit on the number of items per category.
///
/// Each place gets the first remaining candidate that keeps the limit. With one category per item and no window, this
/// is the best possible slate. Otherwise it is a greedy choice: the slate may end early where another order would not.
///
/// Shapes    n candidates, best first;  categories: callable on [0, n), any number of categories per item
/// Returns   positions, in slate order; fewer than min(k, n) if no remaining candidate keeps the limit
/// Cost      O(n k c) time for c categories per item, O(n c) memory
/// Errors    InvalidArgument if per_category or window is 0
template <Categories C>
[[nodiscard]] std::vector<std::size_t> category_cap(std::size_t n, const C& categories,
                                                    const CategoryCapOptions& options = {}) {
    require_at_least(options.per_category, 1, "category_cap: per_category");
    require_at_least(options.window.value_or(1), 1, "category_cap: window");

    const Groups groups(n, categories);
    std::vector<std::size_t> count(groups.count(), 0);  // per category: picks in the window of the next pick
    const auto fits = [&](std::size_t i) {
        const auto mine = groups.of(i);
        return std::all_of(mine.begin(), mine.end(), [&](std::size_t c) { return count[c] < options.per_category; });
    };

    std::vector<std::size_t> slate;
    std::vector<std::size_t> remaining(n);
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    while (slate.size() < options.k && !remaining.empty()) {
        if (options.window && slate.size() >= *options.window) {
            for (const std::size_t c : groups.of(slate[slate.size() - *options.window])) {
                --count[c];
            }
        }
        auto next = std::find_if(remaining.begin(), remaining.end(), fits);
        if (next == remaining.end()) {
            if (!options.backfill) {
                break;
            }
            next = remaining.begin();
        }
        for (const std::size_t c : groups.of(*next)) {
            ++count[c];
        }
        slate.push_back(*next);
        remaining.erase(next);
    }
    return slate;
}

/// As above, with one category per item.
[[nodiscard]] inline std::vector<std::size_t> category_cap(std::span<const std::uint32_t> categories,
                                                           const CategoryCapOptions& options = {}) {
    return category_cap(categories.size(), [&](std::size_t i) { return categories.subspan(i, 1); }, options);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

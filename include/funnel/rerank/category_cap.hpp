// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// The categories of a candidate, given by position: any range of whole numbers, also an empty one.
template <class C>
concept Categories = requires(const C& categories, std::size_t i) {
    { *categories(i).begin() } -> std::convertible_to<std::uint32_t>;
    categories(i).end();
};

struct CategoryCapOptions {
    std::size_t k = 10;                      ///< length of the slate
    std::size_t per_category = 2;            ///< at most this many items of a category ...
    std::optional<std::size_t> window = {};  ///< ... among any so many neighbours; not given: in the whole slate
    bool backfill = false;  ///< a place that no candidate may take goes to the best that is left anyway
};

/// Fills a slate from the top of a list, leaving out what would be one too many of a category.
///
/// Each place goes to the first candidate in the list that keeps the rule. For one category an item and no window
/// that is the best slate there is; else it is greedy, and may end early where a cleverer order would not.
///
/// Shapes    n candidates, best first;  categories: callable on [0, n), several an item are fine
/// Returns   positions, in order; fewer than min(k, n) when no candidate is left that may be taken
/// Cost      O(n k c) time for c categories an item, O(n c) memory
/// Errors    InvalidArgument if per_category or window is 0
template <Categories C>
[[nodiscard]] std::vector<std::size_t> category_cap(std::size_t n, const C& categories,
                                                    const CategoryCapOptions& options = {}) {
    require_at_least(options.per_category, 1, "category_cap: per_category");
    require_at_least(options.window.value_or(1), 1, "category_cap: window");

    // The categories of item i, without repetitions: names[first[i] .. first[i + 1]), then numbered 0, 1, ...
    std::vector<std::uint64_t> names;
    std::vector<std::size_t> first{0};
    for (std::size_t i = 0; i < n; ++i) {
        for (const auto category : categories(i)) {
            names.push_back(static_cast<std::uint64_t>(category));  // all 64 bits, so that no two become one
        }
        const auto begin = names.begin() + static_cast<std::ptrdiff_t>(first.back());
        std::sort(begin, names.end());
        names.erase(std::unique(begin, names.end()), names.end());
        first.push_back(names.size());
    }
    std::vector<std::uint64_t> distinct = names;
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::vector<std::size_t> numbers(names.size());
    for (std::size_t at = 0; at < names.size(); ++at) {
        numbers[at] =
            static_cast<std::size_t>(std::lower_bound(distinct.begin(), distinct.end(), names[at]) - distinct.begin());
    }
    const auto categories_of = [&](std::size_t i) {
        return std::span(numbers).subspan(first[i], first[i + 1] - first[i]);
    };

    std::vector<std::size_t> count(distinct.size(), 0);  // among the picks that the next one would share a window with
    const auto fits = [&](std::size_t i) {
        const auto mine = categories_of(i);
        return std::all_of(mine.begin(), mine.end(), [&](std::size_t c) { return count[c] < options.per_category; });
    };

    std::vector<std::size_t> slate;
    std::vector<std::size_t> remaining(n);
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    while (slate.size() < options.k && !remaining.empty()) {
        if (options.window && slate.size() >= *options.window) {
            for (const std::size_t c : categories_of(slate[slate.size() - *options.window])) {
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
        for (const std::size_t c : categories_of(*next)) {
            ++count[c];
        }
        slate.push_back(*next);
        remaining.erase(next);
    }
    return slate;
}

/// The same with one category an item.
[[nodiscard]] inline std::vector<std::size_t> category_cap(std::span<const std::uint32_t> categories,
                                                           const CategoryCapOptions& options = {}) {
    return category_cap(categories.size(), [&](std::size_t i) { return categories.subspan(i, 1); }, options);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/metrics/item_list.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// A range of lists, each shown to one user.
template <class L>
concept ItemLists = requires(const L& lists) {
    { *std::begin(lists) } -> ItemList;
    std::end(lists);
};

/// Counts how often each item of the catalogue was shown. coverage, gini and entropy take these counts.
///
/// Shapes    lists: item ids below `items`, or results of recommend()
/// Returns   one count per item, 0 for an item that was never shown
/// Errors    InvalidArgument if an id is outside the catalogue
template <ItemLists Lists>
[[nodiscard]] std::vector<std::uint64_t> count_shown(const Lists& lists, std::size_t items) {
    std::vector<std::uint64_t> counts(items, 0);
    for (const auto& list : lists) {
        for (const auto& entry : list) {
            ++counts[detail::checked_id(entry, items, "count_shown")];
        }
    }
    return counts;
}

/// The share of the catalogue that was shown at least once.
///
/// Shapes    counts: how often each item was shown, one for each item of the catalogue
/// Returns   a value in [0, 1]; NaN for an empty catalogue
[[nodiscard]] inline double coverage(std::span<const std::uint64_t> counts) {
    if (counts.empty()) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    const auto never = std::count(counts.begin(), counts.end(), std::uint64_t{0});
    return static_cast<double>(counts.size() - static_cast<std::size_t>(never)) / static_cast<double>(counts.size());
}

/// Gini index: how unevenly the shown places are spread over the items. 0 if all items were shown equally often; close
/// to 1 if one item took all places.
///
///     gini = sum over i = 1 .. n of (2 i - n - 1) x_i / (n sum of x),    x: the counts in ascending order
///
/// Items that were never shown count as well. Without them, a recommender that knows only two items would look fair.
///
/// Shapes    counts: how often each item was shown, one for each item of the catalogue
/// Returns   a value in [0, 1); NaN if nothing was shown
/// Cost      O(n log n) time, O(n) memory
/// Source    Fleder & Hosanagar, "Blockbuster culture's next rise or fall", Management Science 2009
[[nodiscard]] inline double gini(std::span<const std::uint64_t> counts) {
    std::vector<std::uint64_t> ascending(counts.begin(), counts.end());
    std::sort(ascending.begin(), ascending.end());

    const auto n = static_cast<double>(ascending.size());
    double weighted = 0.0;
    double total = 0.0;
    double weight = 1.0 - n;
    for (const std::uint64_t count : ascending) {
        weighted += weight * static_cast<double>(count);
        total += static_cast<double>(count);
        weight += 2.0;
    }
    if (total == 0.0) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    return std::max(0.0, weighted / (n * total));  // above 2^53, rounding may give a value below 0
}

struct EntropyOptions {
    bool normalised = false;  ///< true: divided by log2(n), the maximum for n items, so in [0, 1]
};

/// Shannon entropy of the shown items, in bits: the expected information in the item at a random place.
///
///     entropy = - sum over items of p log2(p),    p = count / sum of the counts
///
/// Shapes    counts: how often each item was shown, one for each item of the catalogue
/// Returns   a value in [0, log2(n)]; log2(n) if all items are shown equally often; NaN if nothing was shown, or if
///           normalised for a catalogue of one item
[[nodiscard]] inline double entropy(std::span<const std::uint64_t> counts, const EntropyOptions& options = {}) {
    double total = 0.0;  // double, because the sum may exceed 2^64
    for (const std::uint64_t count : counts) {
        total += static_cast<double>(count);
    }
    if (total == 0.0 || (options.normalised && counts.size() == 1)) {
        return std::numeric_limits<double>::quiet_NaN();
    }
    double bits = 0.0;
    for (const std::uint64_t count : counts) {
        if (count > 0) {
            const double share = static_cast<double>(count) / total;
            bits += share * -math::log2(share);
        }
    }
    const double most = math::log2(static_cast<double>(counts.size()));
    bits = std::min(bits, most);  // rounding may give a value above it
    return options.normalised ? bits / most : bits;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A row that a page may have, such as "New releases" or "Because you watched ...".
struct PageRow {
    float relevance;                   ///< >= 0, of the row as a whole
    std::vector<std::uint32_t> items;  ///< ids, best first
};

struct PageOptions {
    std::size_t rows = 10;           ///< maximum number of rows
    std::size_t items_per_row = 20;  ///< > 0, maximum number of items in a row
    std::size_t at_least = 3;        ///< in [1, items_per_row]; a row with fewer new items is not shown
};

/// A row of a page.
struct ShownRow {
    std::size_t row;                   ///< its position in the input
    std::vector<std::uint32_t> items;  ///< those of its items that no row above it shows, best first

    friend bool operator==(const ShownRow&, const ShownRow&) = default;
};

/// Assembles a page of rows, from top to bottom. No item is shown twice.
///
///     score(row) = relevance(row) * (share of its first items_per_row items that no row above shows)
///
/// So a row sinks if rows above it have taken its best items. Ties go to the smaller position. The rule is about rows:
/// candidate r is row r. For example, at most one row of a kind in any three:
///
///     assemble_page(rows, {.rows = 8}, WindowCap(kinds, 8, {.at_most = 1, .window = 3}))
///
/// A row that is not chosen at a place is considered again at the next. A rule that looks ahead counts rows that may
/// turn out to have too few new items.
///
/// Returns   rows in page order, each with at_least to items_per_row items
/// Cost      O(R I) per place, for the I items of the R rows
/// Errors    InvalidArgument if an option is out of range, or a relevance is negative or not finite
template <class R = AnyCandidate>
    requires SlateRule<std::remove_cvref_t<R>>
[[nodiscard]] std::vector<ShownRow> assemble_page(std::span<const PageRow> rows, const PageOptions& options = {},
                                                  R&& rule = {}) {
    require_at_least(options.items_per_row, 1, "assemble_page: items_per_row");
    require_between(options.at_least, 1, options.items_per_row, "assemble_page: at_least");
    detail::require_rule_of(rule, rows.size(), "assemble_page");
    for (const PageRow& row : rows) {
        require_not_negative(row.relevance, "assemble_page: relevance");
    }

    std::unordered_set<std::uint32_t> shown;
    std::vector<bool> is_chosen(rows.size(), false);
    const auto score_of = [&](const PageRow& row) {
        const std::size_t first = std::min(options.items_per_row, row.items.size());
        const auto is_new = [&](std::uint32_t item) { return !shown.contains(item); };
        const auto fresh =
            std::count_if(row.items.begin(), row.items.begin() + static_cast<std::ptrdiff_t>(first), is_new);
        return static_cast<double>(row.relevance) * static_cast<double>(fresh) / static_cast<double>(first);
    };
    const auto new_items_of = [&](const PageRow& row) {
        std::vector<std::uint32_t> items;
        std::unordered_set<std::uint32_t> taken;
        for (std::size_t i = 0; i < row.items.size() && items.size() < options.items_per_row; ++i) {
            if (!shown.contains(row.items[i]) && taken.insert(row.items[i]).second) {
                items.push_back(row.items[i]);
            }
        }
        return items;
    };

    std::vector<ShownRow> page;
    while (page.size() < options.rows) {
        ShownRow best{rows.size(), {}};
        double best_score = -1.0;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            if (is_chosen[r] || rows[r].items.empty() || !std::as_const(rule).allows(r)) {
                continue;
            }
            if (const double score = score_of(rows[r]); score > best_score) {
                if (auto items = new_items_of(rows[r]); items.size() >= options.at_least) {
                    best_score = score;
                    best = {r, std::move(items)};
                }
            }
        }
        if (best.row == rows.size()) {
            break;
        }
        is_chosen[best.row] = true;
        shown.insert(best.items.begin(), best.items.end());
        rule.place(best.row);
        page.push_back(std::move(best));
    }
    return page;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

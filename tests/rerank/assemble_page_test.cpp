// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/assemble_page.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/rerank/window_cap.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::rerank::assemble_page;
using funnel::rerank::Groups;
using funnel::rerank::PageOptions;
using funnel::rerank::PageRow;
using funnel::rerank::ShownRow;
using funnel::rerank::WindowCap;

namespace {

using Page = std::vector<ShownRow>;

// The definition, with sets that are built anew for each place.
Page page_by_definition(const std::vector<PageRow>& rows, const PageOptions& options) {
    Page page;
    while (page.size() < options.rows) {
        std::set<std::uint32_t> above;
        std::set<std::size_t> chosen;
        for (const ShownRow& shown : page) {
            above.insert(shown.items.begin(), shown.items.end());
            chosen.insert(shown.row);
        }
        ShownRow best{rows.size(), {}};
        double best_score = -1.0;
        for (std::size_t r = 0; r < rows.size(); ++r) {
            std::vector<std::uint32_t> items;
            double fresh = 0.0;
            for (std::size_t i = 0; i < rows[r].items.size(); ++i) {
                const std::uint32_t item = rows[r].items[i];
                const bool is_new = !above.contains(item);
                fresh += i < options.items_per_row && is_new ? 1.0 : 0.0;
                if (is_new && items.size() < options.items_per_row &&
                    std::find(items.begin(), items.end(), item) == items.end()) {
                    items.push_back(item);
                }
            }
            const auto first = static_cast<double>(std::min(options.items_per_row, rows[r].items.size()));
            const double score = static_cast<double>(rows[r].relevance) * fresh / first;
            if (!chosen.contains(r) && items.size() >= options.at_least && score > best_score) {
                best = {r, items};
                best_score = score;
            }
        }
        if (best.row == rows.size()) {
            break;
        }
        page.push_back(best);
    }
    return page;
}

}  // namespace

TEST_CASE("assemble_page: worked by hand") {
    const std::vector<PageRow> rows{{1.0F, {1, 2, 3, 4}}, {0.9F, {2, 1, 3, 5}}, {0.5F, {7, 1, 8, 9}}, {0.2F, {3}}};
    // Row 0 first. Then row 1 has 1 new item of its first 3 ... (0.9 / 3 = .3 if it had two), row 2 has 2 of 3 (.33).
    CHECK(assemble_page(rows, {.rows = 5, .items_per_row = 3, .at_least = 2}) == Page{{0, {1, 2, 3}}, {2, {7, 8, 9}}});
    CHECK(assemble_page(rows, {.rows = 5, .items_per_row = 3, .at_least = 1}) ==
          Page{{0, {1, 2, 3}}, {2, {7, 8, 9}}, {1, {5}}});
    CHECK(assemble_page(rows, {.rows = 1, .items_per_row = 2, .at_least = 1}) == Page{{0, {1, 2}}});
}

TEST_CASE("assemble_page: a rule about rows") {
    const std::vector<PageRow> rows{{3.0F, {1}}, {2.0F, {2}}, {1.0F, {3}}};
    const Groups kinds(std::vector<std::uint32_t>{0, 0, 1});
    const PageOptions options{.rows = 3, .items_per_row = 1, .at_least = 1};
    CHECK(assemble_page(rows, options, WindowCap(kinds, 3, {.at_most = 1, .window = 2})) ==
          Page{{0, {1}}, {2, {3}}, {1, {2}}});
}

TEST_CASE("assemble_page: agrees with the definition, and shows no item twice") {
    Random random(11);
    for (int round = 0; round < 300; ++round) {
        CAPTURE(round);
        std::vector<PageRow> rows(random.below(8));
        for (PageRow& row : rows) {
            row.relevance = static_cast<float>(random.below(4));
            row.items.resize(random.below(8));
            for (std::uint32_t& item : row.items) {
                item = static_cast<std::uint32_t>(random.below(15));
            }
        }
        PageOptions options{.rows = random.below(7), .items_per_row = 1 + random.below(5)};
        options.at_least = 1 + random.below(options.items_per_row);
        const Page page = assemble_page(rows, options);
        CHECK(page == page_by_definition(rows, options));
        std::set<std::uint32_t> shown;
        for (const ShownRow& row : page) {
            CHECK(row.items.size() >= options.at_least);
            CHECK(row.items.size() <= options.items_per_row);
            for (const std::uint32_t item : row.items) {
                CHECK(shown.insert(item).second);
            }
        }
    }
}

TEST_CASE("assemble_page: edges") {
    constexpr std::size_t endless = std::numeric_limits<std::size_t>::max();
    CHECK(assemble_page({}).empty());
    const std::vector<PageRow> rows{{0.0F, {1, 1, 2}}, {0.0F, {}}};
    CHECK(assemble_page(rows, {.rows = 0}).empty());
    CHECK(assemble_page(rows, {.rows = endless, .items_per_row = endless, .at_least = 1}) == Page{{0, {1, 2}}});
    CHECK(assemble_page(rows, {.rows = endless, .items_per_row = endless, .at_least = 3}).empty());
}

TEST_CASE("assemble_page: rejects options and relevances out of range") {
    const std::vector<PageRow> rows{{-1.0F, {1}}};
    CHECK_THROWS_AS((void)assemble_page(rows), InvalidArgument);
    CHECK_THROWS_AS((void)assemble_page({}, {.items_per_row = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)assemble_page({}, {.at_least = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)assemble_page({}, {.items_per_row = 2, .at_least = 3}), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The rows that the rankers of the demo learn from must not know their own labels.
#include "../../examples/demo/ranking_rows.hpp"

// The demo is a program and not a library: its files are compiled here.
// NOLINTBEGIN(bugprone-suspicious-include)
#include "../../examples/demo/candidate_features.cpp"
#include "../../examples/demo/ranking_rows.cpp"
#include "../../examples/demo/sources.cpp"
// NOLINTEND(bugprone-suspicious-include)

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

namespace {

using funnel::data::Interaction;
using funnel::data::Interactions;

const funnel::data::SyntheticWorld& world() {
    static const funnel::data::SyntheticWorld small({.users = 40, .items = 80, .rows = 1000, .cold_users = 0.0});
    return small;
}

funnel::Matrix<float> genres() {
    funnel::Matrix<float> rows(world().log().items(), 3);
    for (std::size_t item = 0; item < rows.rows(); ++item) {
        rows(item, item % 3) = 1.0F;
    }
    return rows;
}

/// The log, in which the rows that keep(row) leaves out swap their items. Users and times stay.
template <class Keep>
Interactions with_other_items(const Interactions& log, const Keep& keep) {
    std::vector<Interaction> rows(log.begin(), log.end());
    std::vector<std::uint32_t> items;
    for (const Interaction& row : rows) {
        if (!keep(row)) {
            items.push_back(row.item);
        }
    }
    funnel::Random(7).shuffle(std::span(items));
    std::size_t at = 0;
    for (Interaction& row : rows) {
        if (!keep(row)) {
            row.item = items[at++];
        }
    }
    return Interactions::from_ids(std::move(rows), log.users(), log.items());
}

demo::RankingRows rows_of(const Interactions& log, std::size_t threads) {
    funnel::Threads workers(threads);
    demo::ProgressBar bar;
    demo::Pool pool(workers, std::ref(bar));
    return demo::ranking_rows(log, genres(), pool);
}

/// Those of the world, by one thread. They are learned once, because a sanitizer makes that slow.
const demo::RankingRows& rows_of_world() {
    static const demo::RankingRows rows = rows_of(world().log(), 1);
    return rows;
}

/// The first time of the window whose choices are the labels.
double first_label_time() {
    const auto parts = funnel::data::split_by_time(world().log(), {.test_fraction = 0.25});
    return std::min_element(parts.test.begin(), parts.test.end(),
                            [](const Interaction& a, const Interaction& b) { return a.time < b.time; })
        ->time;
}

}  // namespace

TEST_CASE("ranking rows: features do not depend on what the labels come from") {
    const Interactions& log = world().log();
    const double cut = first_label_time();
    const demo::RankingRows& rows = rows_of_world();
    const auto other = rows_of(with_other_items(log, [&](const Interaction& row) { return row.time < cut; }), 1);
    REQUIRE(!rows.labels.empty());
    CHECK(rows.group_sizes == other.group_sizes);
    CHECK(rows.values == other.values);
    CHECK(rows.ids == other.ids);
    CHECK(rows.labels != other.labels);  // else nothing was tested
}

TEST_CASE("ranking rows: features do depend on the history") {
    const Interactions& log = world().log();
    const double cut = first_label_time();
    const auto changed = with_other_items(log, [&](const Interaction& row) { return row.time >= cut; });
    CHECK(rows_of_world().values != rows_of(changed, 1).values);
}

TEST_CASE("ranking rows: labels are the later choices, and no candidate is an item of the history") {
    funnel::Threads workers(1);
    demo::ProgressBar bar;
    demo::Pool pool(workers, std::ref(bar));
    const auto parts = funnel::data::split_by_time(world().log(), {.test_fraction = 0.25});
    const auto later = demo::ranking_rows(parts.train, parts.test, genres(), pool);
    CHECK(std::count(later.labels.begin(), later.labels.end(), 1.0F) > 0);
    // With the past as its own future, labels would be 1 if the history were among the candidates.
    const auto earlier = demo::ranking_rows(parts.train, parts.train, genres(), pool);
    CHECK(!earlier.labels.empty());
    CHECK(std::count(earlier.labels.begin(), earlier.labels.end(), 1.0F) == 0);
}

TEST_CASE("sources: two towers find items that are trained and that the user has not had") {
    funnel::Threads workers(1);
    demo::ProgressBar bar;
    demo::Pool pool(workers, std::ref(bar));
    // User 4 has no history, item 6 has no row.
    std::vector<Interaction> log;
    for (std::uint32_t row = 0; row < 16; ++row) {
        log.push_back({.user = row % 4, .item = (row / 4 + row) % 6, .value = 1.0F, .time = static_cast<double>(row)});
    }
    const auto train = Interactions::from_ids(std::move(log), 5, 7);
    const funnel::Matrix<float> many_genres(7, 2 * demo::Sources::genre_columns + 1);
    const auto sources = demo::Sources::fit(train, many_genres, pool);
    for (std::uint32_t user = 0; user < 4; ++user) {
        const auto seen = sources.histories.row(user).columns;
        std::vector<std::uint32_t> others;
        for (std::uint32_t item = 0; item < 6; ++item) {
            if (!std::ranges::binary_search(seen, item)) {
                others.push_back(item);
            }
        }
        std::vector<std::uint32_t> found;
        for (const auto& item : sources.search_two_towers(user, 100)) {
            found.push_back(item.id);
        }
        CHECK(sources.search_two_towers(user, 1).size() <= 1);
        std::sort(found.begin(), found.end());
        CHECK(found == others);
    }
    CHECK(sources.search_two_towers(4, 100).empty());
}

TEST_CASE("ranking rows: a field of the user and two of the item, beside the features") {
    const demo::RankingRows& rows = rows_of_world();
    REQUIRE(rows.fields().ids.rows() == rows.labels.size());
    for (std::size_t row = 0; row < rows.labels.size(); ++row) {
        const auto ids = rows.fields().ids.row(row);
        CHECK(ids[0] >= 1);               // a history of one item or more
        CHECK(ids[2] == ids[1] % 3 + 1);  // genres() gives item i the genre i % 3
    }
}

TEST_CASE("ranking rows: the same for any number of threads") {
    const demo::RankingRows& one = rows_of_world();
    const auto two = rows_of(world().log(), 2);
    CHECK(one.values == two.values);
    CHECK(one.ids == two.ids);
    CHECK(one.labels == two.labels);
    CHECK(one.group_sizes == two.group_sizes);
}

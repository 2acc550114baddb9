// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/interactions_builder.hpp>

#include "support/allocations.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::InteractionsBuilder;

TEST_CASE("InteractionsBuilder: ids follow the order of the keys, rows that of the calls") {
    InteractionsBuilder builder;
    builder.add("10", "b", 3.0F, 5.0);
    builder.add("9", "a");
    builder.add("10", "a", 2.0F);
    CHECK(builder.size() == 3);
    const Interactions log = std::move(builder).build();

    CHECK(log.size() == 3);
    CHECK(log[0] == Interaction{1, 1, 3.0F, 5.0});
    CHECK(log[1] == Interaction{0, 0, 1.0F, 0.0});
    CHECK(log[2] == Interaction{1, 0, 2.0F, 0.0});
    CHECK(log.user_key(0) == "9");
    CHECK(log.item_key(1) == "b");
}

TEST_CASE("InteractionsBuilder: ids do not depend on the order of the rows") {
    struct Row {
        std::string user;
        std::string item;
    };
    Random random(3);
    std::vector<Row> rows;
    for (int i = 0; i < 400; ++i) {
        rows.push_back({std::to_string(random.below(50)), "i" + std::to_string(random.below(80))});
    }
    const auto build = [&] {
        InteractionsBuilder builder;
        for (const Row& row : rows) {
            builder.add(row.user, row.item);
        }
        return std::move(builder).build();
    };
    const Interactions first = build();
    random.shuffle(std::span(rows));
    const Interactions second = build();

    for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(second.user_key(second[i].user) == rows[i].user);
        CHECK(second.item_key(second[i].item) == rows[i].item);
        CHECK(first.find_user(rows[i].user) == second[i].user);
        CHECK(first.find_item(rows[i].item) == second[i].item);
    }
}

TEST_CASE("InteractionsBuilder: a row for which memory runs out leaves nothing behind") {
    for (const int rows : {0, 7, 8, 15, 16, 100}) {
        CAPTURE(rows);
        const auto make = [&] {
            InteractionsBuilder builder;
            for (int i = 0; i < rows; ++i) {
                builder.add("user with a long name " + std::to_string(i), "item " + std::to_string(i % 5));
            }
            return builder;
        };
        const auto state = [](InteractionsBuilder builder) {
            const std::size_t size = builder.size();
            const Interactions log = std::move(builder).build();
            return std::tuple(size, log.users(), log.items(), std::vector<Interaction>(log.begin(), log.end()));
        };
        const auto add = [](InteractionsBuilder& builder) {
            builder.add("another user with a long name", "another item with a long name", 2.0F, 3.0);
        };
        CHECK(funnel::testing::check_strong_guarantee(make, add, state) > 0);
        // build() too: the builder is full after a failure, and empty after success.
        const auto build = [](InteractionsBuilder& builder) { static_cast<void>(std::move(builder).build()); };
        CHECK(funnel::testing::check_strong_guarantee(make, build, state) > 0);
        // An assignment took over the rows before their keys: build() of a half-assigned builder read out of bounds.
        InteractionsBuilder other;
        for (int i = 0; i < 3 * rows + 20; ++i) {
            other.add("someone with a long name " + std::to_string(i), "something " + std::to_string(i));
        }
        const auto assign = [&](InteractionsBuilder& builder) { builder = other; };
        CHECK(funnel::testing::check_strong_guarantee(make, assign, state) > 0);
    }
}

TEST_CASE("InteractionsBuilder: after build() and after a move it is empty, and can be used again") {
    InteractionsBuilder builder;
    builder.add("1", "2");
    CHECK(std::move(builder).build().users() == 1);
    CHECK(builder.size() == 0);  // NOLINT(bugprone-use-after-move)
    builder.add("3", "4");
    const InteractionsBuilder other = std::move(builder);
    CHECK(builder.size() == 0);  // NOLINT(bugprone-use-after-move)
    builder.add("5", "6");
    const Interactions log = std::move(builder).build();
    CHECK(log.users() == 1);
    CHECK(log.user_key(0) == "5");
    CHECK(other.size() == 1);
}

TEST_CASE("InteractionsBuilder: without rows it builds an empty log") {
    const Interactions log = InteractionsBuilder().build();

    CHECK(log.empty());
    CHECK(log.users() == 0);
}

TEST_CASE("InteractionsBuilder: refuses what is not finite") {
    InteractionsBuilder builder;

    CHECK_THROWS_AS(builder.add("1", "2", NAN), InvalidArgument);
    CHECK_THROWS_AS(builder.add("1", "2", 1.0F, INFINITY), InvalidArgument);
    CHECK(builder.size() == 0);
}

TEST_CASE("InteractionsBuilder: memory is asked for a few times only, however many keys there are") {
    InteractionsBuilder log;
    std::vector<std::string> keys;
    for (int i = 0; i < 4096; ++i) {
        keys.push_back(std::to_string(i));  // short enough to need no memory of its own
    }
    const std::size_t allocations = funnel::testing::allocations_of([&] {
        for (const std::string& key : keys) {
            log.add(key, "item");
        }
    });
    CHECK(allocations <= 4 * 12);  // lists and tables that double
}

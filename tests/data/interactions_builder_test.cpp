// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/interactions_builder.hpp>

#include "support/allocations.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <string>
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

TEST_CASE("InteractionsBuilder: a call that gets no memory changes nothing") {
    const auto make = [] {
        InteractionsBuilder builder;
        for (int i = 0; i < 16; ++i) {  // the next key makes every table grow
            builder.add("a user with a long name " + std::to_string(i % 8),
                        "an item with a long name " + std::to_string(i));
        }
        return builder;
    };
    const auto state = [](const InteractionsBuilder& builder) {
        const Interactions log = InteractionsBuilder(builder).build();
        std::vector<std::string> seen{std::to_string(builder.size())};
        for (const auto& row : log) {
            seen.push_back(log.user_key(row.user) + "/" + log.item_key(row.item));
        }
        return seen;
    };
    const auto mutate = [](InteractionsBuilder& builder) {
        builder.add("a user who has not been here before", "an item that has not been here before", 2.0F, 3.0);
    };
    CHECK(funnel::testing::check_strong_guarantee(make, mutate, state) > 0);
}

TEST_CASE("InteractionsBuilder: after build it is empty and takes rows again") {
    InteractionsBuilder builder;
    builder.add("a", "b");
    CHECK(std::move(builder).build().size() == 1);
    CHECK(builder.size() == 0);  // NOLINT(bugprone-use-after-move): promised
    builder.add("c", "d");
    const Interactions log = std::move(builder).build();
    CHECK(log.users() == 1);
    CHECK(log.user_key(0) == "c");
}

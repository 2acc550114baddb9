// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/keyed_table.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::nn::HashedIds;
using funnel::nn::KeyedTable;

TEST_CASE("KeyedTable: every key has a row of its own, as in a std::unordered_map") {
    KeyedTable table(3);
    std::unordered_map<std::uint64_t, std::uint32_t> rows;
    Random random(1);
    for (int i = 0; i < 200'000; ++i) {
        // Small keys repeat; large ones use all bits.
        const std::uint64_t key = random.below(2) == 0 ? random.below(40'000) : random.below(40'000) << 40;
        const auto [at, is_new] = rows.try_emplace(key, static_cast<std::uint32_t>(rows.size()));
        CHECK(table.find(key).has_value() == !is_new);
        CHECK(table.find_or_add(key) == at->second);
    }
    CHECK(table.size() == rows.size());
    CHECK(table.rows().rows() == rows.size());
    for (const auto& [key, row] : rows) {
        CHECK(table.find(key) == row);
        CHECK(table.keys()[row] == key);
    }
    CHECK(table.find(40'001) == std::nullopt);
    CHECK(table.find(std::numeric_limits<std::uint64_t>::max()) == std::nullopt);
}

TEST_CASE("KeyedTable: a row keeps its numbers while the table grows, and does not depend on when its key came") {
    KeyedTable table(5, {.init_scale = 0.5F, .seed = 7});
    static_cast<void>(table.find_or_add(99));
    table.rows()(0, 2) = 42.0F;
    for (std::uint64_t key = 0; key < 1000; ++key) {
        static_cast<void>(table.find_or_add(key));
    }
    CHECK(table.find(99) == 0);
    CHECK(table.rows()(0, 2) == 42.0F);
    KeyedTable other(5, {.init_scale = 0.5F, .seed = 7});
    const std::uint32_t row = other.find_or_add(500);
    double squares = 0.0;
    for (std::size_t j = 0; j < 5; ++j) {
        CHECK(other.rows()(row, j) == table.rows()(*table.find(500), j));
    }
    for (std::size_t i = 1; i < 1000; ++i) {
        for (const float x : table.rows().row(i)) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
    }
    CHECK(std::sqrt(squares / (999 * 5)) == doctest::Approx(0.5).epsilon(0.05));
}

TEST_CASE("KeyedTable: an empty table, width 0, bad options") {
    const KeyedTable table(4);
    CHECK(table.find(0) == std::nullopt);
    CHECK(table.rows().rows() == 0);
    KeyedTable narrow(0);
    CHECK(narrow.find_or_add(5) == 0);
    CHECK(narrow.find_or_add(5) == 0);
    CHECK_THROWS_AS(KeyedTable(4, {.init_scale = -1.0F}), InvalidArgument);
}

TEST_CASE("HashedIds: the collision rate is that of throwing keys into rows") {
    std::vector<std::uint64_t> keys(10'000);
    for (std::size_t i = 0; i < keys.size(); ++i) {
        keys[i] = i;
    }
    // A key is alone with probability (1 - 1 / rows)^(keys - 1).
    for (const std::size_t rows : {10'000U, 100'000U}) {
        const double alone = std::pow(1.0 - 1.0 / static_cast<double>(rows), 9999.0);
        CHECK(HashedIds(rows).collision_rate(keys) == doctest::Approx(1.0 - alone).epsilon(0.03));
    }
    CHECK(HashedIds(1).collision_rate(keys) == 1.0);
    CHECK(HashedIds(5).collision_rate({}) == 0.0);
    CHECK(HashedIds(5).collision_rate(std::vector<std::uint64_t>{3, 3, 3}) == 0.0);  // one key, three times
    for (const std::uint64_t key : keys) {
        CHECK(HashedIds(7).id(key) < 7);
    }
    CHECK(HashedIds(std::size_t{1} << 32).id(1) != HashedIds(std::size_t{1} << 32, 2).id(1));
    CHECK_THROWS_AS(HashedIds(0), InvalidArgument);
    CHECK_THROWS_AS(HashedIds((std::size_t{1} << 32) + 1), InvalidArgument);
}

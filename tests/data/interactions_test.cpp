// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/interactions.hpp>
#include <funnel/data/user_item_matrix.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::KeyBefore;
using funnel::KeyMap;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::user_item_matrix;
using funnel::data::where;

namespace {

using Keys = std::vector<std::string>;

Keys keys_of(const KeyMap& map) {
    return {map.keys().begin(), map.keys().end()};
}

}  // namespace

TEST_CASE("KeyMap: whole numbers come first, by value, then everything else, bytewise") {
    const KeyMap map(Keys{"b", "10", "9", "007", "a", "9", "100", "", "0", "-1", "1.5", "B"});

    CHECK(keys_of(map) == Keys{"0", "9", "10", "100", "", "-1", "007", "1.5", "B", "a", "b"});
}

TEST_CASE("KeyMap: numbers longer than a machine word keep their order") {
    const KeyMap map(Keys{"100000000000000000000000001", "99999999999999999999999999", "100000000000000000000000000"});

    CHECK(keys_of(map) ==
          Keys{"99999999999999999999999999", "100000000000000000000000000", "100000000000000000000000001"});
}

TEST_CASE("KeyMap: finds each key at its id, and nothing else") {
    Random random(1);
    Keys keys;
    for (int i = 0; i < 300; ++i) {
        keys.push_back((random.below(3) == 0 ? "k" : "") + std::to_string(random.below(500)));
    }
    const KeyMap map(keys);

    for (const std::string& key : keys) {
        REQUIRE(map.find(key));
        CHECK(map.key(*map.find(key)) == key);
    }
    for (std::size_t id = 1; id < map.size(); ++id) {
        CHECK(KeyBefore{}(map.key(id - 1), map.key(id)));
    }
    CHECK_FALSE(map.find("500"));
    CHECK_FALSE(map.find(""));
    CHECK_FALSE(KeyMap().find("1"));
    CHECK_THROWS_AS(static_cast<void>(map.key(map.size())), InvalidArgument);
}

TEST_CASE("Interactions: gives rows in order and keys back") {
    const auto users = KeyMap(Keys{"ann", "bob"});
    const auto items = KeyMap(Keys{"10", "9", "x"});
    const Interactions log({{1, 2, 4.5F, 7.0}, {0, 0, 1.0F, 3.0}}, users, items);

    CHECK(log.size() == 2);
    CHECK(log.users() == 2);
    CHECK(log.items() == 3);
    CHECK(log[0] == Interaction{1, 2, 4.5F, 7.0});
    CHECK(log.user_key(log[0].user) == "bob");
    CHECK(log.item_key(log[1].item) == "9");
    CHECK(log.find_user("ann") == 0);
    CHECK(log.find_item("10") == 1);
    CHECK_FALSE(log.find_item("y"));
    CHECK(std::vector<Interaction>(log.begin(), log.end()).size() == 2);
}

TEST_CASE("where: keeps the rows asked for, in their order, and all keys") {
    const Interactions log = Interactions::from_ids({{0, 0, 1}, {1, 1, 5}, {0, 1, 4}, {2, 0, 2}}, 3, 4);
    const Interactions liked = where(log, [&](std::size_t row) { return log[row].value >= 4; });

    REQUIRE(liked.size() == 2);
    CHECK(liked[0] == log[1]);
    CHECK(liked[1] == log[2]);
    CHECK(liked.users() == 3);
    CHECK(liked.items() == 4);
    CHECK(liked.user_keys() == log.user_keys());
    CHECK(where(log, [](std::size_t) { return false; }).empty());
}

TEST_CASE("user_item_matrix: holds the last value of each pair, against a map") {
    Random random(2);
    std::vector<Interaction> rows;
    std::map<std::pair<std::uint32_t, std::uint32_t>, float> last;
    for (int i = 0; i < 500; ++i) {
        const auto user = static_cast<std::uint32_t>(random.below(20));
        const auto item = static_cast<std::uint32_t>(random.below(30));
        const auto value = static_cast<float>(random.below(5));
        rows.push_back({user, item, value});
        last[{user, item}] = value;
    }
    const auto matrix = user_item_matrix(Interactions::from_ids(rows, 21, 30));

    CHECK(matrix.rows() == 21);
    CHECK(matrix.nonzeros() == last.size());
    for (std::size_t user = 0; user < matrix.rows(); ++user) {
        const auto row = matrix.row(user);
        for (std::size_t i = 0; i < row.size(); ++i) {
            CHECK(last.at({static_cast<std::uint32_t>(user), row.columns[i]}) == row.values[i]);
        }
    }
    CHECK(matrix.row(20).size() == 0);
}

TEST_CASE("Interactions: an empty log is one") {
    const Interactions log;

    CHECK(log.empty());
    CHECK(log.users() == 0);
    CHECK(user_item_matrix(log).rows() == 0);
    CHECK(Interactions::from_ids({}, 12, 3).user_key(11) == "11");
}

TEST_CASE("Interactions: refuses unknown ids and values that are not finite") {
    constexpr float inf = std::numeric_limits<float>::infinity();
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const auto make = [](Interaction row) { return Interactions::from_ids({row}, 2, 3); };

    CHECK_NOTHROW(make({1, 2, 1.0F, 0.0}));
    CHECK_THROWS_AS(make({2, 0, 1.0F, 0.0}), InvalidArgument);
    CHECK_THROWS_AS(make({0, 3, 1.0F, 0.0}), InvalidArgument);
    CHECK_THROWS_AS(make({0, 0, inf, 0.0}), InvalidArgument);
    CHECK_THROWS_AS(make({0, 0, 1.0F, nan}), InvalidArgument);
    CHECK_THROWS_WITH(make({0, 3, 1.0F, 0.0}),
                      "Interactions: row 0 must have known ids, a finite value and a finite time");
    CHECK_THROWS_AS(static_cast<void>(Interactions().user_key(0)), InvalidArgument);
}

TEST_CASE("Interactions: the fingerprint is that of the keys in the order of their ids") {
    const auto of = [](std::vector<std::string> users, std::vector<std::string> items) {
        return Interactions({}, KeyMap(std::move(users)), KeyMap(std::move(items))).fingerprint();
    };
    CHECK(of({"a", "b"}, {"c"}) == of({"b", "a", "b"}, {"c"}));
    CHECK(of({"a", "b"}, {"c"}) != of({"c"}, {"a", "b"}));
    CHECK(of({"a", "b"}, {"c"}) != of({"ab"}, {"c"}));
    CHECK(of({"a", ""}, {"c"}) != of({"a"}, {"c"}));
    CHECK(of({}, {}) == Interactions().fingerprint());

    // Files hold it: it may never change. FNV-1a over the length and the characters of "a".
    constexpr std::uint64_t prime = 0x100000001B3;
    constexpr std::uint64_t start = 0xCBF29CE484222325;
    CHECK(KeyMap({"a"}).fingerprint() == (((start ^ 1) * prime) ^ 0x61) * prime);
}

TEST_CASE("Interactions: a log that was moved from is empty, and can be asked and assigned") {
    Interactions log = Interactions::from_ids({{0, 1}, {1, 0}}, 2, 3);
    Interactions other = std::move(log);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(log.size() == 0);
    CHECK(log.users() == 0);
    CHECK(log.items() == 0);
    CHECK(log.rows().empty());
    CHECK_FALSE(log.find_user("0"));
    CHECK_THROWS_AS(static_cast<void>(log.user_key(0)), InvalidArgument);
    CHECK(where(log, [](std::size_t) { return true; }).empty());
    log = other;
    // NOLINTEND(bugprone-use-after-move)
    CHECK(log.items() == 3);
}

TEST_CASE("Interactions: refuses more ids than there are") {
    CHECK_THROWS_AS(Interactions::from_ids({}, static_cast<std::size_t>(-1), 1), InvalidArgument);
    CHECK_THROWS_AS(Interactions::from_ids({}, 1, std::size_t{1} << 32), InvalidArgument);
}

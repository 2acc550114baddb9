// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/ground_truth.hpp>

#include "support/allocations.hpp"
#include "support/dies.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::KeyMap;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::metrics::GroundTruth;

namespace {

using Ids = std::vector<std::uint32_t>;

Ids ids(std::span<const std::uint32_t> span) {
    return {span.begin(), span.end()};
}

// All that a caller can see.
auto state_of(const GroundTruth& truth) {
    std::vector<Ids> relevant;
    std::vector<bool> is_warm;
    for (std::size_t position = 0; position < truth.size(); ++position) {
        relevant.push_back(ids(truth.relevant(position)));
        is_warm.push_back(truth.is_warm(position));
    }
    return std::tuple(ids(truth.user_ids()), relevant, is_warm, ids(truth.users_of_item()), truth.items(),
                      truth.train_users(), truth.skipped_users());
}

GroundTruth small_truth() {
    const Interactions train = Interactions::from_ids({{0, 4}, {0, 1}, {1, 4}, {0, 4}, {3, 2}}, 5, 6);
    const Interactions test = Interactions::from_ids({{2, 4}, {0, 5}, {0, 1}, {2, 0}, {0, 5}, {3, 2}, {0, 3}}, 5, 6);
    return {train, test};
}

}  // namespace

TEST_CASE("ground_truth: worked by hand") {
    // User 0 is warm, 1 has no test row, 2 is cold, 3 has a test row that repeats a training row only.
    const Interactions train = Interactions::from_ids({{0, 4}, {0, 1}, {1, 4}, {0, 4}, {3, 2}}, 5, 6);
    const Interactions test = Interactions::from_ids({{2, 4}, {0, 5}, {0, 1}, {2, 0}, {0, 5}, {3, 2}, {0, 3}}, 5, 6);
    const GroundTruth truth(train, test);

    CHECK(ids(truth.user_ids()) == Ids{0, 2});
    CHECK(truth.size() == 2);
    CHECK(ids(truth.relevant(0)) == Ids{5, 3});  // 1 is known, the second 5 is no news
    CHECK(ids(truth.relevant(1)) == Ids{4, 0});
    CHECK(truth.is_warm(0));
    CHECK_FALSE(truth.is_warm(1));
    CHECK(truth.skipped_users() == 1);
    CHECK(truth.items() == 6);
    CHECK(ids(truth.users_of_item()) == Ids{0, 1, 1, 0, 2, 0});  // users, not rows: user 0 has item 4 twice
    CHECK(truth.train_users() == 3);
}

TEST_CASE("ground_truth: repeats are relevant if they count") {
    const Interactions train = Interactions::from_ids({{0, 1}, {1, 0}}, 2, 3);
    const Interactions test = Interactions::from_ids({{0, 1}, {0, 2}, {0, 1}, {1, 0}}, 2, 3);
    const GroundTruth truth(train, test, true);
    CHECK(ids(truth.relevant(0)) == Ids{1, 2});
    CHECK(ids(truth.relevant(1)) == Ids{0});
    CHECK(truth.skipped_users() == 0);
}

TEST_CASE("ground_truth: agrees with sets on random logs") {
    Random random(13);
    constexpr std::uint32_t users = 40;
    constexpr std::uint32_t items = 12;
    const auto rows = [&](std::size_t n) {
        std::vector<Interaction> log(n);
        for (Interaction& row : log) {
            row = {static_cast<std::uint32_t>(random.below(users)), static_cast<std::uint32_t>(random.below(items))};
        }
        return log;
    };
    const auto train_rows = rows(100);
    const auto test_rows = rows(60);
    std::set<std::pair<std::uint32_t, std::uint32_t>> seen;
    std::set<std::pair<std::uint32_t, std::uint32_t>> wanted;
    for (const Interaction& row : train_rows) {
        seen.insert({row.user, row.item});
    }
    for (const Interaction& row : test_rows) {
        if (seen.count({row.user, row.item}) == 0) {
            wanted.insert({row.user, row.item});
        }
    }

    const GroundTruth truth(Interactions::from_ids(train_rows, users, items),
                            Interactions::from_ids(test_rows, users, items));
    std::set<std::pair<std::uint32_t, std::uint32_t>> found;
    std::size_t count = 0;
    for (std::size_t position = 0; position < truth.size(); ++position) {
        CHECK(!truth.relevant(position).empty());
        for (const std::uint32_t item : truth.relevant(position)) {
            found.insert({truth.user_ids()[position], item});
            ++count;
        }
    }
    CHECK(found == wanted);
    CHECK(count == wanted.size());
}

TEST_CASE("ground_truth: empty parts") {
    const Interactions some = Interactions::from_ids({{0, 1}}, 2, 3);
    const Interactions none = Interactions::from_ids({}, 2, 3);
    CHECK(GroundTruth(some, none).size() == 0);
    CHECK(GroundTruth(none, some).size() == 1);
    CHECK(GroundTruth(none, some).train_users() == 0);
    CHECK(GroundTruth(Interactions{}, Interactions{}).size() == 0);
}

TEST_CASE("ground_truth: rejects parts of different logs, even of the same size") {
    const Interactions train = Interactions::from_ids({}, 2, 3);
    CHECK_THROWS_AS(GroundTruth(train, Interactions::from_ids({}, 3, 3)), InvalidArgument);
    CHECK_THROWS_AS(GroundTruth(train, Interactions::from_ids({}, 2, 2)), InvalidArgument);

    const auto other = KeyMap(std::vector<std::string>{"a", "b"});
    CHECK_THROWS_AS(GroundTruth(train, Interactions({}, other, train.item_keys())), InvalidArgument);
    CHECK_NOTHROW(GroundTruth(train, Interactions({}, train.user_keys(), train.item_keys())));
}

TEST_CASE("ground_truth: one that was moved from is empty, and can be assigned again") {
    const GroundTruth empty(Interactions{}, Interactions{});
    GroundTruth truth = small_truth();
    const GroundTruth taken = std::move(truth);
    CHECK(state_of(taken) == state_of(small_truth()));
    CHECK(state_of(truth) == state_of(empty));  // NOLINT(bugprone-use-after-move): that is the question
    truth = taken;
    CHECK(state_of(truth) == state_of(taken));
}

TEST_CASE("ground_truth: an assignment that runs out of memory leaves it as it was") {
    const GroundTruth other(Interactions::from_ids({{0, 0}}, 2, 2), Interactions::from_ids({{1, 1}}, 2, 2));
    CHECK(
        funnel::testing::check_strong_guarantee(small_truth, [&](GroundTruth& truth) { truth = other; }, state_of) > 0);
}

#if FUNNEL_CHECKS
TEST_CASE("ground_truth: with checks on, a position past the last user is found") {
    const GroundTruth truth = small_truth();
    CHECK(funnel::testing::dies([&] { (void)truth.relevant(2); }, "position < size()"));
    CHECK(funnel::testing::dies([&] { (void)truth.is_warm(std::size_t{0} - 1); }, "position < size()"));
}

TEST_CASE("ground_truth: with checks on, a user past the last one is found") {
    const funnel::metrics::detail::ItemsByUser items(Interactions::from_ids({{0, 0}, {1, 1}}, 2, 2));
    CHECK(items.of(1).size() == 1);
    CHECK(funnel::testing::dies([&] { (void)items.of(2); }, "user + 1 < ends_.size()"));
}
#endif

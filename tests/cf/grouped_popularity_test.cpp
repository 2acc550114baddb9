// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/grouped_popularity.hpp>

#include "cf/random_log.hpp"
#include "support/saved_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Scored;
using funnel::cf::GroupedPopularity;
using funnel::data::Interactions;
namespace testing = funnel::testing;

namespace {

using Ids = std::vector<std::uint32_t>;
using List = std::vector<Scored<>>;

std::vector<float> scores(const GroupedPopularity& popular, std::size_t group) {
    return {popular.scores(group).begin(), popular.scores(group).end()};
}

}  // namespace

TEST_CASE("GroupedPopularity: worked by hand") {
    // Group 0 (users 0 and 2): item 0 twice, item 1 once; group 1 (user 1): item 1 once; group 2: nobody.
    const auto log = testing::log_of({{0, 1}, {1}, {0}}, 3);
    const auto plain = GroupedPopularity::fit(log, Ids{0, 1, 0}, 3, {.prior = 0.0F});
    CHECK(scores(plain, 0) == std::vector<float>{2, 1, 0});
    CHECK(scores(plain, 1) == std::vector<float>{0, 1, 0});
    CHECK(plain.top(1, 9) == List{{1, 1}});
    CHECK(plain.top(2, 9).empty());
    // With 8 rows of prior, items 0 and 1 get 4 more each: both have half of all rows. Group 2 has the list of all.
    const auto smooth = GroupedPopularity::fit(log, Ids{0, 1, 0}, 3, {.prior = 8.0F});
    CHECK(smooth.top(0, 9) == List{{0, 6}, {1, 5}});
    CHECK(smooth.top(1, 9) == List{{1, 5}, {0, 4}});
    CHECK(smooth.top(2, 9) == List{{0, 4}, {1, 4}});
    CHECK(smooth.top(0, 1) == List{{0, 6}});
}

TEST_CASE("GroupedPopularity: the popular items of a category, without seen ones") {
    const auto log = testing::log_of({{0, 1, 2, 3}, {0, 2, 3}, {3}}, 4);
    const auto popular = GroupedPopularity::fit(log, Ids{0, 0, 0}, 1, {.prior = 0.0F});
    const auto is_even = [](std::uint32_t item) { return item % 2 == 0; };
    CHECK(popular.top(0, 9, is_even) == List{{0, 2}, {2, 2}});
    CHECK(popular.top(0, 9, is_even, Ids{0}) == List{{2, 2}});
}

TEST_CASE("GroupedPopularity: agrees with counts; half-life and window as in Popularity") {
    const auto log = testing::random_log(40, 12, 0.3, 11);  // times in [0, 1000)
    Ids groups;
    for (std::uint32_t user = 0; user < 40; ++user) {
        groups.push_back(user % 3);
    }
    const auto popular = GroupedPopularity::fit(
        log, groups, 3, {.age = {.half_life = 200.0, .window = 600.0, .now = 1000.0}, .prior = 5.0F});
    for (std::size_t group = 0; group < 3; ++group) {
        for (std::uint32_t item = 0; item < 12; ++item) {
            double own = 0.0;
            double of_item = 0.0;
            double total = 0.0;
            for (const auto& row : log) {
                const double weight = 1000.0 - row.time <= 600.0 ? std::exp2((row.time - 1000.0) / 200.0) : 0.0;
                own += row.item == item && row.user % 3 == group ? weight : 0.0;
                of_item += row.item == item ? weight : 0.0;
                total += weight;
            }
            CHECK(static_cast<double>(popular.scores(group)[item]) == doctest::Approx(own + 5.0 * of_item / total));
        }
    }
}

TEST_CASE("GroupedPopularity: dislikes do not count, and a log without rows has no popular items") {
    const auto log = Interactions::from_ids({{0, 0, -1.0F}, {0, 1, 0.0F}, {0, 2, 0.5F}}, 1, 3);
    CHECK(GroupedPopularity::fit(log, Ids{0}, 1, {.prior = 0.0F}).top(0, 9) == List{{2, 1}});
    CHECK(GroupedPopularity::fit(Interactions::from_ids({}, 1, 3), Ids{0}, 1).top(0, 9).empty());
}

TEST_CASE("GroupedPopularity: comes back from a file, and only from an undamaged one") {
    const auto answers = [](const GroupedPopularity& popular) {
        return std::pair(scores(popular, 0), popular.top(popular.groups() - 1, 5));
    };
    const auto log = testing::random_log(20, 12, 0.3, 3);
    const auto one = GroupedPopularity::fit(log, Ids(20, 1), 2);
    const auto other = GroupedPopularity::fit(log, Ids(20, 0), 1, {.prior = 3.0F});
    testing::check_saved(one, other, answers, answers);
    const testing::TempDir dir;
    for (const float bad : {-1.0F, std::numeric_limits<float>::infinity()}) {
        funnel::io::ContainerWriter file("cf.GroupedPopularity", 1);
        const std::vector<float> elements{1.0F, bad};
        file.matrix("scores", funnel::MatrixView<const float>(elements, 1, 2));
        file.save(dir / "a.fnl");
        CHECK_THROWS_AS((void)GroupedPopularity::load(dir / "a.fnl"), funnel::CorruptData);
    }
}

TEST_CASE("GroupedPopularity: rejects a log of another program with unknown ids, and writes nowhere") {
    const Ids groups{0, 0};
    CHECK_THROWS_WITH_AS((void)GroupedPopularity::fit(testing::UncheckedLog{{{0, 0}, {2, 0}}, 2, 3}, groups, 1),
                         "GroupedPopularity: every user in the log must be below 2, got 2", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)GroupedPopularity::fit(testing::UncheckedLog{{{0, 3}}, 2, 3}, groups, 1),
                         "GroupedPopularity: every item in the log must be below 3, got 3", InvalidArgument);
}

TEST_CASE("GroupedPopularity: rejects what cannot work") {
    const auto log = testing::log_of({{0}, {0}}, 1);
    CHECK_THROWS_AS((void)GroupedPopularity::fit(log, Ids{0}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)GroupedPopularity::fit(log, Ids{0, 1}, 1), InvalidArgument);
    for (const std::size_t most : {std::numeric_limits<std::size_t>::max(), std::size_t{1} << 60}) {
        CHECK_THROWS_AS((void)GroupedPopularity::fit(log, Ids{0, 0}, most), InvalidArgument);  // was a length_error
    }
    CHECK_THROWS_AS((void)GroupedPopularity::fit(testing::log_of({}, 1), Ids{}, 0), InvalidArgument);
    CHECK_THROWS_AS((void)GroupedPopularity::fit(testing::log_of({{}}, 0), Ids{0}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)GroupedPopularity::fit(log, Ids{0, 0}, 1, {.prior = -1.0F}), InvalidArgument);
    CHECK_THROWS_WITH((void)GroupedPopularity::fit(log, Ids{0, 0}, 1, {.age = {.half_life = 0.0}}),
                      "GroupedPopularity: half_life must be finite and > 0, got 0");
    const auto popular = GroupedPopularity::fit(log, Ids{0, 0}, 1);
    CHECK_THROWS_AS((void)popular.top(1, 5), InvalidArgument);
}

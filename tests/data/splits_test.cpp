// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/splits.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::Split;
using funnel::data::split_by_time;
using funnel::data::split_last_out;
using funnel::data::split_random;
using funnel::data::split_where;

namespace {

Interactions random_log(std::size_t rows, std::uint64_t seed, std::uint64_t times = 50) {
    Random random(seed);
    std::vector<Interaction> log(rows);
    for (Interaction& row : log) {
        row = {static_cast<std::uint32_t>(random.below(12)), static_cast<std::uint32_t>(random.below(20)), 1.0F,
               static_cast<double>(random.below(times))};
    }
    return Interactions::from_ids(std::move(log), 12, 20);
}

// Rows that carry their own number as value, so that parts can be checked against the log.
Interactions numbered(std::vector<double> times) {
    std::vector<Interaction> rows;
    for (const double time : times) {
        rows.push_back({0, 0, static_cast<float>(rows.size()), time});
    }
    return Interactions::from_ids(std::move(rows), 1, 1);
}

std::vector<int> numbers(const Interactions& part) {
    std::vector<int> result;
    for (const Interaction& row : part) {
        result.push_back(static_cast<int>(row.value));
    }
    return result;
}

// Both parts in the order of the log, together the whole log, with its maps.
void check_is_division(const Interactions& log, const Split& split) {
    CHECK(split.train.size() + split.test.size() == log.size());
    CHECK(split.train.user_keys() == log.user_keys());
    CHECK(split.test.item_keys() == log.item_keys());
    std::size_t train = 0;
    std::size_t test = 0;
    for (const Interaction& row : log) {
        if (train < split.train.size() && split.train[train] == row) {
            ++train;
        } else {
            REQUIRE(test < split.test.size());
            CHECK(split.test[test++] == row);
        }
    }
}

using Numbers = std::vector<int>;

}  // namespace

TEST_CASE("split_where: the rows asked for are the test part") {
    const Interactions log = numbered({5, 4, 3, 2, 1, 0});
    const auto [train, test] = split_where(log, [](std::size_t row) { return row % 5 == 0; });

    CHECK(numbers(train) == Numbers{1, 2, 3, 4});
    CHECK(numbers(test) == Numbers{0, 5});
    CHECK(test.users() == 1);
}

TEST_CASE("split_random: takes the rounded number of rows, the same for the same seed") {
    const Interactions log = random_log(1001, 1, 1'000'000);
    const auto split = split_random(log, {.test_fraction = 0.3, .seed = 7});
    const auto again = split_random(log, {.test_fraction = 0.3, .seed = 7});
    const auto other = split_random(log, {.test_fraction = 0.3, .seed = 8});

    CHECK(split.test.size() == 300);  // 300.3
    check_is_division(log, split);
    CHECK(std::equal(split.test.begin(), split.test.end(), again.test.begin(), again.test.end()));
    CHECK_FALSE(std::equal(split.test.begin(), split.test.end(), other.test.begin(), other.test.end()));
    CHECK(split_random(log).test.size() == 200);                             // 200.2
    CHECK(split_random(log, {.test_fraction = 0.2505}).test.size() == 251);  // 250.75
}

TEST_CASE("split_random: draws the same rows on every machine") {
    const Interactions log = numbered(std::vector<double>(10, 0.0));

    CHECK(numbers(split_random(log, {.test_fraction = 0.3, .seed = 1}).test) == Numbers{6, 7, 8});
}

TEST_CASE("split_random: every row is as likely as any other") {
    const Interactions log = numbered(std::vector<double>(10, 0.0));
    std::array<double, 10> counts{};
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        for (const int row : numbers(split_random(log, {.test_fraction = 0.3, .seed = seed}).test)) {
            ++counts[static_cast<std::size_t>(row)];
        }
    }
    double chi_square = 0.0;  // 600 expected for each of 10 rows; each count has variance 420
    for (const double count : counts) {
        chi_square += (count - 600) * (count - 600) / 420 * 0.9;
    }
    CHECK(chi_square < 27.9);  // 9 degrees of freedom, one in a thousand
}

TEST_CASE("split_by_time: rows at or after the cut are the test part") {
    const Interactions log = numbered({5, 1, 3, 9, 3, 7});
    const auto [train, test] = split_by_time(log, {.cut = 5});

    CHECK(numbers(train) == Numbers{1, 2, 4});
    CHECK(numbers(test) == Numbers{0, 3, 5});
    CHECK(split_by_time(log, {.cut = -1.0}).train.empty());
    CHECK(split_by_time(log, {.cut = 100.0}).test.empty());
    CHECK(split_by_time(log, {.cut = static_cast<double>(INFINITY)}).test.empty());
}

TEST_CASE("split_by_time: a fraction never divides rows of one time") {
    // By time: 1 3 3 | 5 7 9, and half of six rows is three. With a third, round(2) rows: 7 9.
    const Interactions log = numbered({5, 1, 3, 9, 3, 7});
    CHECK(numbers(split_by_time(log, {.test_fraction = 0.5}).test) == Numbers{0, 3, 5});
    CHECK(numbers(split_by_time(log, {.test_fraction = 0.33}).test) == Numbers{3, 5});
    // Four rows would cut between the two 3s: both go to the test part.
    CHECK(numbers(split_by_time(log, {.test_fraction = 0.67}).test) == Numbers{0, 2, 3, 4, 5});
    CHECK(numbers(split_by_time(log).test) == Numbers{3});  // 0.2 of 6 rows
    CHECK(numbers(split_by_time(numbered({1, 2, 3, 4, 5, 6, 7, 8})).test) == Numbers{6, 7});
}

TEST_CASE("split_by_time: of many rows of one time, the earliest are left for training") {
    CHECK(numbers(split_by_time(numbered({1, 1, 1, 1, 1, 1, 1, 1, 1, 2})).train).size() == 9);  // 2 of 10 asked for
    CHECK(numbers(split_by_time(numbered({1, 1, 1, 1, 1, 1, 1, 1, 1, 2})).test) == Numbers{9});
    CHECK(numbers(split_by_time(numbered({3, 1, 2, 1, 3}), {.test_fraction = 0.9}).train) == Numbers{1, 3});
    CHECK(numbers(split_by_time(numbered({5, -1, 7, 0}), {.test_fraction = 0.99}).train) == Numbers{1});
    CHECK(numbers(split_by_time(numbered({1, 2}), {.test_fraction = 0.9}).train) == Numbers{0});
}

TEST_CASE("split_by_time: against the definition") {
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const Interactions log = random_log(60 + seed, seed);
        const double fraction = 0.02 + 0.024 * static_cast<double>(seed);
        const Split split = split_by_time(log, {.test_fraction = fraction});
        check_is_division(log, split);

        const auto least = static_cast<std::size_t>(std::round(fraction * static_cast<double>(log.size())));
        const auto before = [](const Interaction& a, const Interaction& b) { return a.time < b.time; };
        const double earliest = std::min_element(log.begin(), log.end(), before)->time;
        const auto later =
            std::count_if(log.begin(), log.end(), [&](const Interaction& r) { return r.time > earliest; });
        CHECK(split.test.size() >= std::min(least, static_cast<std::size_t>(later)));
        if (!split.test.empty()) {
            const double cut = std::min_element(split.test.begin(), split.test.end(), before)->time;
            const auto ties =
                std::count_if(log.begin(), log.end(), [&](const Interaction& r) { return r.time == cut; });
            CHECK(split.test.size() < least + static_cast<std::size_t>(ties));  // no earlier cut would do
            CHECK(
                (split.train.empty() || std::max_element(split.train.begin(), split.train.end(), before)->time < cut));
        }
    }
}

TEST_CASE("split_last_out: takes of each user the last by time, then item, then row") {
    const Interactions log = Interactions::from_ids({{0, 1, 0, 9},  //
                                                     {1, 3, 1, 4},
                                                     {0, 2, 2, 9},
                                                     {0, 0, 3, 5},
                                                     {1, 3, 4, 4},
                                                     {2, 0, 5, 1}},
                                                    3, 4);
    CHECK(numbers(split_last_out(log).test) == Numbers{2, 4});
    CHECK(numbers(split_last_out(log, {.holdout = 2}).test) ==
          Numbers{0, 2});  // users 1 and 2 have no more than 2 rows
    CHECK(numbers(split_last_out(log, {.holdout = 0}).test) == Numbers{});
    CHECK(numbers(split_last_out(log, {.holdout = 9}).train).size() == 6);
}

TEST_CASE("split_last_out: against the definition") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Interactions log = random_log(150, seed, 10);
        const std::size_t holdout = 1 + seed % 5;
        const auto place = [&](std::size_t row) { return std::tuple(log[row].time, log[row].item, row); };
        const Split expected = split_where(log, [&](std::size_t row) {
            std::size_t own = 0;
            std::size_t later = 0;
            for (std::size_t other = 0; other < log.size(); ++other) {
                own += log[other].user == log[row].user ? 1 : 0;
                later += log[other].user == log[row].user && place(other) > place(row) ? 1 : 0;
            }
            return own > holdout && later < holdout;
        });
        const Split split = split_last_out(log, {.holdout = holdout});
        CHECK(std::equal(split.test.begin(), split.test.end(), expected.test.begin(), expected.test.end()));
        CHECK(split.train.size() == expected.train.size());
    }
}

TEST_CASE("splits: an empty log has two empty parts, one row stays for training") {
    CHECK(split_random(Interactions()).test.empty());
    CHECK(split_by_time(Interactions()).train.empty());
    CHECK(split_last_out(Interactions()).train.empty());
    CHECK(split_where(Interactions(), [](std::size_t) { return true; }).test.empty());

    const Interactions one = numbered({3.0});
    CHECK(split_random(one).train.size() == 1);
    CHECK(split_by_time(one).train.size() == 1);
    CHECK(split_last_out(one).train.size() == 1);
}

TEST_CASE("splits: refuse fractions that leave nothing, and contradictions") {
    const Interactions log = numbered({1, 2, 3});
    for (const double fraction : {0.0, 1.0, -0.1, 1.5, static_cast<double>(NAN)}) {
        CHECK_THROWS_AS(static_cast<void>(split_random(log, {.test_fraction = fraction})), InvalidArgument);
        CHECK_THROWS_AS(static_cast<void>(split_by_time(log, {.test_fraction = fraction})), InvalidArgument);
    }
    CHECK_THROWS_AS(static_cast<void>(split_by_time(log, {.test_fraction = 0.2, .cut = 2.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(split_by_time(log, {.cut = static_cast<double>(NAN)})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(split_by_time(numbered({4, 4, 4, 4, 4}))), InvalidArgument);
}

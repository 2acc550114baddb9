// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/synthetic.hpp>

#include <funnel/data/leakage.hpp>
#include <funnel/data/splits.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::check_leakage;
using funnel::data::Interaction;
using funnel::data::split_by_time;
using funnel::data::SyntheticOptions;
using funnel::data::SyntheticWorld;

namespace {

constexpr SyntheticOptions small{.users = 60, .items = 90, .rows = 1500};

std::uint64_t fingerprint(const SyntheticWorld& world) {
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a, by whole numbers
    for (const Interaction& row : world.log()) {
        for (const auto part : {static_cast<std::uint64_t>(row.user), static_cast<std::uint64_t>(row.item),
                                static_cast<std::uint64_t>(row.value), static_cast<std::uint64_t>(row.time)}) {
            hash = (hash ^ part) * 1099511628211U;
        }
    }
    return hash;
}

double last_second() {
    return static_cast<double>(SyntheticWorld::first_second) +
           static_cast<double>(SyntheticWorld::eras) * static_cast<double>(SyntheticWorld::seconds_an_era);
}

}  // namespace

TEST_CASE("SyntheticWorld: has the size asked for, ordered by time, no pair twice") {
    const SyntheticWorld world(small);
    const auto& log = world.log();
    std::set<std::pair<std::uint32_t, std::uint32_t>> pairs;
    double last = 0.0;
    for (const Interaction& row : log) {
        pairs.insert({row.user, row.item});
        CHECK(row.time >= last);
        CHECK(row.time == std::floor(row.time));
        CHECK((row.value >= 1.0F && row.value <= 5.0F && row.value == std::floor(row.value)));
        last = row.time;
    }
    CHECK(log.size() == 1500);
    CHECK(log.users() == 60);
    CHECK(log.items() == 90);
    CHECK(pairs.size() == 1500);
    CHECK(log[0].time >= static_cast<double>(SyntheticWorld::first_second));
    CHECK(last < last_second());
    CHECK(world.item_metadata().size() == 90);
}

TEST_CASE("SyntheticWorld: the same seed gives the same bits on every machine") {
    CHECK(fingerprint(SyntheticWorld(small)) == 6555601587866531591U);
    SyntheticOptions other = small;
    other.seed = 2;
    CHECK(fingerprint(SyntheticWorld(other)) != fingerprint(SyntheticWorld(small)));
    CHECK(SyntheticWorld(small).affinity(3, 5, last_second()) == -0x1.70635524d7981p+2);
}

TEST_CASE("SyntheticWorld: first picks follow the affinities") {
    // Where the first pick of each user falls in the cumulative distribution that the affinities claim is uniform.
    const SyntheticWorld world({.users = 2000, .items = 60, .rows = 8000});
    std::vector<bool> has_picked(world.users(), false);
    std::array<double, 10> tenths{};
    double picks = 0.0;
    Random random(8);
    for (const Interaction& row : world.log()) {
        if (has_picked[row.user]) {
            continue;
        }
        has_picked[row.user] = true;
        double below = 0.0;
        double total = 0.0;
        double own = 0.0;
        const auto affinities = world.affinities(row.user, SyntheticWorld::era(row.time));
        for (std::size_t item = 0; item < affinities.size(); ++item) {
            const double weight = std::exp(affinities[item]);
            total += weight;
            below += item < row.item ? weight : 0.0;
            own += item == row.item ? weight : 0.0;
        }
        const double place = (below + random.uniform() * own) / total;
        tenths[std::min<std::size_t>(9, static_cast<std::size_t>(place * 10.0))] += 1.0;
        picks += 1.0;
    }
    double chi_square = 0.0;
    for (const double count : tenths) {
        chi_square += (count - picks / 10.0) * (count - picks / 10.0) / (picks / 10.0);
    }
    CHECK(picks > 1500.0);
    CHECK(chi_square < 27.9);  // 9 degrees of freedom, one in a thousand
}

TEST_CASE("SyntheticWorld: later picks follow the affinities among what is left") {
    // The same for all picks, with the items picked before taken out.
    const SyntheticWorld world({.users = 40, .items = 40, .rows = 800});
    std::vector<std::vector<bool>> picked(world.users(), std::vector<bool>(world.items(), false));
    std::array<double, 10> tenths{};
    Random random(9);
    for (const Interaction& row : world.log()) {
        double below = 0.0;
        double total = 0.0;
        double own = 0.0;
        for (std::size_t item = 0; item < world.items(); ++item) {
            const double weight = picked[row.user][item] ? 0.0 : std::exp(world.affinity(row.user, item, row.time));
            total += weight;
            below += item < row.item ? weight : 0.0;
            own += item == row.item ? weight : 0.0;
        }
        picked[row.user][row.item] = true;
        const double place = (below + random.uniform() * own) / total;
        tenths[std::min<std::size_t>(9, static_cast<std::size_t>(place * 10.0))] += 1.0;
    }
    double chi_square = 0.0;
    for (const double count : tenths) {
        chi_square += (count - 80.0) * (count - 80.0) / 80.0;
    }
    CHECK(chi_square < 27.9);
}

TEST_CASE("SyntheticWorld: affinities are those of the era, and differ as the options say") {
    const SyntheticWorld world(small);
    const double start = static_cast<double>(SyntheticWorld::first_second);
    const double step = static_cast<double>(SyntheticWorld::seconds_an_era);
    CHECK(SyntheticWorld::era(start) == 0);
    CHECK(SyntheticWorld::era(start - 1e9) == 0);
    CHECK(SyntheticWorld::era(start + step - 1) == 0);
    CHECK(SyntheticWorld::era(start + step) == 1);
    CHECK(SyntheticWorld::era(last_second() - 1) == 15);
    CHECK(SyntheticWorld::era(last_second() + 1e9) == 15);
    CHECK(world.affinity(7, 8, start + 4.5 * step) == world.affinities(7, 4)[8]);
    CHECK(world.affinities(7, 0) != world.affinities(7, 15));
    CHECK(world.affinities(7, 0) != world.affinities(8, 0));

    const SyntheticWorld still({.users = 4, .items = 9, .rows = 4, .drift = 0.0});
    CHECK(still.affinities(1, 0) == still.affinities(1, 15));
    const SyntheticWorld alike({.users = 4, .items = 9, .rows = 4, .taste = 0.0});
    CHECK(alike.affinities(1, 3) == alike.affinities(2, 3));
    const SyntheticWorld flat({.users = 4, .items = 9, .rows = 4, .popularity = 0.0, .taste = 0.0, .drift = 0.0});
    CHECK(flat.affinities(0, 0) == std::vector<double>(9, 0.0));
}

TEST_CASE("SyntheticWorld: popular items and active users are as in real logs, some users are cold") {
    const SyntheticWorld world({.users = 500, .items = 400, .rows = 20'000});
    std::vector<std::size_t> by_item(world.items(), 0);
    std::vector<std::size_t> by_user(world.users(), 0);
    for (const Interaction& row : world.log()) {
        ++by_item[row.item];
        ++by_user[row.user];
    }
    std::size_t ties = 0;
    for (std::size_t row = 1; row < world.log().size(); ++row) {
        if (world.log()[row].time == world.log()[row - 1].time) {
            CHECK(world.log()[row - 1].user <= world.log()[row].user);
            ++ties;
        }
    }
    CHECK(ties > 0);
    std::sort(by_item.rbegin(), by_item.rend());
    std::sort(by_user.begin(), by_user.end());
    std::size_t top_tenth = 0;
    for (std::size_t i = 0; i < 40; ++i) {
        top_tenth += by_item[i];
    }
    CHECK(top_tenth > 5000);   // of 20,000; 2,000 if all were alike
    CHECK(by_user[250] > 15);  // median; the mean is 40
    CHECK(by_user[250] < 35);
    CHECK(by_user.back() <= 200);

    const auto [train, test] = split_by_time(world.log());
    const auto report = check_leakage(train, test);
    CHECK(report.train_from_future == 0);
    CHECK(report.shared_pairs == 0);
    CHECK(report.cold_users > 50);
    CHECK(report.cold_users < 200);
}

TEST_CASE("SyntheticWorld: ratings follow taste, not popularity") {
    const SyntheticWorld world({.users = 200, .items = 300, .rows = 8000, .drift = 0.0});
    const SyntheticWorld no_popularity({.users = 200, .items = 300, .rows = 8000, .popularity = 0.0, .drift = 0.0});
    std::array<double, 6> taste{};
    std::array<double, 6> rows{};
    for (const Interaction& row : world.log()) {
        const auto rating = static_cast<std::size_t>(row.value);
        taste[rating] += no_popularity.affinity(row.user, row.item, row.time);
        rows[rating] += 1.0;
    }
    for (std::size_t rating = 2; rating <= 5; ++rating) {
        REQUIRE(rows[rating] > 20.0);
        CHECK(taste[rating] / rows[rating] > (rows[rating - 1] > 20.0 ? taste[rating - 1] / rows[rating - 1] : -99.0));
    }
}

TEST_CASE("SyntheticWorld: the smallest and the fullest worlds") {
    CHECK(SyntheticWorld({.users = 1, .items = 2, .rows = 1}).log().size() == 1);
    CHECK(SyntheticWorld({.users = 1, .items = 2, .rows = 0}).log().empty());
    CHECK(SyntheticWorld({.users = 1, .items = 2, .rows = 1, .drift = 1.0, .cold_users = 1.0}).log().size() == 1);
    CHECK(SyntheticWorld({.users = 1, .items = 2, .rows = 1, .cold_users = 0.0}).log().size() == 1);
    const SyntheticWorld full({.users = 7, .items = 11, .rows = 35, .popularity = 10.0, .taste = 10.0});
    std::vector<std::size_t> by_user(7, 0);
    for (const Interaction& row : full.log()) {
        ++by_user[row.user];
    }
    CHECK(by_user == std::vector<std::size_t>(7, 5));
}

TEST_CASE("SyntheticWorld: refuses what cannot be") {
    const auto make = [](const SyntheticOptions& options) { static_cast<void>(SyntheticWorld(options)); };
    CHECK_THROWS_AS(make({.users = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.items = 1}), InvalidArgument);
    CHECK_THROWS_AS(make({.factors = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.users = 7, .items = 11, .rows = 36}), InvalidArgument);
    CHECK_THROWS_AS(make({.popularity = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(make({.taste = NAN}), InvalidArgument);
    CHECK_THROWS_AS(make({.drift = 1.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.cold_users = -0.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.users = 0, .rows = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.items = 1, .rows = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.users = std::size_t{1} << 32, .rows = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.items = std::size_t{1} << 32, .rows = 0}), InvalidArgument);
    CHECK_THROWS_AS(make({.rows = 9, .popularity = 10.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.rows = 9, .taste = -0.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.rows = 9, .taste = 10.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.rows = 9, .drift = -0.1}), InvalidArgument);
    CHECK_THROWS_AS(make({.rows = 9, .cold_users = 1.1}), InvalidArgument);

    const SyntheticWorld world(small);
    CHECK_THROWS_AS(static_cast<void>(world.affinities(60, 0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(world.affinities(0, 16)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(world.affinity(60, 0, 0.0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(world.affinity(0, 90, 0.0)), InvalidArgument);
}

TEST_CASE("SyntheticWorld: one that was moved from is empty, and every question to it an error") {
    SyntheticWorld world({.users = 3, .items = 6, .rows = 4});
    const SyntheticWorld other = std::move(world);
    // NOLINTBEGIN(bugprone-use-after-move)
    CHECK(world.users() == 0);
    CHECK(world.items() == 0);
    CHECK_THROWS_AS(static_cast<void>(world.affinities(0, 0)), funnel::InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(world.affinity(0, 0, 0.0)), funnel::InvalidArgument);
    // NOLINTEND(bugprone-use-after-move)
    CHECK(other.users() == 3);
    CHECK(other.affinities(0, 0).size() == 6);
}

TEST_CASE("SyntheticWorld: a time that is no number belongs to the first era") {
    CHECK(SyntheticWorld::era(std::numeric_limits<double>::quiet_NaN()) == 0);
}

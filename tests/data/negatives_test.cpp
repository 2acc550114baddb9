// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/negatives.hpp>

#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::data::NegativeOptions;
using funnel::data::NegativeSampler;

namespace {

using Items = std::vector<std::uint32_t>;

// Items 0 .. 5 have the counts 8 4 2 1 0 1; user 0 did something with 0 and 3, user 1 with all but 4 and 5.
Interactions small_log() {
    std::vector<Interaction> rows{{0, 0}, {0, 3}, {1, 0}, {1, 1}, {1, 2}, {1, 2}, {2, 5}};
    for (std::uint32_t i = 0; i < 6; ++i) {
        rows.push_back({3, 0});
    }
    for (std::uint32_t i = 0; i < 3; ++i) {
        rows.push_back({3, 1});
    }
    return Interactions::from_ids(rows, 5, 6);
}

// Whether the draws of a user follow count^alpha over the unseen items; by chi-square, from the definition.
void check_distribution(const Interactions& log, std::size_t user, double alpha) {
    CAPTURE(user);
    CAPTURE(alpha);
    std::vector<double> weights(log.items(), alpha == 0.0 ? 1.0 : 0.0);
    std::vector<double> counts(log.items(), 0.0);
    for (const Interaction& row : log) {
        counts[row.item] += 1.0;
    }
    for (std::size_t item = 0; item < weights.size(); ++item) {
        weights[item] = counts[item] > 0.0 ? std::pow(counts[item], alpha) : weights[item];
    }
    for (const Interaction& row : log) {
        weights[row.item] = row.user == user ? 0.0 : weights[row.item];
    }
    double total = 0.0;
    for (const double weight : weights) {
        total += weight;
    }

    constexpr std::size_t calls = 4000;
    constexpr std::size_t per_call = 5;
    std::vector<double> drawn(log.items(), 0.0);
    const NegativeSampler sampler(log, {.alpha = alpha, .seed = 3});
    for (std::size_t call = 0; call < calls; ++call) {
        for (const std::uint32_t item : sampler.sample(user, per_call, call)) {
            drawn[item] += 1.0;
        }
    }
    double chi_square = 0.0;
    double degrees = -1.0;
    for (std::size_t item = 0; item < weights.size(); ++item) {
        const double expected = calls * per_call * weights[item] / total;
        if (expected == 0.0) {
            CHECK(drawn[item] == 0.0);
        } else {
            chi_square += (drawn[item] - expected) * (drawn[item] - expected) / expected;
            degrees += 1.0;
        }
    }
    CHECK(chi_square < degrees + 4.0 * std::sqrt(2.0 * degrees) + 1e-9);  // mean and four standard deviations
}

}  // namespace

TEST_CASE("NegativeSampler: draws by count^alpha among the items the user did not touch") {
    for (const double alpha : {0.0, 0.75, 1.0, 2.0}) {
        for (const std::size_t user : {0U, 1U, 2U, 4U}) {
            check_distribution(small_log(), user, alpha);
        }
    }
}

TEST_CASE("NegativeSampler: the last item of the catalogue is a negative as often as any other") {  // never in LIBMF
    const NegativeSampler sampler(Interactions::from_ids({{0, 0}, {1, 1}, {1, 2}}, 2, 3), {.seed = 5});
    std::vector<int> drawn(3);
    for (const std::uint32_t item : sampler.sample(0, 4000)) {
        ++drawn[item];
    }
    CHECK(drawn[0] == 0);
    CHECK(drawn[2] == doctest::Approx(2000).epsilon(0.08));  // 5 standard deviations
}

TEST_CASE("NegativeSampler: stays exact where the history holds nearly all the weight") {
    // User 0 has items 0 .. 196 of 200, whose counts are 100 times those of the last three: every try fails first.
    std::vector<Interaction> rows;
    for (std::uint32_t item = 0; item < 197; ++item) {
        rows.insert(rows.end(), 100, {0, item});
    }
    for (const std::uint32_t item : Items{197, 198, 198, 199, 199, 199}) {
        rows.push_back({1, item});
    }
    check_distribution(Interactions::from_ids(rows, 2, 200), 0, 1.0);
    check_distribution(Interactions::from_ids(rows, 2, 200), 0, 0.0);
}

TEST_CASE("NegativeSampler: never gives an item of the history, on random logs") {
    Random random(7);
    for (std::uint64_t round = 0; round < 30; ++round) {
        std::vector<Interaction> rows(1 + random.below(200));
        std::vector<std::vector<bool>> seen(6, std::vector<bool>(25, false));
        for (Interaction& row : rows) {
            row.user = static_cast<std::uint32_t>(random.below(6));
            row.item = static_cast<std::uint32_t>(random.below(25));
            seen[row.user][row.item] = true;
        }
        const NegativeSampler sampler(Interactions::from_ids(rows, 6, 25), {.alpha = round % 2 == 0 ? 0.0 : 0.5});
        for (std::size_t user = 0; user < 6; ++user) {
            for (const std::uint32_t item : sampler.sample(user, 40, round)) {
                CHECK_FALSE(seen[user][item]);
            }
        }
    }
}

TEST_CASE("NegativeSampler: a draw depends on seed, user and number alone") {
    const NegativeSampler sampler(small_log(), {.seed = 5});
    const Items first = sampler.sample(2, 50, 9);
    static_cast<void>(sampler.sample(0, 3, 1));

    CHECK(sampler.sample(2, 50, 9) == first);
    CHECK(NegativeSampler(small_log(), {.seed = 5}).sample(2, 50, 9) == first);
    CHECK(sampler.sample(2, 50, 10) != first);
    CHECK(NegativeSampler(small_log(), {.seed = 6}).sample(2, 50, 9) != first);
    CHECK(sampler.sample(4, 50, 9) != first);  // another user, who could draw the same items
    const Items start = sampler.sample(2, 20, 9);
    CHECK(std::equal(start.begin(), start.end(), first.begin()));

    Items out(50);
    CHECK(sampler.sample(2, 9, out) == 50);
    CHECK(out == first);
}

TEST_CASE("NegativeSampler: draws the same on every machine") {
    CHECK(NegativeSampler(small_log(), {.alpha = 0.75, .seed = 1}).sample(4, 12) ==
          Items{1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 3, 1});
    // Where a draw that hits the history is followed by another try.
    CHECK(NegativeSampler(small_log(), {.seed = 1}).sample(0, 12) == Items{2, 4, 1, 1, 5, 4, 1, 2, 5, 2, 5, 4});
}

TEST_CASE("NegativeSampler: nothing to draw is an empty result") {
    const Interactions all = Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}}, 2, 3);

    CHECK(NegativeSampler(all).sample(0, 4) == Items{2, 2, 2, 2});
    CHECK(NegativeSampler(all, {.alpha = 1.0}).sample(0, 4).empty());  // nobody touched item 2
    CHECK(NegativeSampler(all, {.alpha = 0.001}).sample(0, 4).empty());
    CHECK(NegativeSampler(all, {.alpha = 1.0}).sample(1, 2) == Items{0, 0});
    CHECK(NegativeSampler(Interactions::from_ids({{0, 0}, {0, 1}}, 1, 2)).sample(0, 4).empty());
    CHECK(NegativeSampler(Interactions::from_ids({}, 1, 0), {.alpha = 1.0}).sample(0, 4).empty());
    CHECK(NegativeSampler(Interactions::from_ids({}, 1, 2), {.alpha = 1.0}).sample(0, 4).empty());
    CHECK(NegativeSampler(Interactions::from_ids({}, 1, 2)).sample(0, 4).size() == 4);
    CHECK(NegativeSampler(all).sample(0, 0).empty());
}

TEST_CASE("NegativeSampler: refuses unknown users and an alpha that is no weight") {
    for (const double alpha : {-0.5, static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
        CHECK_THROWS_AS(NegativeSampler(small_log(), {.alpha = alpha}), InvalidArgument);
    }
    CHECK_THROWS_AS(static_cast<void>(NegativeSampler(small_log()).sample(5, 1)), InvalidArgument);
}

TEST_CASE("NegativeSampler: with a large alpha, users of the popular items still get what is left") {
    // Item 0 has 1000 rows, item 1 ten, item 2 nine, item 3 one, item 4 none; user 0 knows item 0.
    std::vector<Interaction> rows{{0, 0}, {1, 3}};
    for (int i = 0; i < 999; ++i) {
        rows.push_back({1, 0});
    }
    for (int i = 0; i < 19; ++i) {
        rows.push_back({1, i < 10 ? 1U : 2U});
    }
    const Interactions log = Interactions::from_ids(rows, 3, 5);
    for (const double alpha : {100.0, 150.0, 1e6, 1e308}) {
        CAPTURE(alpha);
        const Items drawn = NegativeSampler(log, {.alpha = alpha}).sample(0, 1000);
        REQUIRE(drawn.size() == 1000);
        CHECK(std::count(drawn.begin(), drawn.end(), 1U) >= 990);  // item 2: 0.9^100 = 3e-5 of it
        CHECK(std::count(drawn.begin(), drawn.end(), 4U) == 0);
    }
    CHECK(NegativeSampler(log, {.alpha = 110.0}).sample(1, 5).empty());  // all items with a row are known
    CHECK(NegativeSampler(log, {.alpha = 110.0}).sample(2, 50) == Items(50, 0));
}

TEST_CASE("NegativeSampler: an unknown user and any count end without touching foreign memory") {
    const NegativeSampler sampler(small_log());
    Items out(3, 77);
    CHECK(sampler.sample(5, 0, out) == 0);
    CHECK(sampler.sample(static_cast<std::size_t>(-1), 0, out) == 0);
    CHECK(out == Items(3, 77));
    CHECK_THROWS_AS(static_cast<void>(sampler.sample(0, static_cast<std::size_t>(-1))), InvalidArgument);
    CHECK(sampler.sample(0, 0).empty());
}

// It took over the histories before the weights, and then drew by weights that were not there.
TEST_CASE("NegativeSampler: an assignment without memory changes nothing") {
    std::vector<Interaction> rows;
    for (std::uint32_t item = 0; item < 300; ++item) {
        rows.push_back({item % 5, item});
    }
    const NegativeSampler large(Interactions::from_ids(std::move(rows), 5, 300), {.alpha = 1.0, .seed = 7});
    const NegativeSampler small(small_log());
    const auto make = [&] { return small; };
    const auto assign = [&](NegativeSampler& sampler) { sampler = large; };
    const auto state = [](const NegativeSampler& sampler) { return std::pair(sampler.items(), sampler.sample(0, 20)); };
    CHECK(funnel::testing::check_strong_guarantee(make, assign, state) > 0);
}

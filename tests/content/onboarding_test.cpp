// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/onboarding.hpp>

#include "cf/random_log.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <vector>

using funnel::content::onboarding_items;
using funnel::data::Interactions;
using funnel::testing::log_of;

namespace {

using Ids = std::vector<std::uint32_t>;

std::vector<Ids> random_histories(std::uint64_t seed, std::size_t users, std::uint32_t items) {
    funnel::Random random(seed);
    std::vector<Ids> histories(users);
    for (Ids& history : histories) {
        for (std::uint32_t item = 0; item < items; ++item) {
            if (random.uniform() < 0.25) {
                history.push_back(item);
            }
        }
    }
    return histories;
}

std::size_t covered_by(const std::vector<Ids>& histories, const Ids& picks) {
    return static_cast<std::size_t>(std::count_if(histories.begin(), histories.end(), [&](const Ids& history) {
        return std::any_of(picks.begin(), picks.end(), [&](std::uint32_t pick) {
            return std::find(history.begin(), history.end(), pick) != history.end();
        });
    }));
}

// The definition: round by round, the item that covers the most users who are not covered, ties to the smaller id.
Ids by_definition(const std::vector<Ids>& histories, std::uint32_t items, std::size_t k) {
    Ids picks;
    std::set<std::size_t> covered;
    while (picks.size() < k) {
        std::size_t best_gain = 0;
        std::uint32_t best = 0;
        bool any_left = false;
        for (std::uint32_t item = 0; item < items; ++item) {
            if (std::find(picks.begin(), picks.end(), item) != picks.end()) {
                continue;
            }
            std::size_t gain = 0;
            for (std::size_t user = 0; user < histories.size(); ++user) {
                const bool has =
                    std::find(histories[user].begin(), histories[user].end(), item) != histories[user].end();
                any_left = any_left || has;
                gain += has && !covered.contains(user) ? 1U : 0U;
            }
            if (gain > best_gain) {
                best_gain = gain;
                best = item;
            }
        }
        if (best_gain == 0) {
            if (!any_left) {
                break;
            }
            covered.clear();
            continue;
        }
        picks.push_back(best);
        for (std::size_t user = 0; user < histories.size(); ++user) {
            if (std::find(histories[user].begin(), histories[user].end(), best) != histories[user].end()) {
                covered.insert(user);
            }
        }
    }
    return picks;
}

}  // namespace

TEST_CASE("onboarding_items: the picks of the definition, for any length") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto histories = random_histories(seed, 25, 12);
        const Interactions log = log_of(histories, 14);  // two items without a row
        for (const std::size_t k : {0U, 1U, 3U, 12U, 100U}) {
            CHECK(onboarding_items(log, {.k = k}) == by_definition(histories, 14, k));
        }
        CHECK(onboarding_items(log, {.k = std::numeric_limits<std::size_t>::max()}).size() <= 12);
    }
}

TEST_CASE("onboarding_items: at least 63 % of the users that the best list covers") {
    for (std::uint64_t seed = 100; seed < 120; ++seed) {
        const auto histories = random_histories(seed, 30, 9);
        const Ids picks = onboarding_items(log_of(histories, 9), {.k = 2});
        std::size_t best = 0;
        for (std::uint32_t a = 0; a < 9; ++a) {
            for (std::uint32_t b = a + 1; b < 9; ++b) {
                best = std::max(best, covered_by(histories, {a, b}));
            }
        }
        CHECK(static_cast<double>(covered_by(histories, picks)) >= 0.632 * static_cast<double>(best));
    }
}

TEST_CASE("onboarding_items: two items with the same users are not asked one after the other") {
    const Interactions log = log_of({{0, 1}, {0, 1}, {0, 1}, {2}, {2}}, 3);
    CHECK(onboarding_items(log, {.k = 3}) == Ids{0, 2, 1});
    CHECK(onboarding_items(log, {.k = 3}, [](std::uint32_t item) { return item != 0; }) == Ids{1, 2});
    CHECK(onboarding_items(Interactions::from_ids({}, 3, 3)).empty());
    CHECK(onboarding_items(Interactions()).empty());
}

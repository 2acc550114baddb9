// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/cascading.hpp>

#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Random;
using funnel::bandits::KLUCB;
using funnel::bandits::UCB1;
using funnel::bandits::update_cascade;

namespace {

// Records what it is taught.
struct Recorder {
    std::vector<std::pair<std::size_t, double>> rewards = {};

    [[nodiscard]] static std::vector<std::size_t> select(std::size_t /*k*/) { return {}; }
    void update(std::size_t arm, double reward) { rewards.emplace_back(arm, reward); }
    [[nodiscard]] static std::vector<double> propensities() { return {}; }
    [[nodiscard]] static std::size_t arms() { return 5; }
};

using Rewards = std::vector<std::pair<std::size_t, double>>;

}  // namespace

TEST_CASE("update_cascade: teaches up to the first click, and nothing below it") {
    const std::vector<std::size_t> shown{4, 2, 0, 1};
    Recorder policy;
    update_cascade(policy, shown, 1);
    CHECK(policy.rewards == Rewards{{4, 0.0}, {2, 1.0}});
    policy.rewards.clear();
    update_cascade(policy, shown, 0);
    CHECK(policy.rewards == Rewards{{4, 1.0}});
    policy.rewards.clear();
    update_cascade(policy, shown, std::nullopt);
    CHECK(policy.rewards == Rewards{{4, 0.0}, {2, 0.0}, {0, 0.0}, {1, 0.0}});
    policy.rewards.clear();
    update_cascade(policy, {}, std::nullopt);
    CHECK(policy.rewards.empty());
}

TEST_CASE("update_cascade: rejects arms and clicks that do not exist, and teaches nothing then") {
    Recorder policy;
    const std::vector<std::size_t> shown{1, 5};
    CHECK_THROWS_AS(update_cascade(policy, shown, 0), InvalidArgument);
    const std::vector<std::size_t> good{1, 2};
    CHECK_THROWS_AS(update_cascade(policy, good, 2), InvalidArgument);
    CHECK(policy.rewards.empty());
}

TEST_CASE("CascadeUCB1, CascadeKL-UCB: find the most attractive slate") {
    const std::vector<double> attraction{0.05, 0.4, 0.05, 0.3, 0.05, 0.05, 0.2, 0.05};
    const auto best_at_the_end = [&](auto policy) {
        Random random(8);
        for (int step = 0; step < 20000; ++step) {
            const auto shown = policy.select(3);
            std::optional<std::size_t> click;
            for (std::size_t place = 0; place < shown.size() && !click; ++place) {
                if (random.uniform() < attraction[shown[place]]) {
                    click = place;
                }
            }
            update_cascade(policy, shown, click);
        }
        int found = 0;
        for (int step = 0; step < 200; ++step) {
            const auto shown = policy.select(3);
            std::vector<bool> is_shown(attraction.size());
            for (const std::size_t arm : shown) {
                is_shown[arm] = true;
            }
            found += is_shown[1] && is_shown[3] && is_shown[6] ? 1 : 0;
            update_cascade(policy, shown, std::nullopt);
            policy.update(shown[0], 1.0);
        }
        return found;
    };
    CHECK(best_at_the_end(UCB1(8, {.exploration = 1.5})) > 100);
    CHECK(best_at_the_end(KLUCB(8)) > 150);
}

// Four items, places 1 to 3 show the items 0, 1, 2; the user clicks item 1. Item 0 was seen and not clicked, item 2 was not
// seen. So items 2 and 3 have no plays and come first. Then item 1 with 1 + sqrt(1.5 log 2) = 2.02, then item 0 with 1.02.
TEST_CASE("update_cascade: a slate worked by hand") {
    UCB1 policy(4, {.exploration = 1.5});
    const auto shown = policy.select(3);
    CHECK(shown == std::vector<std::size_t>{0, 1, 2});
    update_cascade(policy, shown, 1);
    CHECK(policy.select(4) == std::vector<std::size_t>{2, 3, 1, 0});
    const auto indexes = policy.indexes();
    CHECK(indexes[1] == doctest::Approx(2.02).epsilon(0.001));
    CHECK(indexes[0] == doctest::Approx(1.02).epsilon(0.001));
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/epsilon_greedy.hpp>

#include "bandits/policy_contract.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::EpsilonGreedy;

TEST_CASE("EpsilonGreedy: propensities worked by hand") {
    EpsilonGreedy policy(4, {.epsilon = 0.2});
    policy.update(0, 0.0);
    policy.update(1, 3.0);
    policy.update(2, -1.0);
    policy.update(3, 2.0);
    const auto p = policy.propensities();
    CHECK(p[1] == Approx(0.2 / 4 + 0.8));
    CHECK(p[0] == Approx(0.05));
    CHECK(p[3] == Approx(0.05));
}

TEST_CASE("EpsilonGreedy: without exploration the order of the means, new arms first, ties to the smaller arm") {
    EpsilonGreedy policy(5, {.epsilon = 0.0});
    CHECK(policy.select(5) == std::vector<std::size_t>{0, 1, 2, 3, 4});
    policy.update(0, 1.0);
    policy.update(1, 2.0);
    policy.update(2, 1.0);
    policy.update(2, 1.0);
    CHECK(policy.select(5) == std::vector<std::size_t>{3, 4, 1, 0, 2});
}

TEST_CASE("EpsilonGreedy: epsilon decays with the number of rewards") {
    EpsilonGreedy policy(2, {.epsilon = 0.5, .decay = 0.1, .least_epsilon = 0.05});
    CHECK(policy.epsilon() == 0.5);
    for (int i = 0; i < 10; ++i) {
        policy.update(0, 1.0);
        (void)policy.select(1);  // selections do not count: their rewards may come late
    }
    CHECK(policy.epsilon() == Approx(0.25));
    for (int i = 0; i < 1000; ++i) {
        policy.update(0, 1.0);
    }
    CHECK(policy.epsilon() == 0.05);
}

TEST_CASE("EpsilonGreedy: epsilon does not rise when an arm is removed, or after a file") {
    EpsilonGreedy policy(2, {.epsilon = 0.5, .decay = 0.1});
    for (int i = 0; i < 10; ++i) {
        policy.update(0, 1.0);
    }
    policy.remove_arm(0);
    CHECK(policy.epsilon() == Approx(0.25));
    const funnel::testing::TempDir dir;
    policy.save(dir / "a.fnl");
    CHECK(EpsilonGreedy::load(dir / "a.fnl").epsilon() == policy.epsilon());
}

TEST_CASE("EpsilonGreedy: with decay, regret grows much slower than with a fixed epsilon") {
    const std::vector<double> means{0.2, 0.5, 0.8};
    EpsilonGreedy fixed(3, {.epsilon = 0.2});
    EpsilonGreedy decaying(3, {.epsilon = 1.0, .decay = 0.02});
    const double constant = funnel::testing::regret_of(fixed, means, 20000, 2);
    const double falling = funnel::testing::regret_of(decaying, means, 20000, 2);
    CHECK(constant == Approx(0.2 * 0.3 * 20000).epsilon(0.1));  // epsilon times the mean gap of 0.3
    CHECK(falling < 0.1 * constant + 50.0);
}

TEST_CASE("EpsilonGreedy: keeps what policies promise") {
    funnel::testing::check_policy([](std::size_t arms) {
        return EpsilonGreedy(arms, {.epsilon = 0.3, .decay = 0.01, .least_epsilon = 0.01, .seed = 9});
    });
    EpsilonGreedy policy(8, {.epsilon = 0.4});
    policy.update(3, 1.0);
    funnel::testing::check_choices_follow_propensities(policy, 1000000);
}

TEST_CASE("EpsilonGreedy: rejects options and rewards out of range") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {-0.1, 1.1, nan}) {
        CHECK_THROWS_AS(EpsilonGreedy(2, {.epsilon = wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS(EpsilonGreedy(2, {.decay = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(EpsilonGreedy(2, {.decay = nan}), InvalidArgument);
    CHECK_THROWS_AS(EpsilonGreedy(2, {.epsilon = 0.1, .least_epsilon = 0.2}), InvalidArgument);
    EpsilonGreedy policy(2);
    CHECK_THROWS_AS(policy.update(0, 1e101), InvalidArgument);

    const funnel::testing::TempDir dir;
    const auto save_with = [&](double epsilon, double decay, double least, std::uint64_t all_rewards = 1) {
        funnel::io::ContainerWriter file("bandits.EpsilonGreedy", 2);
        const std::vector<std::uint64_t> plays{1};
        const std::vector<double> zeros{0.0};
        file.value("epsilon", epsilon);
        file.value("decay", decay);
        file.value("least_epsilon", least);
        file.value("seed", std::uint64_t{1});
        file.value("step", std::uint64_t{0});
        file.value("all_rewards", all_rewards);
        file.array("plays", plays);
        file.array("rewards", zeros);
        file.array("squared_rewards", zeros);
        file.save(dir / "a.fnl");
        return dir / "a.fnl";
    };
    CHECK(EpsilonGreedy::load(save_with(0.1, 0.0, 0.1)).arms() == 1);
    CHECK_THROWS_AS((void)EpsilonGreedy::load(save_with(1.1, 0.0, 0.1)), funnel::CorruptData);
    CHECK_THROWS_AS((void)EpsilonGreedy::load(save_with(0.1, -1.0, 0.1)), funnel::CorruptData);
    CHECK_THROWS_AS((void)EpsilonGreedy::load(save_with(0.1, nan, 0.1)), funnel::CorruptData);
    CHECK_THROWS_AS((void)EpsilonGreedy::load(save_with(0.1, 0.0, 0.2)), funnel::CorruptData);
    CHECK_THROWS_AS((void)EpsilonGreedy::load(save_with(0.1, 0.0, 0.1, 0)), funnel::CorruptData);
}

// Three arms with means 0.5, 0.2, 0; epsilon 0.3. First place: 0.3 / 3 = 0.1 each, and 0.7 more for the best. With decay 0.1,
// epsilon is 0.3 / (1 + 0.1 * 10) = 0.15 after ten rewards: 0.05 each, and 0.85 more.
TEST_CASE("EpsilonGreedy: three arms worked by hand") {
    for (const double decay : {0.0, 0.1}) {
        EpsilonGreedy policy(3, {.epsilon = 0.3, .decay = decay});
        for (int i = 0; i < 4; ++i) {
            policy.update(0, i < 2 ? 1.0 : 0.0);
        }
        for (int i = 0; i < 5; ++i) {
            policy.update(1, i < 1 ? 1.0 : 0.0);
        }
        policy.update(2, 0.0);
        const double random = decay > 0.0 ? 0.05 : 0.1;
        CHECK(policy.propensities()[0] == Approx(1.0 - 2.0 * random));
        CHECK(policy.propensities()[1] == Approx(random));
        CHECK(policy.propensities()[2] == Approx(random));
    }
}

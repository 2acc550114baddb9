// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/exp3.hpp>

#include "bandits/policy_contract.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::Exp3;

TEST_CASE("Exp3: worked by hand") {
    // Two arms, gamma 0.2: p = (1/2, 1/2). Arm 0 with reward 1: log w_0 = 0.1 / 0.5 = 0.2.
    Exp3 policy(2, {.gamma = 0.2});
    CHECK(policy.propensities()[0] == Approx(0.5).epsilon(1e-15));
    policy.update(0, 1.0);
    const double p = 0.8 * std::exp(0.2) / (std::exp(0.2) + 1.0) + 0.1;
    CHECK(policy.propensities()[0] == Approx(p).epsilon(1e-14));
    // The estimate divides by the mixed probability, not by the weight's share.
    policy.update(1, 0.5);
    const double log_weight = 0.1 * 0.5 / (1.0 - p);
    const double q = 0.8 * std::exp(0.2) / (std::exp(0.2) + std::exp(log_weight)) + 0.1;
    CHECK(policy.propensities()[0] == Approx(q).epsilon(1e-14));
    policy.update(0, 0.0);  // a reward of 0 changes nothing
    CHECK(policy.propensities()[0] == Approx(q).epsilon(1e-14));
}

TEST_CASE("Exp3: weights do not overflow after 10^6 rewards") {
    Exp3 policy(3, {.gamma = 0.5});
    for (int i = 0; i < 1000000; ++i) {
        policy.update(1, 1.0);
    }
    const auto p = policy.propensities();
    CHECK(p[1] == Approx(0.5 + 0.5 / 3).epsilon(1e-12));
    CHECK(p[0] == Approx(0.5 / 3).epsilon(1e-12));
    for (int i = 0; i < 1000000; ++i) {  // and come back
        policy.update(2, 1.0);
    }
    CHECK(policy.propensities()[2] > policy.propensities()[1]);
}

TEST_CASE("Exp3: a late reward counts with the propensity of its choice") {
    Exp3 late(2, {.gamma = 0.2});
    const double at_choice = late.propensities()[0];
    late.update(1, 1.0);
    late.update(0, 1.0, at_choice);  // both estimates are 1 / 0.5, so both weights are the same again
    CHECK(late.propensities()[0] == Approx(0.5).epsilon(1e-14));
}

TEST_CASE("Exp3: regret is below its bound") {
    const std::vector<double> means{0.2, 0.4, 0.8};
    constexpr double steps = 20000.0;
    const double gamma = std::sqrt(3.0 * std::log(3.0) / ((std::exp(1.0) - 1.0) * steps));
    Exp3 policy(3, {.gamma = gamma});
    const double regret = funnel::testing::regret_of(policy, means, 20000, 4);
    CHECK(regret < 2.63 * std::sqrt(steps * 3.0 * std::log(3.0)));  // corollary 3.2
    CHECK(regret < 0.1 * 0.33 * steps);                             // random choices lose 1/3 per step
}

TEST_CASE("Exp3: follows arms that swap their rewards") {
    Exp3 policy(2, {.gamma = 0.1});
    (void)funnel::testing::regret_of(policy, {0.9, 0.1}, 2000, 5);
    CHECK(policy.propensities()[0] > 0.9);
    (void)funnel::testing::regret_of(policy, {0.1, 0.9}, 6000, 6);
    CHECK(policy.propensities()[1] > 0.9);
}

TEST_CASE("Exp3: keeps what policies promise") {
    funnel::testing::check_policy([](std::size_t arms) { return Exp3(arms, {.gamma = 0.3, .seed = 5}); });
    Exp3 policy(6, {.gamma = 0.3});
    for (std::size_t i = 0; i < 60; ++i) {
        policy.update(i % 6, i % 6 > 3 ? 1.0 : 0.2);
    }
    funnel::testing::check_choices_follow_propensities(policy, 1000000);
}

TEST_CASE("Exp3: a late reward of a time with more arms is no error, and its step is no larger than the reward") {
    Exp3 policy(4, {.gamma = 0.2});
    for (int i = 0; i < 2000; ++i) {
        policy.update(0, 1.0);
    }
    const double at_choice = policy.propensities()[1];  // nearly 0.2 / 4
    policy.remove_arm(3);
    policy.remove_arm(2);
    const double before = policy.propensities()[1];
    policy.update(1, 1.0, at_choice);
    CHECK(at_choice < 0.2 / 2.0);
    CHECK(policy.propensities()[1] >= before);
    // gamma / n = 0.1 now; 0.1 / at_choice would be a step of 2. The step is 1: the weight of arm 1 grows e times.
    Exp3 equal(4, {.gamma = 0.2});
    equal.remove_arm(3);
    equal.remove_arm(2);
    equal.update(1, 1.0, 0.05);
    const double e = 2.718281828459045;
    CHECK(equal.propensities()[1] == Approx(0.1 + 0.8 * e / (1.0 + e)).epsilon(1e-14));
}

TEST_CASE("Exp3: rejects gamma, rewards and propensities out of range") {
    for (const double wrong : {0.0, -0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS(Exp3(2, {.gamma = wrong}), InvalidArgument);
    }
    Exp3 policy(2, {.gamma = 0.2});
    CHECK_THROWS_AS(policy.update(0, 1.1), InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, -0.1), InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, 1.0, 0.0), InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, 1.0, -0.5), InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, 1.0, 1.5), InvalidArgument);
    CHECK_THROWS_AS(policy.update(2, 1.0, 0.5), InvalidArgument);

    const funnel::testing::TempDir dir;
    const auto save_with = [&](double gamma, const std::vector<double>& log_weights) {
        funnel::io::ContainerWriter file("bandits.Exp3", 1);
        file.value("gamma", gamma);
        file.value("seed", std::uint64_t{1});
        file.value("step", std::uint64_t{0});
        file.array("log_weights", log_weights);
        file.save(dir / "a.fnl");
        return dir / "a.fnl";
    };
    CHECK(Exp3::load(save_with(0.1, {0.0, -1.0})).arms() == 2);
    CHECK_THROWS_AS((void)Exp3::load(save_with(0.0, {0.0, -1.0})), funnel::CorruptData);
    CHECK_THROWS_AS((void)Exp3::load(save_with(0.1, {-0.5, -1.0})), funnel::CorruptData);
    CHECK_THROWS_AS((void)Exp3::load(save_with(0.1, {0.0, 1.0})), funnel::CorruptData);
    CHECK_THROWS_AS((void)Exp3::load(save_with(0.1, {})), funnel::CorruptData);
}

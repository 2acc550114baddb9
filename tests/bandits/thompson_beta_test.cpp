// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/thompson_beta.hpp>

#include "bandits/policy_contract.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::BasicThompsonBeta;
using funnel::bandits::FractionalReward;
using funnel::bandits::ThompsonBeta;
using funnel::testing::check_choices_follow_propensities;

namespace {

template <class P>
void learn(P& policy, std::size_t arm, int successes, int failures) {
    for (int i = 0; i < successes; ++i) {
        policy.update(arm, 1.0);
    }
    for (int i = 0; i < failures; ++i) {
        policy.update(arm, 0.0);
    }
}

}  // namespace

TEST_CASE("ThompsonBeta: posteriors and propensities of three click rates") {
    ThompsonBeta policy(3);
    learn(policy, 0, 2, 96);
    learn(policy, 1, 4, 94);
    learn(policy, 2, 3, 95);
    CHECK(policy.alpha(1) == 5.0);
    CHECK(policy.beta(1) == 95.0);
    const auto p = policy.propensities();
    CHECK(std::abs(p[0] - 0.1410295228) < 1e-10);
    CHECK(std::abs(p[1] - 0.5540808950) < 1e-10);
    CHECK(std::abs(p[2] - 0.3048895823) < 1e-10);
}

TEST_CASE("ThompsonBeta: 10^6 choices follow the propensities") {
    ThompsonBeta policy(6, {.seed = 3});
    learn(policy, 0, 3, 40);
    learn(policy, 1, 5, 40);
    learn(policy, 2, 30, 400);
    learn(policy, 3, 0, 5);
    learn(policy, 4, 300, 6000);
    check_choices_follow_propensities(policy, 1000000);

    ThompsonBeta floored(6, {.floor = 0.05});
    learn(floored, 0, 30, 40);
    learn(floored, 1, 5, 40);
    check_choices_follow_propensities(floored, 1000000);
    const auto p = floored.propensities();
    CHECK(*std::min_element(p.begin(), p.end()) >= 0.05);
    CHECK(p[1] == Approx(0.05).epsilon(1e-3));

    // Priors far below 1: draws as floats would often be equal, at 0 and at 1.
    ThompsonBeta sharp(4, {.prior_successes = 0.01, .prior_failures = 0.01});
    learn(sharp, 3, 0, 1);
    check_choices_follow_propensities(sharp, 200000);
    // Success rates close to 1, where floats are 6e-8 apart.
    ThompsonBeta near_one(2, {.prior_successes = 1e7, .prior_failures = 1.0});
    check_choices_follow_propensities(near_one, 200000);
}

TEST_CASE("ThompsonBeta: slates follow their propensities") {
    ThompsonBeta policy(5);
    learn(policy, 0, 3, 10);
    learn(policy, 1, 5, 10);
    learn(policy, 2, 8, 60);
    const auto expected = policy.slate_propensities(2);
    constexpr int draws = 200000;
    std::vector<double> counts(5, 0.0);
    for (int i = 0; i < draws; ++i) {
        for (const std::size_t arm : policy.select(2)) {
            counts[arm] += 1.0;
        }
    }
    for (std::size_t i = 0; i < 5; ++i) {
        const double deviation = std::sqrt(draws * expected[i] * (1.0 - expected[i]));
        CHECK(std::abs(counts[i] - draws * expected[i]) < 4.0 * deviation);
    }
    CHECK_THROWS_AS((void)ThompsonBeta(2, {.floor = 0.1}).slate_propensities(2), InvalidArgument);
}

TEST_CASE_TEMPLATE_DEFINE("ThompsonBeta: the same choices on every backend", Backend, thompson_backends) {
    BasicThompsonBeta<funnel::kernels::Scalar> plain(100, {.prior_failures = 0.5, .seed = 7});
    BasicThompsonBeta<Backend> other(100, {.prior_failures = 0.5, .seed = 7});
    for (int step = 0; step < 200; ++step) {
        const auto chosen = plain.select(5);
        CHECK(other.select(5) == chosen);
        plain.update(chosen[0], step % 3 == 0 ? 1.0 : 0.0);
        other.update(chosen[0], step % 3 == 0 ? 1.0 : 0.0);
    }
}
TEST_CASE_TEMPLATE_APPLY(thompson_backends, funnel::testing::HostBackends);

TEST_CASE("ThompsonBeta: the seed decides the choices, and equal seeds of neighbours do not correlate") {
    // Per-seed generators with one step of a linear congruence choose nearly the same arms for seeds 1, 2, 3.
    constexpr std::size_t arms = 10;
    constexpr int steps = 20000;
    ThompsonBeta one(arms, {.seed = 1});
    ThompsonBeta two(arms, {.seed = 2});
    int same = 0;
    for (int step = 0; step < steps; ++step) {
        same += one.select(1) == two.select(1) ? 1 : 0;
    }
    CHECK(std::abs(same - steps / 10) < 4.0 * std::sqrt(steps * 0.09));
}

TEST_CASE("ThompsonBeta: regret grows as log t") {
    const std::vector<double> means{0.1, 0.3, 0.5, 0.6};
    ThompsonBeta policy(4);
    const double regret = funnel::testing::regret_of(policy, means, 10000, 1);
    // Lai and Robbins: sum of gap / kl(mean, best) log t = (1.07 + 1.63 + 5.0) 9.2 = 71; random choices: 2250
    CHECK(regret > 10.0);
    CHECK(regret < 150.0);
}

TEST_CASE("ThompsonBeta: rewards between 0 and 1 are rejected, split or drawn") {
    ThompsonBeta strict(1);
    CHECK_THROWS_WITH_AS(strict.update(0, 0.5),
                         "ThompsonBeta::update: reward must be 0 or 1; see ThompsonBetaOptions::fractional",
                         InvalidArgument);
    CHECK(strict.alpha(0) == 1.0);
    CHECK(strict.beta(0) == 1.0);
    ThompsonBeta split(1, {.fractional = FractionalReward::Split});
    split.update(0, 0.25);
    CHECK(split.alpha(0) == 1.25);
    CHECK(split.beta(0) == 1.75);
    ThompsonBeta drawn(1, {.fractional = FractionalReward::Draw});
    for (int i = 0; i < 10000; ++i) {
        drawn.update(0, 0.25);
    }
    CHECK(drawn.alpha(0) + drawn.beta(0) == 10002.0);
    CHECK(std::abs(drawn.alpha(0) - 2501.0) < 4.0 * std::sqrt(10000 * 0.25 * 0.75));
    CHECK(drawn.alpha(0) == std::floor(drawn.alpha(0)));
    for (ThompsonBeta* policy : {&strict, &split, &drawn}) {
        CHECK_THROWS_AS(policy->update(0, -0.5), InvalidArgument);
        CHECK_THROWS_AS(policy->update(0, 1.5), InvalidArgument);
        CHECK_THROWS_AS(policy->update(0, std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
    }
}

TEST_CASE("ThompsonBeta: a discount forgets rewards, never the prior") {
    ThompsonBeta policy(2, {.prior_successes = 2.0, .prior_failures = 3.0, .discount = 0.5});
    policy.update(0, 1.0);
    policy.update(0, 0.0);
    CHECK(policy.alpha(0) == 2.5);
    CHECK(policy.beta(0) == 4.0);
    for (int i = 0; i < 200; ++i) {
        policy.update(1, 1.0);
    }
    CHECK(policy.alpha(0) == Approx(2.0));
    CHECK(policy.beta(0) == Approx(3.0));
    CHECK(policy.alpha(1) == Approx(4.0));  // 1 + 1/2 + 1/4 ...

    // It follows arms that swap their rates sooner than one that remembers everything.
    const auto regret_after_swap = [](double discount) {
        ThompsonBeta learner(2, {.discount = discount});
        (void)funnel::testing::regret_of(learner, {0.6, 0.2}, 5000, 1);
        return funnel::testing::regret_of(learner, {0.2, 0.6}, 5000, 2);
    };
    CHECK(regret_after_swap(0.99) < 0.5 * regret_after_swap(1.0));
}

TEST_CASE("ThompsonBeta: counts above 2^24 still grow") {
    ThompsonBeta policy(1, {.prior_successes = 16777216.0});
    policy.update(0, 1.0);
    policy.update(0, 1.0);
    CHECK(policy.alpha(0) == 16777218.0);
}

TEST_CASE("ThompsonBeta: keeps what policies promise") {
    funnel::testing::check_policy([](std::size_t arms) {
        return ThompsonBeta(arms, {.prior_successes = 0.5, .prior_failures = 2.0, .floor = 0.01, .seed = 5});
    });
}

TEST_CASE("ThompsonBeta: rejects options out of range and damaged values") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {0.0, -1.0, 1e10, nan, std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS_AS(ThompsonBeta(2, {.prior_successes = wrong}), InvalidArgument);
        CHECK_THROWS_AS(ThompsonBeta(2, {.prior_failures = wrong}), InvalidArgument);
        CHECK_THROWS_AS(ThompsonBeta(2, {.discount = wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS(ThompsonBeta(2, {.floor = 0.6}), InvalidArgument);
    CHECK_THROWS_AS(ThompsonBeta(2, {.floor = nan}), InvalidArgument);
    CHECK_THROWS_AS((void)ThompsonBeta(2).alpha(2), InvalidArgument);
    CHECK_THROWS_AS((void)ThompsonBeta(2).beta(2), InvalidArgument);
    ThompsonBeta full(2, {.floor = 0.5});
    CHECK_THROWS_AS(full.add_arm(), InvalidArgument);

    struct Values {
        double prior = 1.0, discount = 1.0, floor = 0.0, successes = 3.0, failures = 4.0;
        std::uint32_t fractional = 0;
    };
    const funnel::testing::TempDir dir;
    const auto load_with = [&](const Values& values) {
        funnel::io::ContainerWriter file("bandits.ThompsonBeta", 1);
        const std::vector<double> successes{values.successes};
        const std::vector<double> failures{values.failures};
        file.value("prior_successes", values.prior);
        file.value("prior_failures", values.prior);
        file.value("discount", values.discount);
        file.value("floor", values.floor);
        file.value("fractional", values.fractional);
        file.value("seed", std::uint64_t{1});
        file.value("step", std::uint64_t{0});
        file.value("fractions", std::uint64_t{0});
        file.array("successes", successes);
        file.array("failures", failures);
        file.save(dir / "a.fnl");
        return ThompsonBeta::load(dir / "a.fnl").alpha(0);
    };
    CHECK(load_with({}) == 4.0);
    CHECK_THROWS_AS((void)load_with({.prior = 0.0}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.prior = nan}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.discount = 0.0}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.discount = 1.5}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.floor = 1.5}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.successes = -1.0}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.failures = 1e16}), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with({.fractional = 3}), funnel::CorruptData);
}

// Arm 0 was never shown: Beta(1, 1). Arm 1 got one click: Beta(2, 1), with density 2 x. P(arm 1 is best) is the integral of
// 2 x P(draw of arm 0 < x) = 2 x x, which is 2/3. A second click: Beta(3, 1), integral of 3 x^2 x = 3/4.
TEST_CASE("ThompsonBeta: worked by hand") {
    ThompsonBeta policy(2);
    policy.update(1, 1.0);
    CHECK(policy.propensities()[1] == Approx(2.0 / 3.0).epsilon(1e-12));
    policy.update(1, 1.0);
    CHECK(policy.propensities()[1] == Approx(3.0 / 4.0).epsilon(1e-12));

    ThompsonBeta floored(2, {.floor = 0.1});  // 0.1 + (1 - 2 * 0.1) * 3/4
    learn(floored, 1, 2, 0);
    CHECK(floored.propensities()[1] == Approx(0.7).epsilon(1e-12));

    ThompsonBeta forgetting(2, {.discount = 0.5});  // two clicks count 0.5 + 1
    learn(forgetting, 1, 2, 0);
    CHECK(forgetting.alpha(1) == 2.5);
    CHECK(forgetting.propensities()[1] == Approx(2.5 / 3.5).epsilon(1e-12));
}

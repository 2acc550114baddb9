// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/thompson_gaussian.hpp>

#include "bandits/policy_contract.hpp"

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::ThompsonGaussian;

TEST_CASE("ThompsonGaussian: the posterior worked by hand") {
    // Prior N(1, 2^2), noise 4: precisions 1/4 and 1/16 per reward. Rewards 3 and 7: precision 3/8, mean
    // (1/4 + 10/16) / (3/8) = 7/3.
    ThompsonGaussian policy(2, {.prior_mean = 1.0, .prior_deviation = 2.0, .noise_deviation = 4.0});
    policy.update(0, 3.0);
    policy.update(0, 7.0);
    CHECK(policy.mean(0) == Approx(7.0 / 3.0));
    CHECK(policy.deviation(0) == Approx(std::sqrt(8.0 / 3.0)));
    CHECK(policy.mean(1) == 1.0);
    CHECK(policy.deviation(1) == 2.0);
    // P(arm 0 is best) = Phi((7/3 - 1) / sqrt(8/3 + 4))
    CHECK(policy.propensities()[0] ==
          Approx(0.5 * std::erfc(-(4.0 / 3.0) / std::sqrt(20.0 / 3.0) / std::sqrt(2.0))).epsilon(1e-10));
}

TEST_CASE("ThompsonGaussian: 10^6 choices follow the propensities") {
    ThompsonGaussian policy(5, {.prior_deviation = 3.0, .seed = 4});
    for (std::size_t i = 0; i < 20; ++i) {
        policy.update(i % 4, static_cast<double>(i % 3));
    }
    funnel::testing::check_choices_follow_propensities(policy, 1000000);
}

TEST_CASE("ThompsonGaussian: regret grows as log t") {
    const std::vector<double> means{0.0, 0.5, 1.0};
    ThompsonGaussian policy(3);
    funnel::Random random(3);
    double regret = 0.0;
    for (int step = 0; step < 10000; ++step) {
        const std::size_t arm = policy.select(1)[0];
        policy.update(arm, means[arm] + random.normal());
        regret += 1.0 - means[arm];
    }
    CHECK(regret < 150.0);  // sum of 2 / gap log t = 55; random choices: 5000
}

TEST_CASE("ThompsonGaussian: keeps what policies promise") {
    funnel::testing::check_policy(
        [](std::size_t arms) { return ThompsonGaussian(arms, {.prior_mean = 0.5, .seed = 5}); });
}

TEST_CASE("ThompsonGaussian: rejects options and rewards out of range, and damaged values") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {0.0, -1.0, 1e7, nan}) {
        CHECK_THROWS_AS(ThompsonGaussian(2, {.prior_deviation = wrong}), InvalidArgument);
        CHECK_THROWS_AS(ThompsonGaussian(2, {.noise_deviation = wrong}), InvalidArgument);
    }
    CHECK_THROWS_AS(ThompsonGaussian(2, {.prior_mean = nan}), InvalidArgument);
    ThompsonGaussian policy(2);
    CHECK_THROWS_AS(policy.update(0, 1e101), InvalidArgument);

    const funnel::testing::TempDir dir;
    const auto load_with = [&](double mean, double prior, double noise) {
        funnel::io::ContainerWriter file("bandits.ThompsonNormal", 1);
        const std::vector<std::uint64_t> plays{0};
        const std::vector<double> zeros{0.0};
        file.value("prior_mean", mean);
        file.value("prior_deviation", prior);
        file.value("noise_deviation", noise);
        file.value("seed", std::uint64_t{1});
        file.value("step", std::uint64_t{0});
        file.array("plays", plays);
        file.array("rewards", zeros);
        file.array("squared_rewards", zeros);
        file.save(dir / "a.fnl");
        return ThompsonGaussian::load(dir / "a.fnl").mean(0);
    };
    CHECK(load_with(2.0, 1.0, 1.0) == 2.0);
    CHECK_THROWS_AS((void)load_with(nan, 1.0, 1.0), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with(0.0, 0.0, 1.0), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with(0.0, 1.0, -1.0), funnel::CorruptData);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/logged_decision.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/bandits/thompson_beta.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using funnel::bandits::load_decisions;
using funnel::bandits::LoggedDecision;
using funnel::bandits::save_decisions;

TEST_CASE("save_decisions: a round trip, also of no decisions; damaged files are rejected") {
    const funnel::testing::TempDir dir;
    const std::string path = dir / "log.fnl";
    save_decisions(path, {});
    CHECK(load_decisions(path).empty());
    const std::vector<LoggedDecision> decisions{
        {.context = 7, .arm = 3, .propensity = 0.25, .reward = 1.0},
        {.context = ~std::uint64_t{0}, .arm = 0, .propensity = 1.0, .reward = -2.5}};
    save_decisions(path, decisions);
    CHECK(load_decisions(path) == decisions);
    funnel::testing::check_damage(funnel::testing::bytes_of(path),
                                  [](const std::string& damaged) { return load_decisions(damaged); });
}

TEST_CASE("save_decisions: rejects propensities outside (0, 1], and rewards that are not finite") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    const funnel::testing::TempDir dir;
    for (const double wrong : {0.0, -0.5, 1.5, nan}) {
        const std::vector<LoggedDecision> decisions{{.propensity = wrong}};
        CHECK_THROWS_AS(save_decisions(dir / "a.fnl", decisions), funnel::InvalidArgument);
    }
    const std::vector<LoggedDecision> decisions{{.reward = nan}};
    CHECK_THROWS_AS(save_decisions(dir / "a.fnl", decisions), funnel::InvalidArgument);

    const auto load_with = [&](double propensity, double reward) {
        funnel::io::ContainerWriter file("bandits.Decisions", 1);
        const std::vector<std::uint64_t> zeros{0};
        const std::vector<double> propensities{propensity};
        const std::vector<double> rewards{reward};
        file.array("contexts", zeros);
        file.array("arms", zeros);
        file.array("propensities", propensities);
        file.array("rewards", rewards);
        file.save(dir / "b.fnl");
        return load_decisions(dir / "b.fnl").size();
    };
    CHECK(load_with(0.5, 1.0) == 1);
    CHECK_THROWS_AS((void)load_with(0.0, 1.0), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with(1.5, 1.0), funnel::CorruptData);
    CHECK_THROWS_AS((void)load_with(0.5, nan), funnel::CorruptData);
}

TEST_CASE("save_decisions: a saved log of Thompson sampling evaluates every arm off-policy, without bias") {
    // The policy learns while it logs, so its propensities change. Importance weighting of rewards by 1 / propensity
    // must give the mean of each arm, also of those that were rarely shown.
    const std::vector<double> means{0.2, 0.5, 0.35};
    constexpr std::size_t steps = 3000;
    funnel::bandits::ThompsonBeta policy(means.size(), {.floor = 0.02, .seed = 9});
    funnel::Random random(4);
    std::vector<LoggedDecision> log;
    for (std::size_t step = 0; step < steps; ++step) {
        const auto propensities = policy.propensities();
        const std::size_t arm = policy.select(1)[0];
        const double reward = random.uniform() < means[arm] ? 1.0 : 0.0;
        log.push_back({.context = step, .arm = arm, .propensity = propensities[arm], .reward = reward});
        policy.update(arm, reward);
    }
    const funnel::testing::TempDir dir;
    save_decisions(dir / "log.fnl", log);
    std::vector<double> sums(means.size(), 0.0);
    std::vector<double> squares(means.size(), 0.0);
    for (const LoggedDecision& decision : load_decisions(dir / "log.fnl")) {
        const double weighted = decision.reward / decision.propensity;
        sums[decision.arm] += weighted;
        squares[decision.arm] += weighted * weighted;
    }
    for (std::size_t arm = 0; arm < means.size(); ++arm) {
        const double estimate = sums[arm] / steps;
        const double error = std::sqrt(squares[arm] / steps - estimate * estimate) / std::sqrt(double{steps});
        CHECK(std::abs(estimate - means[arm]) < 4.0 * error);
        CHECK(error < 0.1);
    }
}

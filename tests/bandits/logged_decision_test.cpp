// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/logged_decision.hpp>

#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

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

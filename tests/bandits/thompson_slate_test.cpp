// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/thompson_slate.hpp>

#include <funnel/core/error.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::thompson_slate;
using Values = std::vector<double>;

TEST_CASE("thompson_slate: exact propensities, worked by hand") {
    // Beta(1, 1) is uniform, and Beta(2, 1) has the density 2 x: P(second larger) = integral of 2 x * x dx = 2 / 3.
    const auto slate = thompson_slate(Values{1, 2}, Values{1, 1}, 5);
    CHECK(slate.arms.size() == 1);
    CHECK(slate.propensities[0] == Approx(1.0 / 3.0).epsilon(1e-8));
    CHECK(slate.propensities[1] == Approx(2.0 / 3.0).epsilon(1e-8));
    // Five equal arms, two places: 2 / 5 each.
    for (const double p : thompson_slate(Values(5, 3.0), Values(5, 7.0), 5, {.k = 2}).propensities) {
        CHECK(p == Approx(0.4).epsilon(1e-8));
    }
}

TEST_CASE("thompson_slate: arms are selected as often as their propensities say") {
    const Values alphas{3, 1, 6, 2, 1, 9};
    const Values betas{20, 4, 60, 30, 1, 100};
    constexpr std::uint64_t decisions = 20'000;
    std::vector<double> counts(alphas.size(), 0.0);
    Values p;
    for (std::uint64_t decision = 0; decision < decisions; ++decision) {
        const auto slate = thompson_slate(alphas, betas, decision, {.k = 2, .seed = 3});
        REQUIRE(slate.arms.size() == 2);
        REQUIRE(slate.arms[0] != slate.arms[1]);
        for (const std::size_t arm : slate.arms) {
            counts[arm] += 1.0;
        }
        p = slate.propensities;
    }
    CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(2.0));
    for (std::size_t arm = 0; arm < alphas.size(); ++arm) {
        const double n = static_cast<double>(decisions);
        CHECK(std::abs(counts[arm] - n * p[arm]) < 4.5 * std::sqrt(n * p[arm] * (1.0 - p[arm])));
    }
}

TEST_CASE("thompson_slate: a decision depends on its number and seed, on every backend alike") {
    const Values alphas(40, 2.0);
    const Values betas(40, 9.0);
    const auto arms = [&](std::uint64_t decision, std::uint64_t seed) {
        return thompson_slate(alphas, betas, decision, {.k = 5, .seed = seed}).arms;
    };
    CHECK(arms(7, 1) == arms(7, 1));
    CHECK(arms(7, 1) != arms(8, 1));
    CHECK(arms(7, 1) != arms(7, 2));
    CHECK(thompson_slate<funnel::kernels::Scalar>(alphas, betas, 7, {.k = 5}).arms == arms(7, 1));
}

TEST_CASE("thompson_slate: edges") {
    CHECK(thompson_slate(Values{}, Values{}, 1).arms.empty());
    const auto all = thompson_slate(Values{1, 1}, Values{1, 1}, 1, {.k = 9});
    CHECK(all.arms.size() == 2);
    CHECK(all.propensities == Values{1.0, 1.0});
    const auto none = thompson_slate(Values{1, 1}, Values{1, 1}, 1, {.k = 0});
    CHECK(none.arms.empty());
    CHECK(none.propensities == Values{0.0, 0.0});
}

TEST_CASE("thompson_slate: takes every posterior that ThompsonBeta may have") {
    const Values largest{0x1p53 + 1e9};  // 2^53 rewards and the largest prior
    const Values least{1e-6};
    CHECK(thompson_slate(largest, least, 1).arms.size() == 1);
    CHECK(thompson_slate(least, largest, 1).arms.size() == 1);
}

TEST_CASE("thompson_slate: rejects posteriors that are none") {
    CHECK_THROWS_AS((void)thompson_slate(Values{1}, Values{1, 1}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)thompson_slate(Values{0}, Values{1}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)thompson_slate(Values{1}, Values{-1}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)thompson_slate(Values{std::numeric_limits<double>::quiet_NaN()}, Values{1}, 1),
                    InvalidArgument);
}

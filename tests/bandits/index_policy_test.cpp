// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/index_policy.hpp>

#include "bandits/policy_contract.hpp"

#include <funnel/bandits/kl_ucb.hpp>
#include <funnel/bandits/ucb1.hpp>
#include <funnel/bandits/ucb_tuned.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::ArmSummary;
using funnel::bandits::KLUCB;
using funnel::bandits::KLUCBIndex;
using funnel::bandits::UCB1;
using funnel::bandits::UCB1Index;
using funnel::bandits::UCBTuned;
using funnel::bandits::UCBTunedIndex;

namespace {

double kl(double p, double q) {
    return (p > 0.0 ? p * std::log(p / q) : 0.0) + (p < 1.0 ? (1.0 - p) * std::log((1.0 - p) / (1.0 - q)) : 0.0);
}

ArmSummary arm(double mean, std::uint64_t plays) {
    return {.mean = mean, .variance = mean * (1.0 - mean), .plays = plays};
}

}  // namespace

TEST_CASE("UCB1: reference values of the index") {
    const UCB1Index index({});
    CHECK(std::abs(index(arm(0.1, 100), std::log(1000.0)) - 0.471692218885) < 1e-12);
    CHECK(std::abs(index(arm(0.0, 10), std::log(1000.0)) - 1.175394) < 1e-6);
}

TEST_CASE("KLUCB: reference values of the index") {
    CHECK(std::abs(KLUCBIndex({})(arm(0.1, 100), std::log(1000.0)) - 0.245735009899) < 1e-11);
    CHECK(std::abs(KLUCBIndex({.log_log = 3.0})(arm(0.1, 100), std::log(1000.0)) - 0.311082273419) < 1e-11);
    CHECK(std::abs(KLUCBIndex({})(arm(0.0, 10), std::log(1000.0)) - 0.498812766373) < 1e-12);
}

TEST_CASE("KLUCB: the index solves its equation, for every mean and budget") {
    const KLUCBIndex index({});
    for (const double mean : {1e-9, 1e-4, 0.03, 0.5, 0.9, 0.999, 1.0 - 1e-9}) {
        for (const std::uint64_t plays : {1U, 2U, 10U, 1000U, 1000000U}) {
            for (const double log_total : {0.1, 1.0, 10.0, 40.0}) {
                const double q = index(arm(mean, plays), log_total);
                CAPTURE(mean);
                CAPTURE(plays);
                CAPTURE(log_total);
                CHECK(q >= mean);
                CHECK(q <= 1.0);
                // The bound of UCB1 with c = 1/2 (Pinsker) is never tighter.
                CHECK(q <= mean + std::sqrt(log_total / (2.0 * static_cast<double>(plays))) + 1e-12);
                if (q < 1.0 - 1e-12) {
                    const double budget = log_total / static_cast<double>(plays);
                    CHECK(kl(mean, q) == Approx(budget).epsilon(1e-6));
                }
            }
        }
    }
    CHECK(index(arm(1.0, 10), 5.0) == 1.0);
    CHECK(index(arm(0.3, 1), 0.0) == 0.3);  // a single play so far
}

TEST_CASE("KLUCB: many arms at once give the bits of each arm alone") {
    // 0 to 40 arms, so that blocks are full, partly filled and empty. Some means are 0 or 1 and take no iteration.
    const KLUCBIndex index({.log_log = 1.0});
    funnel::Random random(4);
    for (std::size_t n = 0; n <= 40; ++n) {
        std::vector<ArmSummary> arms;
        for (std::size_t i = 0; i < n; ++i) {
            const std::uint64_t plays = 1 + random.below(i % 3 == 0 ? 3 : 100'000);
            const std::uint64_t successes = random.below(plays + 1);
            arms.push_back(arm(static_cast<double>(successes) / static_cast<double>(plays), plays));
        }
        std::vector<double> bounds(n);
        index.bounds(arms, 12.5, bounds);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(bounds[i] == index(arms[i], 12.5));
        }
    }
}

TEST_CASE("KLUCB: rounding leads no bound below the mean, or to 1 and above") {
    // Without clamps, 1 - (1 - mean) exp(-budget) is 0 for a mean of 1e-20, and Newton's method steps below 0 at 1e-16.
    const KLUCBIndex index({});
    for (const double mean : {1e-290, 1e-150, 1e-20, 1e-16, 1e-8, 0.5, 1.0 - 1e-16}) {
        for (const double log_total : {1e-300, 1e-17, 1.2e-16, 1e-8, 1.0, 40.0}) {
            for (const std::uint64_t plays : {std::uint64_t{1}, std::uint64_t{1000}, std::uint64_t{1} << 53}) {
                const double bound = index(arm(mean, plays), log_total);
                CAPTURE(mean);
                CAPTURE(log_total);
                CHECK(bound >= mean);
                CHECK(bound < 1.0);
            }
        }
    }
}

TEST_CASE("UCBTuned: worked by hand") {
    // mean 1/2, variance 1/4, log t = 2, n = 100: sqrt(2 * 0.02) = 0.2, min(1/4, 0.45) = 1/4, sqrt(0.02 / 4) = 0.0707
    const UCBTunedIndex index({});
    CHECK(index(arm(0.5, 100), 2.0) == Approx(0.5 + std::sqrt(0.005)));
    // no variance: min(1/4, 0.2) = 0.2
    CHECK(index({.mean = 1.0, .variance = 0.0, .plays = 100}, 2.0) == Approx(1.0 + std::sqrt(0.004)));
    UCBTuned policy(1);
    policy.update(0, 1.0);
    policy.update(0, 0.5);
    policy.update(0, 0.0);  // mean 1/2, variance 1/6: min(1/4, ...) = 1/4
    CHECK(policy.indexes()[0] == Approx(0.5 + std::sqrt(std::log(3.0) / 3.0 / 4.0)));
}

TEST_CASE_TEMPLATE("index policies: arms without plays come first, ties go to the smaller arm", P, UCB1, UCBTuned,
                   KLUCB) {
    P policy(4);
    CHECK(policy.select(4) == std::vector<std::size_t>{0, 1, 2, 3});
    policy.update(0, 1.0);
    CHECK(policy.select(4) == std::vector<std::size_t>{1, 2, 3, 0});
    policy.update(2, 1.0);
    policy.update(1, 1.0);
    CHECK(policy.select(4) == std::vector<std::size_t>{3, 0, 1, 2});
    policy.update(3, 0.0);
    CHECK(policy.select(4) == std::vector<std::size_t>{0, 1, 2, 3});
    CHECK(policy.propensities() == std::vector{1.0, 0.0, 0.0, 0.0});
}

TEST_CASE("index policies: regret grows as log t") {
    const std::vector<double> means{0.1, 0.3, 0.5, 0.6};
    constexpr std::size_t steps = 10000;
    UCB1 ucb1(4);
    UCBTuned tuned(4);
    KLUCB kl_ucb(4);
    const double plain = funnel::testing::regret_of(ucb1, means, steps, 1);
    const double narrow = funnel::testing::regret_of(tuned, means, steps, 1);
    const double tight = funnel::testing::regret_of(kl_ucb, means, steps, 1);
    // Theorem 1 of Auer et al.: 8 log(t) sum of 1 / gap + (1 + pi^2 / 3) sum of gaps
    CHECK(plain < 8.0 * std::log(steps) * (2.0 + 1.0 / 0.3 + 10.0) + 4.3 * 0.9);
    CHECK(plain > 50.0);  // a policy that knows nothing has 0.225 t = 2250
    CHECK(plain < 800.0);
    // Lai and Robbins: the sum of gap / kl is 16 log(t) / 3 or so; KL-UCB reaches it, UCB1 does not.
    CHECK(tight < 0.6 * plain);
    CHECK(narrow < 0.6 * plain);
}

TEST_CASE("UCB1, UCBTuned, KLUCB: keep what policies promise") {
    funnel::testing::check_policy([](std::size_t arms) { return UCB1(arms, {.exploration = 1.5}); });
    funnel::testing::check_policy([](std::size_t arms) { return UCBTuned(arms); });
    funnel::testing::check_policy([](std::size_t arms) { return KLUCB(arms, {.log_log = 3.0}); });
}

TEST_CASE("UCB1, UCBTuned, KLUCB: reject rewards outside [0, 1] and damaged options") {
    UCB1 policy(2);
    CHECK_THROWS_WITH_AS(policy.update(0, 1.5), "IndexPolicy::update: reward must lie in [0, 1], got 1.5",
                         InvalidArgument);
    CHECK_THROWS_AS(policy.update(0, -0.1), InvalidArgument);
    for (const double wrong : {-1.0, std::numeric_limits<double>::quiet_NaN()}) {
        CHECK_THROWS_AS(UCB1(2, {.exploration = wrong}), InvalidArgument);
        CHECK_THROWS_AS(UCBTuned(2, {.exploration = wrong}), InvalidArgument);
        CHECK_THROWS_AS(KLUCB(2, {.log_log = wrong}), InvalidArgument);
    }
    const funnel::testing::TempDir dir;
    const auto save_with = [&](double parameter, std::uint64_t plays, double sum, double square) {
        funnel::io::ContainerWriter file("bandits.UCB1", 1);
        const std::vector<std::uint64_t> all_plays{plays};
        const std::vector<double> sums{sum};
        const std::vector<double> squares{square};
        file.value("parameter", parameter);
        file.array("plays", all_plays);
        file.array("rewards", sums);
        file.array("squared_rewards", squares);
        file.save(dir / "a.fnl");
        return dir / "a.fnl";
    };
    CHECK(UCB1::load(save_with(2.0, 3, 2.0, 2.0)).arms() == 1);
    CHECK_THROWS_AS((void)UCB1::load(save_with(-2.0, 3, 2.0, 2.0)), funnel::CorruptData);
    CHECK_THROWS_AS((void)UCB1::load(save_with(2.0, 3, 3.5, 2.0)), funnel::CorruptData);
    CHECK_THROWS_AS((void)UCB1::load(save_with(2.0, 3, -0.5, 2.0)), funnel::CorruptData);
    CHECK_THROWS_AS((void)UCB1::load(save_with(2.0, 3, 2.0, 3.5)), funnel::CorruptData);
    CHECK_THROWS_AS((void)UCB1::load(save_with(2.0, 3, 2.0, -1.0)), funnel::CorruptData);
    CHECK_THROWS_AS((void)UCB1::load(save_with(2.0, std::uint64_t{1} << 60, 2.0, 2.0)), funnel::CorruptData);
}

// 100 clicks of 1,000 shows, 5 of 100, none of 100: log t = log 1200 = 7.0901.
// UCB1: 0.1 + sqrt(2 * 7.0901 / 1000) = 0.2191, 0.05 + sqrt(2 * 7.0901 / 100) = 0.4266, 0 + 0.3766 = 0.3766
// UCBTuned: variances 0.09, 0.0475, 0 and sqrt(2 log t / n) = 0.1191, 0.3766, 0.3766 give
//     0.1 + sqrt(0.0070901 * 0.2091) = 0.1385, 0.05 + sqrt(0.070901 / 4) = 0.1831, sqrt(0.070901 / 4) = 0.1331
// KLUCB, arm 2: 100 kl(0, q) = -100 log(1 - q) = 7.0901, so q = 1 - exp(-0.070901) = 0.0684
TEST_CASE("UCB1, UCBTuned, KLUCB: three headlines worked by hand") {
    const auto indexes = [](auto policy) {
        for (const auto& [arm, shows, clicks] : {std::array{0, 1000, 100}, {1, 100, 5}, {2, 100, 0}}) {
            for (int i = 0; i < shows; ++i) {
                policy.update(static_cast<std::size_t>(arm), i < clicks ? 1.0 : 0.0);
            }
        }
        return policy.indexes();
    };
    const auto check = [](const std::vector<double>& found, const std::vector<double>& expected) {
        for (std::size_t arm = 0; arm < 3; ++arm) {
            CHECK(std::abs(found[arm] - expected[arm]) < 5e-5);
        }
    };
    check(indexes(UCB1(3)), {0.2191, 0.4266, 0.3766});
    check(indexes(UCBTuned(3)), {0.1385, 0.1831, 0.1331});
    check(indexes(KLUCB(3)), {0.1395, 0.1744, 0.0684});
}

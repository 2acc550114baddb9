// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/square_cb.hpp>

#include "bandits/forged_values.hpp"
#include "bandits/linear_world.hpp"
#include "support/backends.hpp"
#include "support/saved_contract.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::bandits::inverse_gap_weights;
using funnel::bandits::SquareCB;
using namespace funnel::testing;

namespace {

void check_distribution(const std::vector<double>& estimates, double gamma) {
    const auto p = inverse_gap_weights(estimates, gamma);
    REQUIRE(p.size() == estimates.size());
    REQUIRE(std::accumulate(p.begin(), p.end(), 0.0) == doctest::Approx(1.0).epsilon(1e-12));
    for (const double weight : p) {
        REQUIRE(weight >= 0.0);
        REQUIRE(weight <= 1.0);
    }
    const auto best = std::max_element(estimates.begin(), estimates.end()) - estimates.begin();
    REQUIRE(p[static_cast<std::size_t>(best)] >= 1.0 / static_cast<double>(p.size()) - 1e-12);
    for (std::size_t i = 0; i < p.size(); ++i) {
        for (std::size_t j = 0; j < p.size(); ++j) {
            REQUIRE((estimates[i] <= estimates[j] || p[i] >= p[j] - 1e-12));  // a better arm is not less likely
        }
    }
}

SquareCB learned(std::size_t arms, std::size_t dimension, std::uint64_t seed = 1) {
    SquareCB policy(arms, dimension, {.gamma_scale = 2.0, .seed = seed});
    const LinearWorld world(arms, dimension, 4);
    for (std::size_t step = 0; step < 40; ++step) {
        const auto x = world.context(step);
        policy.update(step % arms, x, world.reward(step % arms, x, step));
    }
    return policy;
}

std::vector<double> answers_of(const SquareCB& policy) {
    const std::vector<float> context(policy.dimension(), 0.5F);
    std::vector<double> all;
    try {
        all = policy.propensities(context);
        auto more = policy;
        for (int i = 0; i < 8; ++i) {
            all.push_back(static_cast<double>(more.select(context)));
        }
    } catch (const InvalidArgument&) {  // a forged file whose estimates overflow
    }
    all.push_back(policy.gamma());
    all.push_back(policy.options().lambda);
    return all;
}

}  // namespace

// K = 3, gamma = 4: 1 / (3 + 4 * 0.5) = 0.2 and 1 / (3 + 4 * 1.75) = 0.1; the best takes 0.7.
TEST_CASE("inverse_gap_weights: worked by hand") {
    const auto p = inverse_gap_weights(std::vector{0.5, 1.0, -0.75}, 4.0);
    CHECK(p[0] == doctest::Approx(0.2));
    CHECK(p[1] == doctest::Approx(0.7));
    CHECK(p[2] == doctest::Approx(0.1));
}

// In one implementation, the number of arms that survive an elimination counts only those that improved on the best so
// far. The weights of a list that starts with its best arm then exceed 1, and the best arm is left with less than 0.
TEST_CASE("inverse_gap_weights: no probability above 1 or below 0, in whatever order the estimates come") {
    for (const double gamma : {0.0, 1e-6, 1.0, 50.0, 1e12}) {
        check_distribution({1.0, 0.9, 0.8, 0.7, 0.6}, gamma);
        check_distribution({0.6, 0.7, 0.8, 0.9, 1.0}, gamma);
        check_distribution({1.0, 1.0, 1.0, 1.0, 1.0}, gamma);
        check_distribution({-1e308, 1e308, 0.0}, gamma);
        check_distribution({5.0}, gamma);
        Random random(9);
        for (int trial = 0; trial < 200; ++trial) {
            std::vector<double> estimates(1 + random.below(20));
            for (double& estimate : estimates) {
                estimate = random.below(4) == 0 ? 0.5 : random.normal();
            }
            check_distribution(estimates, gamma);
        }
    }
}

TEST_CASE("inverse_gap_weights: without gamma all are equal, ties leave the rest to the smaller position") {
    CHECK(inverse_gap_weights(std::vector{3.0, 1.0}, 0.0) == std::vector{0.5, 0.5});
    const auto p = inverse_gap_weights(std::vector{0.0, 1.0, 1.0}, 3.0);
    CHECK(p[2] == doctest::Approx(1.0 / 3.0));
    CHECK(p[0] == doctest::Approx(1.0 / 6.0));
    CHECK(p[1] == doctest::Approx(0.5));
}

TEST_CASE("inverse_gap_weights: errors say what must hold") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS((void)inverse_gap_weights({}, 1.0), InvalidArgument);
    CHECK_THROWS_AS((void)inverse_gap_weights(std::vector{1.0, nan}, 1.0), InvalidArgument);
    CHECK_THROWS_AS((void)inverse_gap_weights(std::vector{std::numeric_limits<double>::infinity()}, 1.0),
                    InvalidArgument);
    CHECK_THROWS_AS((void)inverse_gap_weights(std::vector{1.0}, -1.0), InvalidArgument);
    CHECK_THROWS_AS((void)inverse_gap_weights(std::vector{1.0}, nan), InvalidArgument);
}

// lambda = 1, context 1: arm 0 with reward 1 has theta 1/2, arm 1 has 0; gamma = 2 sqrt(2).
TEST_CASE("SquareCB: worked by hand") {
    SquareCB policy(2, 1, {.gamma_scale = 2.0});
    CHECK(policy.gamma() == doctest::Approx(2.0));
    policy.update(0, std::vector{1.0F}, 1.0F);
    CHECK(policy.gamma() == doctest::Approx(2.0 * std::sqrt(2.0)));
    const auto p = policy.propensities(std::vector{1.0F});
    CHECK(p[1] == doctest::Approx(1.0 / (2.0 + std::sqrt(2.0))));
    CHECK(p[0] == doctest::Approx(1.0 - p[1]));
}

TEST_CASE("SquareCB: choices come with the propensities") {
    constexpr std::size_t n = 100'000;
    SquareCB policy = learned(6, 3);
    const std::vector<float> x{0.3F, -0.2F, 0.5F};
    const auto p = policy.propensities(x);
    std::vector<double> counts(6, 0.0);
    for (std::size_t i = 0; i < n; ++i) {
        counts[policy.select(x)] += 1.0;
    }
    double chi_square = 0.0;
    for (std::size_t i = 0; i < 6; ++i) {
        chi_square += (counts[i] - n * p[i]) * (counts[i] - n * p[i]) / (n * p[i]);
    }
    CHECK(chi_square < 5.0 + 4.0 * std::sqrt(10.0));
}

TEST_CASE("SquareCB: finds the best arms of a simulated world") {
    const LinearWorld world(6, 5, 2);
    SquareCB policy(6, 5, {.gamma_scale = 20.0});
    CHECK(share_of_best(policy, world, 4000) > 0.85);
}

TEST_CASE("SquareCB: the same choices for the same seed, others for another one; one row of features per arm") {
    SquareCB a = learned(6, 3);
    SquareCB b = learned(6, 3);
    SquareCB c = learned(6, 3, 2);
    const std::vector<float> x{0.3F, -0.2F, 0.5F};
    Matrix<float> rows(6, 3);
    for (std::size_t arm = 0; arm < 6; ++arm) {
        std::copy(x.begin(), x.end(), rows.row(arm).begin());
    }
    CHECK(a.propensities(x) == a.propensities(rows));
    int differing = 0;
    for (int i = 0; i < 100; ++i) {
        const std::size_t choice = a.select(x);
        CHECK(choice == b.select(rows));
        differing += choice != c.select(x) ? 1 : 0;
    }
    CHECK(differing > 0);
}

TEST_CASE("SquareCB: one arm; new arms; errors say what must hold") {
    SquareCB policy(1, 1);
    CHECK(policy.select(std::vector{1.0F}) == 0);
    CHECK(policy.propensities(std::vector{1.0F}) == std::vector{1.0});
    policy.add_arms(1);
    CHECK(policy.propensities(std::vector{1.0F}) == std::vector{0.5, 0.5});
    CHECK_THROWS_AS(SquareCB(0, 1), InvalidArgument);
    CHECK_THROWS_AS(SquareCB(1, 0), InvalidArgument);
    CHECK_THROWS_AS(SquareCB(1, 1, {.gamma_scale = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(SquareCB(1, 1, {.gamma_exponent = 1.5}), InvalidArgument);
    CHECK_THROWS_AS(policy.update(2, std::vector{1.0F}, 1.0F), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(std::vector{1.0F, 2.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)policy.select(std::vector{std::numeric_limits<float>::quiet_NaN()}), InvalidArgument);
    CHECK(policy.gamma() == doctest::Approx(10.0));  // a rejected update does not count
}

TEST_CASE("SquareCB: saved and loaded, damaged files are rejected") {
    SquareCB policy = learned(3, 4);
    (void)policy.select(std::vector<float>(4, 1.0F));
    check_saved(policy, learned(2, 3, 5), answers_of, answers_of);
}

TEST_CASE("SquareCB: damage that only a check of the values finds") {
    const ForgedValues<SquareCB> forged(learned(2, 3));
    CHECK_FALSE(forged.are_rejected("gamma_scale", 0, 3.0));
    CHECK(forged.are_rejected("gamma_scale", 0, -3.0));
    CHECK(forged.are_rejected("gamma_scale", 0, 1e10));
    CHECK(forged.are_rejected("gamma_exponent", 0, 1.5));
    CHECK(forged.are_rejected("gamma_exponent", 0, std::numeric_limits<double>::quiet_NaN()));
}

TEST_CASE_TEMPLATE_DEFINE("SquareCB: backends choose the same arms", Backend, square_cb_choices) {
    const LinearWorld world(10, 12, 9);
    funnel::bandits::BasicSquareCB<funnel::kernels::Scalar> scalar(10, 12);
    funnel::bandits::BasicSquareCB<Backend> other(10, 12);
    CHECK(differing_choices(scalar, other, world, 3000) <= 1);
}
TEST_CASE_TEMPLATE_APPLY(square_cb_choices, HostBackends);

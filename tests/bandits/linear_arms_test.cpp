// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/linear_arms.hpp>

#include "support/backends.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/linalg/cholesky_update.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <vector>

using funnel::Random;
using funnel::bandits::detail::LinearArms;

namespace {

std::vector<float> normals_of(Random& random, std::size_t n) {
    std::vector<float> x(n);
    for (float& element : x) {
        element = static_cast<float>(random.normal());
    }
    return x;
}

// A = R^T R from the factors.
std::vector<double> matrix_of(const LinearArms& arms) {
    const std::size_t d = arms.dimension();
    std::vector<double> a(d * d, 0.0);
    for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j < d; ++j) {
            for (std::size_t k = 0; k <= std::min(i, j); ++k) {
                a[i * d + j] += arms.factor(0).factor(k, i) * arms.factor(0).factor(k, j);
            }
        }
    }
    return a;
}

}  // namespace

TEST_CASE("LinearArms: forgetting is a weighted sum, and its ridge stays between lambda / 2 and lambda") {
    for (const std::size_t d : {1U, 2U, 5U, 17U}) {
        for (const double gamma : {0.4, 0.9, 0.99, 0.9999}) {
            CAPTURE(d);
            CAPTURE(gamma);
            constexpr double lambda = 2.0;
            LinearArms arms(1, d, lambda, gamma);
            Random random(d);
            std::vector<double> sum(d * d, 0.0);
            std::vector<double> b(d, 0.0);
            for (int n = 1; n <= 100; ++n) {
                const auto x = normals_of(random, d);
                const auto reward = static_cast<float>(random.normal());
                arms.update(0, x, reward);
                for (std::size_t i = 0; i < d; ++i) {
                    for (std::size_t j = 0; j < d; ++j) {
                        double& element = sum[i * d + j];
                        element = gamma * element + static_cast<double>(x[i]) * static_cast<double>(x[j]);
                    }
                    b[i] = gamma * b[i] + static_cast<double>(reward) * static_cast<double>(x[i]);
                }
                const auto found = matrix_of(arms);
                bool one_is_lambda = false;
                for (std::size_t i = 0; i < d; ++i) {
                    for (std::size_t j = 0; j < d; ++j) {
                        const double rest = found[i * d + j] - sum[i * d + j];
                        if (i != j) {
                            REQUIRE(std::abs(rest) < 1e-3);
                        } else {
                            REQUIRE(rest < lambda + 1e-3);
                            REQUIRE(rest > lambda * std::min(0.45, gamma) - 1e-3);
                            one_is_lambda = one_is_lambda || std::abs(rest - lambda) < 1e-3;
                        }
                    }
                }
                REQUIRE(one_is_lambda);
                // A theta = b
                const auto theta = arms.factor(0).solution();
                for (std::size_t i = 0; i < d; ++i) {
                    double product = 0.0;
                    for (std::size_t j = 0; j < d; ++j) {
                        product += found[i * d + j] * static_cast<double>(theta[j]);
                    }
                    REQUIRE(std::abs(product - b[i]) < 1e-3);
                }
            }
        }
    }
}

TEST_CASE("LinearArms: with forgetting, a direction that no longer comes up keeps a bounded width") {
    LinearArms arms(1, 3, 0.5, 0.9);
    for (int step = 0; step < 20'000; ++step) {
        arms.update(0, std::vector{1.0F, 0.0F, 0.0F}, 1.0F);
    }
    const auto never = arms.estimates(std::vector{0.0F, 0.0F, 1.0F})[0];
    CHECK(never.width >= 1.0 / std::sqrt(0.5) - 1e-3);
    CHECK(never.width < 1.0 / std::sqrt(0.5 * 0.45));
    CHECK(std::abs(never.mean) < 1e-6);
    // 1 / (1 - 0.9) = 10 observations of reward 1, and the ridge between 0.25 and 0.5
    CHECK(arms.estimates(std::vector{1.0F, 0.0F, 0.0F})[0].mean == doctest::Approx(10.0 / 10.4).epsilon(0.02));
}

TEST_CASE("LinearArms: with forgetting, the estimates follow a world that changes") {
    LinearArms forgets(1, 4, 1.0, 0.98);
    LinearArms remembers(1, 4, 1.0, 1.0);
    Random random(5);
    for (int step = 0; step < 2000; ++step) {
        const auto x = normals_of(random, 4);
        const float reward = step < 1000 ? x[0] : x[1];
        forgets.update(0, x, reward);
        remembers.update(0, x, reward);
    }
    CHECK(std::abs(forgets.factor(0).solution()[1] - 1.0F) < 0.05F);
    CHECK(std::abs(forgets.factor(0).solution()[0]) < 0.05F);
    CHECK(remembers.factor(0).solution()[0] > 0.4F);
}

TEST_CASE("LinearArms: the largest numbers leave a model that is finite") {
    for (const double gamma : {1.0, 0.5}) {
        LinearArms arms(1, 6, 1e-9, gamma);
        Random random(3);
        for (int step = 0; step < 2000; ++step) {
            auto x = normals_of(random, 6);
            for (float& element : x) {
                element = std::clamp(element * (random.below(2) == 0 ? 1e9F : 1e-9F), -1e9F, 1e9F);
            }
            arms.update(0, x, random.below(2) == 0 ? 1e9F : -1e9F);
            const auto found = arms.estimates(x)[0];
            REQUIRE(std::isfinite(found.mean));
            REQUIRE(std::isfinite(found.width));
            REQUIRE(found.width >= 0.0);
        }
    }
}

// The models that LinearArms keeps, on two backends. Both learn from the same 10,000 decisions of LinUCB, alpha = 1.
TEST_CASE_TEMPLATE_DEFINE("linear bandits: backends choose the same arms, but for near-ties", Backend, linear_choices) {
    using funnel::linalg::CholeskyFactor;
    constexpr std::size_t arms = 10;
    constexpr std::size_t d = 19;
    std::vector<CholeskyFactor<float, funnel::kernels::Scalar>> scalar(arms, {d, 1.0});
    std::vector<CholeskyFactor<float, Backend>> other(arms, {d, 1.0});
    Random random(6);
    std::vector<std::vector<float>> truth;
    for (std::size_t arm = 0; arm < arms; ++arm) {
        truth.push_back(normals_of(random, d));
    }
    double largest_error = 0.0;
    std::size_t differing = 0;
    for (int decision = 0; decision < 10'000; ++decision) {
        const std::vector<float> x = normals_of(random, d);
        std::vector<double> bounds;
        std::vector<double> other_bounds;
        for (std::size_t arm = 0; arm < arms; ++arm) {
            const auto expected = scalar[arm].estimate(x);
            const auto found = other[arm].estimate(x);
            bounds.push_back(expected.mean + std::sqrt(expected.quadratic_form));
            other_bounds.push_back(found.mean + std::sqrt(found.quadratic_form));
            largest_error = std::max(largest_error, std::abs(bounds[arm] - other_bounds[arm]));
        }
        const std::size_t chosen = funnel::bandits::detail::position_of_best(bounds);
        const std::size_t other_chosen = funnel::bandits::detail::position_of_best(other_bounds);
        if (other_chosen != chosen) {
            ++differing;
            CHECK(bounds[chosen] - bounds[other_chosen] < 1e-4);
        }
        const auto reward = static_cast<float>(std::inner_product(x.begin(), x.end(), truth[chosen].begin(), 0.0) +
                                               0.1 * random.normal());
        scalar[chosen].update(x, reward);
        other[chosen].update(x, reward);
    }
    CAPTURE(largest_error);
    CHECK(largest_error < 5e-5);  // of bounds of about 10: rounding errors of float
    CHECK(differing <= 2);
}
TEST_CASE_TEMPLATE_APPLY(linear_choices, funnel::testing::HostBackends);

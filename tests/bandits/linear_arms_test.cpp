// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/linear_arms.hpp>

#include "support/backends.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
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
std::vector<double> matrix_of(const LinearArms<>& arms) {
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
            LinearArms<> arms(1, d, lambda, gamma);
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
    LinearArms<> arms(1, 3, 0.5, 0.9);
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
    LinearArms<> forgets(1, 4, 1.0, 0.98);
    LinearArms<> remembers(1, 4, 1.0, 1.0);
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
        LinearArms<> arms(1, 6, 1e-9, gamma);
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

// Backends differ by the rounding of float, u = 2^-24. With a column for b and an element for the rewards, A is the sum
// of D_k U_k U_k^T over its rows, so these have the traces of A. An update takes d steps. Step k leaves x with an error
// of at most 3 u |x|, which changes A by at most 6 u trace(A), and row k with one of 3 u, which together change A by 6 u
// trace(A). So n updates and the solution of an estimate are those of A + E with
//
//     |E| <= e = 6 (d + 1) (n + 1) u trace(A)
//
// To first order, x^T A^-1 x then has an error of at most |A^-1| e times itself, and x^T theta of |x| |A^-1| e (1 +
// |theta|), where |A^-1| <= 1 / lambda.
TEST_CASE_TEMPLATE_DEFINE("LinearArms: backends agree up to the rounding of float", Backend, linear_arms_rounding) {
    using funnel::kernels::Scalar;
    constexpr double lambda = 1.0;
    const auto norm = [](const std::vector<float>& x) {
        return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0));
    };
    for (std::uint64_t instance = 0; instance < 300; ++instance) {
        Random random(8, instance);
        const std::size_t d = 1 + random.below(40);
        const std::size_t updates = random.below(60);
        LinearArms<Scalar> scalar(1, d, lambda, 1.0);
        LinearArms<Backend> other(1, d, lambda, 1.0);
        double trace = lambda * static_cast<double>(d);
        for (std::size_t n = 0; n < updates; ++n) {
            const std::vector<float> x = normals_of(random, d);
            const auto reward = static_cast<float>(random.normal());
            scalar.update(0, x, reward);
            other.update(0, x, reward);
            trace += norm(x) * norm(x) + static_cast<double>(reward * reward);
        }
        const double e = 6.0 * static_cast<double>((d + 1) * (updates + 1)) * 0x1p-24 * trace;
        const double theta = norm(scalar.factor(0).solution());
        for (int question = 0; question < 10; ++question) {
            const std::vector<float> x = normals_of(random, d);
            const auto expected = scalar.estimates(x)[0];
            const auto found = other.estimates(x)[0];
            const double form = expected.width * expected.width;
            CHECK(std::abs(found.mean - expected.mean) <= 2.0 * norm(x) / lambda * e * (1.0 + theta));
            CHECK(std::abs(found.width * found.width - form) <= 2.0 * form / lambda * e);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(linear_arms_rounding, funnel::testing::HostBackends);

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/propensities.hpp>

#include "bandits/beta_reference.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::bandits::beta_top_k_probabilities;
using funnel::bandits::normal_top_k_probabilities;

namespace {

double sum_of(const std::vector<double>& x) {
    return std::accumulate(x.begin(), x.end(), 0.0);
}

double log_beta_density(double a, double b, double t) {
    return std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * t -
           (a + b) * (std::max(t, 0.0) + std::log1p(std::exp(-std::abs(t))));
}

// The definition, in log-odds: the trapezoidal rule on a fine grid, and for each arm the probabilities that u of the
// others exceed, one arm after the other.
std::vector<double> by_definition(const std::vector<double>& a, const std::vector<double>& b, std::size_t k, double low,
                                  double high, std::size_t steps) {
    const std::size_t n = a.size();
    const double step = (high - low) / static_cast<double>(steps);
    std::vector<double> result(n, 0.0);
    for (std::size_t s = 0; s <= steps; ++s) {
        const double t = low + step * static_cast<double>(s);
        std::vector<double> exceeds(n);
        for (std::size_t i = 0; i < n; ++i) {
            exceeds[i] = funnel::testing::beta_cdf_of_logit(b[i], a[i], -t);
        }
        for (std::size_t i = 0; i < n; ++i) {
            std::vector<double> counts(k, 0.0);  // up to k - 1 exceed
            counts[0] = 1.0;
            for (std::size_t j = 0; j < n; ++j) {
                for (std::size_t u = k; j != i && u-- > 0;) {
                    counts[u] = counts[u] * (1.0 - exceeds[j]) + (u > 0 ? counts[u - 1] * exceeds[j] : 0.0);
                }
            }
            const double few = sum_of(counts);
            result[i] += step * std::exp(log_beta_density(a[i], b[i], t)) * few;
        }
    }
    return result;
}

}  // namespace

TEST_CASE("beta_top_k_probabilities: worked by hand") {
    // Beta(1, 1) against Beta(2, 1): P(X < Y) = E[Y] = 2/3. Three alike: 1/3 each.
    const auto two = beta_top_k_probabilities(std::vector{1.0, 2.0}, std::vector{1.0, 1.0}, 1);
    CHECK(two[0] == Approx(1.0 / 3.0).epsilon(1e-12));
    CHECK(two[1] == Approx(2.0 / 3.0).epsilon(1e-12));
    for (const double p : beta_top_k_probabilities(std::vector(3, 0.05), std::vector(3, 7.0), 1)) {
        CHECK(p == Approx(1.0 / 3.0).epsilon(1e-12));
    }
    // Two of three: the third loses with the probability that it is the smallest.
    const auto pair = beta_top_k_probabilities(std::vector{1.0, 1.0, 2.0}, std::vector{1.0, 1.0, 1.0}, 2);
    // P(Z smallest) = integral of 2 z (1 - z)^2 = 2 (1/2 - 2/3 + 1/4) = 1/6.
    CHECK(pair[2] == Approx(5.0 / 6.0).epsilon(1e-12));
    CHECK(pair[0] == Approx(7.0 / 12.0).epsilon(1e-12));
    // Normals: the difference has mean 1 and variance 1 + 4.
    const auto normal = normal_top_k_probabilities(std::vector{0.0, 1.0}, std::vector{1.0, 2.0}, 1);
    CHECK(normal[1] == Approx(0.5 * std::erfc(-1.0 / std::sqrt(10.0))).epsilon(1e-12));
}

TEST_CASE("beta_top_k_probabilities: a reference value of three click rates") {
    const auto p = beta_top_k_probabilities(std::vector{3.0, 5.0, 4.0}, std::vector{97.0, 95.0, 96.0}, 1);
    CHECK(std::abs(p[0] - 0.1410295228) < 1e-10);
    CHECK(std::abs(p[1] - 0.5540808950) < 1e-10);
    CHECK(std::abs(p[2] - 0.3048895823) < 1e-10);
}

TEST_CASE("beta_top_k_probabilities: the definition, for posteriors of all widths") {
    Random random(5);
    for (int repeat = 0; repeat < 6; ++repeat) {
        std::vector<double> a(5);
        std::vector<double> b(5);
        for (std::size_t i = 0; i < a.size(); ++i) {
            a[i] = std::exp(random.uniform() * 8.0 - 1.0);
            b[i] = std::exp(random.uniform() * 8.0 - 1.0);
        }
        for (const std::size_t k : {1U, 2U, 4U}) {
            const auto expected = by_definition(a, b, k, -100.0, 100.0, 40000);
            const auto p = beta_top_k_probabilities(a, b, k);
            CHECK(sum_of(p) == Approx(static_cast<double>(k)).epsilon(1e-12));
            for (std::size_t i = 0; i < a.size(); ++i) {
                CHECK(std::abs(p[i] - expected[i]) < 1e-8);
            }
        }
    }
}

TEST_CASE("beta_top_k_probabilities: 80 arms, to 1e-8") {
    Random random(6);
    std::vector<double> a(80);
    std::vector<double> b(80);
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = 1.0 + static_cast<double>(random.below(60));
        b[i] = 1.0 + static_cast<double>(random.below(2000));
    }
    const auto expected = by_definition(a, b, 1, -12.0, 30.0, 4000);
    const auto p = beta_top_k_probabilities(a, b, 1);
    for (std::size_t i = 0; i < a.size(); ++i) {
        CHECK(std::abs(p[i] - expected[i]) < 1e-8);
        CHECK(p[i] >= 0.0);
    }
}

TEST_CASE("beta_top_k_probabilities: a very narrow posterior among wide ones") {
    // Beta(1e5, 2e6) is nearly the number 1 / 21: P(Beta(1, 1) exceeds it) = 1 - E = 20 / 21, exactly E[1 - X].
    const auto p = beta_top_k_probabilities(std::vector{1.0, 1e5}, std::vector{1.0, 2e6}, 1);
    CHECK(std::abs(p[0] - 20.0 / 21.0) < 1e-10);
    const auto huge = beta_top_k_probabilities(std::vector{1.0, 1e8}, std::vector{1.0, 3e8}, 1);
    CHECK(std::abs(huge[0] - 0.75) < 1e-8);
    const auto close = beta_top_k_probabilities(std::vector{1e8, 1e8 + 1e4}, std::vector{1e8, 1e8 - 1e4}, 1);
    // The difference is 5e-5, its deviation sqrt(2) / sqrt(4 * 2e8) = 5e-5.
    CHECK(std::abs(close[1] - 0.5 * std::erfc(-1.0 / std::sqrt(2.0))) < 1e-5);
}

TEST_CASE("top_k_probabilities: edges") {
    const std::vector<double> one{3.0};
    CHECK(beta_top_k_probabilities(one, one, 1) == std::vector<double>{1.0});
    CHECK(beta_top_k_probabilities(one, one, 0) == std::vector<double>{0.0});
    CHECK(beta_top_k_probabilities(std::vector<double>(), std::vector<double>(), 1).empty());
    CHECK(normal_top_k_probabilities(std::vector{0.0, 9.0}, std::vector{1.0, 1.0}, 2) == std::vector{1.0, 1.0});
    const auto far = normal_top_k_probabilities(std::vector{0.0, 1e9}, std::vector{1.0, 1.0}, 1);
    CHECK(far == std::vector{0.0, 1.0});
    const auto tiny = normal_top_k_probabilities(std::vector{1e6, 1e6}, std::vector{1e-6, 1e-6}, 1);
    CHECK(tiny[0] == Approx(0.5));
}

TEST_CASE("top_k_probabilities: reject NaN, shapes that differ and other than positive numbers") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    for (const double wrong : {nan, 0.0, -1.0, std::numeric_limits<double>::infinity()}) {
        CHECK_THROWS_AS((void)beta_top_k_probabilities(std::vector{1.0, wrong}, std::vector{1.0, 1.0}, 1),
                        InvalidArgument);
        CHECK_THROWS_AS((void)beta_top_k_probabilities(std::vector{1.0, 1.0}, std::vector{1.0, wrong}, 1),
                        InvalidArgument);
        CHECK_THROWS_AS((void)normal_top_k_probabilities(std::vector{1.0, 1.0}, std::vector{1.0, wrong}, 1),
                        InvalidArgument);
    }
    CHECK_THROWS_AS((void)normal_top_k_probabilities(std::vector{nan}, std::vector{1.0}, 1), InvalidArgument);
    CHECK_THROWS_AS((void)beta_top_k_probabilities(std::vector{1.0}, std::vector{1.0, 2.0}, 1), InvalidArgument);
}

TEST_CASE("beta_top_k_probabilities: shapes near 0 keep their mass, which lies at log-odds of thousands") {
    // By symmetry, an arm without knowledge beats one with 500 of 1000 with probability 1/2.
    for (const double q : {0.05, 0.02, 0.01, 0.005, 1e-3, 1e-4, 1e-5, 1e-6}) {
        CAPTURE(q);
        const std::vector<double> a{q, q + 500.0};
        CHECK(funnel::bandits::beta_top_k_probabilities(a, a, 1)[0] == Approx(0.5).epsilon(1e-8));
        const std::vector<double> b{q * 1.0000001, q + 500.0};
        CHECK(funnel::bandits::beta_top_k_probabilities(a, b, 1)[0] == Approx(0.5).epsilon(1e-6));
        const std::vector<double> new_arms(3, q);
        CHECK(funnel::bandits::beta_top_k_probabilities(new_arms, new_arms, 1)[0] == Approx(1.0 / 3.0).epsilon(1e-7));
    }
}

TEST_CASE(
    "beta_top_k_probabilities: takes the posterior of a policy with as many rewards as it can have, and its prior") {
    const std::vector<double> shapes(2, 0x1p53 + 1e9);
    CHECK(funnel::bandits::beta_top_k_probabilities(shapes, shapes, 1)[0] == Approx(0.5).epsilon(1e-6));
}

TEST_CASE("propensities: tiny shapes beside large ones have the probabilities of their mirror") {
    // The log density of Beta(5e5, 4e-6) reaches to log-odds of 10^7, where a t and (a + b) log(1 + exp(t)) cancel.
    const std::vector<double> a{5.158e5, 9e5, 1.2e8, 200.0};
    const std::vector<double> b{3.798e-6, 1e-6, 1.8e-3, 3e5};
    const std::size_t n = a.size();
    for (std::size_t k = 1; k < n; ++k) {
        const auto largest = funnel::bandits::beta_top_k_probabilities(a, b, k);
        const auto smallest = funnel::bandits::beta_top_k_probabilities(b, a, n - k);
        for (std::size_t i = 0; i < n; ++i) {
            CAPTURE(k);
            CAPTURE(i);
            CHECK(std::abs(largest[i] - (1.0 - smallest[i])) < 2e-8);  // 1e-8 for each side
        }
    }
}

TEST_CASE("propensities: a tiny shape beside a huge one is resolved where its density bends") {
    // For a huge b, Beta(a, b) is Gamma(a) / b. Then the first draw is the larger one with the probability that
    // Y / (X + Y) < b2 / (b1 + b2) for X ~ Gamma(a1) and Y ~ Gamma(a2), and that ratio is Beta(a2, a1).
    const auto check = [](double a1, double b1, double a2, double b2) {
        CAPTURE(a1);
        CAPTURE(b1);
        CAPTURE(a2);
        CAPTURE(b2);
        const double expected = funnel::testing::beta_cdf_of_logit(a2, a1, std::log(b2 / b1));
        const std::vector<double> a{a1, a2};
        const std::vector<double> b{b1, b2};
        CHECK(std::abs(beta_top_k_probabilities(a, b, 1)[0] - expected) < 1e-8);
        CHECK(std::abs(beta_top_k_probabilities(b, a, 1)[1] - expected) < 1e-8);  // the mirror: 1 - x
    };
    check(2.0e-4, 9.0e14, 1.1e-4, 3.0e15);
    check(1e-6, 0x1p54, 1e-6, 1e12);
    check(1e-6, 1e12, 0.999, 0x1p54);
    Random random(7);
    for (int repeat = 0; repeat < 200; ++repeat) {
        const double scale = std::exp(random.uniform() * 14.0 - 13.8);   // from 1e-6 to 1
        const double trials = std::exp(random.uniform() * 10.5 + 24.0);  // from 3e10 to 1e15
        const auto near = [&] { return std::exp(random.uniform() * 2.0); };
        check(scale * near(), trials * near(), scale * near(), trials * near());
    }
}

TEST_CASE("propensities: random shapes from 1e-6 to 2^54 have the probabilities of their mirror") {
    Random random(8);
    for (int repeat = 0; repeat < 60; ++repeat) {
        const std::size_t n = 2 + random.below(6);
        std::vector<double> a(n);
        std::vector<double> b(n);
        for (std::size_t i = 0; i < n; ++i) {
            a[i] = 1e-6 * std::exp(random.uniform() * std::log(1e6 * 0x1p54));
            b[i] = 1e-6 * std::exp(random.uniform() * std::log(1e6 * 0x1p54));
        }
        const std::size_t k = 1 + random.below(n - 1);
        const auto largest = beta_top_k_probabilities(a, b, k);
        const auto smallest = beta_top_k_probabilities(b, a, n - k);
        for (std::size_t i = 0; i < n; ++i) {
            CAPTURE(repeat);
            CHECK(std::abs(largest[i] - (1.0 - smallest[i])) < 2e-8);  // 1e-8 for each side
        }
    }
}

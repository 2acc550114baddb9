// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/chebyshev.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include "rerank/objectives.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::chebyshev;
using funnel::rerank::ChebyshevOptions;
using namespace funnel::testing;

using Weights = std::vector<double>;

TEST_CASE("chebyshev: worked by hand") {
    // The ideal is (1, 1), both ranges are 1. With equal weights of 0.5 and rho = 0.1:
    //   (1, 0):      max(0, 0.5) + 0.1 * 1            = 0.6
    //   (0, 1):      the same
    //   (0.4, 0.4):  max(0.3, 0.3) + 0.1 * (0.6 + 0.6) = 0.42, the best
    const auto f = matrix_of({{1, 0}, {0, 1}, {0.4F, 0.4F}});
    const auto scores = chebyshev(f, Weights{0.5, 0.5}, {.augmentation = 0.1});
    CHECK(scores[0] == Approx(-0.6));
    CHECK(scores[1] == Approx(-0.6));
    CHECK(scores[2] == Approx(-0.42));
    CHECK(best_of(scores) == 2);
}

TEST_CASE("chebyshev: values are scaled by the candidates, or by the options") {
    // Prices from 100 to 300 and shares from 0 to 0.5 give the scores of the test above.
    const auto f = matrix_of({{300, 0}, {100, 0.5F}, {180, 0.2F}});
    CHECK(chebyshev(f, Weights{0.5, 0.5}, {.augmentation = 0.1})[2] == Approx(-0.42));
    // Ideal 400 and 1, extents 200 and 1: the second has d = (1.5, 0.5), so -(0.75 + 0.1 * 2).
    const ChebyshevOptions fixed{
        .augmentation = 0.1, .ideal = std::vector{400.0F, 1.0F}, .extent = std::vector{200.0F, 1.0F}};
    CHECK(chebyshev(f, Weights{0.5, 0.5}, fixed)[1] == Approx(-0.95));
    // Above its ideal, a candidate has a negative distance: -(max(-0.5, 0.5) + 0 * ...).
    CHECK(chebyshev(matrix_of({{2, 1}}), Weights{0.5, 0.5},
                    {.augmentation = 0.0, .ideal = std::vector{1.0F, 1.0F}})[0] == 0.0F);
    CHECK(chebyshev(matrix_of({{2, 3}}), Weights{0.5, 0.5},
                    {.augmentation = 0.0, .ideal = std::vector{1.0F, 1.0F}})[0] == 0.5F);
}

TEST_CASE("chebyshev: is the formula") {
    Random random(2);
    for (int round = 0; round < 200; ++round) {
        const auto f = random_objectives(random, 1 + random.below(10), 1 + random.below(4), 8);
        Weights weights(f.cols());
        for (double& weight : weights) {
            weight = 0.25 + random.uniform();
        }
        const auto scores = chebyshev(f, weights, {.augmentation = 0.02});
        for (std::size_t i = 0; i < f.rows(); ++i) {
            double worst = 0.0;
            double sum = 0.0;
            for (std::size_t j = 0; j < f.cols(); ++j) {
                float low = f(0, j);
                float high = f(0, j);
                for (std::size_t other = 0; other < f.rows(); ++other) {
                    low = std::min(low, f(other, j));
                    high = std::max(high, f(other, j));
                }
                const double distance = high == low ? 0.0 : static_cast<double>((high - f(i, j)) / (high - low));
                worst = std::max(worst, weights[j] * distance);
                sum += distance;
            }
            REQUIRE(scores[i] == Approx(-(worst + 0.02 * sum)).epsilon(1e-5));
        }
    }
}

TEST_CASE("chebyshev: the best candidate is Pareto-optimal, even where a weight is 0") {
    Random random(3);
    for (int round = 0; round < 500; ++round) {
        const auto f = random_objectives(random, 1 + random.below(12), 1 + random.below(4), 6);
        Weights weights(f.cols());
        for (double& weight : weights) {
            weight = static_cast<double>(random.below(3));
        }
        weights[0] += 1.0;
        REQUIRE(is_pareto_optimal(f, best_of(chebyshev(f, weights))));
    }
    // Without augmentation, it may be dominated: only the first objective decides between these two.
    const auto f = matrix_of({{1, 0}, {1, 1}, {0, 2}});
    CHECK(best_of(chebyshev(f, Weights{1.0, 0.0}, {.augmentation = 0.0})) == 0);
    CHECK(best_of(chebyshev(f, Weights{1.0, 0.0})) == 1);
}

TEST_CASE("chebyshev: reaches every Pareto-optimal candidate") {
    Random random(4);
    std::size_t reached = 0;
    for (int round = 0; round < 300; ++round) {
        const auto f = random_objectives(random, 2 + random.below(12), 2 + random.below(3), 8);
        const std::vector<float> ideal(f.cols(), 8.0F);
        const std::vector<float> extent(f.cols(), 1.0F);
        for (std::size_t p = 0; p < f.rows(); ++p) {
            if (!is_pareto_optimal(f, p)) {
                continue;
            }
            Weights weights(f.cols());
            for (std::size_t j = 0; j < f.cols(); ++j) {
                weights[j] = 1.0 / static_cast<double>(ideal[j] - f(p, j));
            }
            const auto scores = chebyshev(f, weights, {.augmentation = 1e-4, .ideal = ideal, .extent = extent});
            const std::size_t best = best_of(scores);
            REQUIRE(std::equal(f.row(best).begin(), f.row(best).end(), f.row(p).begin()));
            ++reached;
        }
    }
    CHECK(reached > 500);
}

TEST_CASE("chebyshev: no and one candidate, ties and copies") {
    CHECK(chebyshev(Matrix<float>(0, 2), Weights{1.0, 1.0}).empty());
    const auto one = chebyshev(matrix_of({{5, -3}}), Weights{1.0, 1.0});
    CHECK(one == std::vector<float>{0.0F});
    CHECK(!std::signbit(one[0]));
    CHECK(chebyshev(matrix_of({{1, 0}, {0, 1}, {1, 0}}), Weights{1.0, 1.0}) ==
          std::vector<float>{-1.001F, -1.001F, -1.001F});
}

TEST_CASE("chebyshev: distances that are equal as floats tie, even if one candidate dominates the other") {
    // With weight 0, the second objective counts by rho alone: the distances are 1.002 - 0.001 * 2^-16 and less by
    // 0.001 * 2^-16 = 1.5e-8. Floats are 1.2e-7 apart there.
    const auto f = matrix_of({{0.0F, 0x1p-16F}, {0.0F, 0x1p-15F}});
    const ChebyshevOptions options{.ideal = {{1.0F, 1.0F}}, .extent = {{1.0F, 1.0F}}};
    const auto scores = chebyshev(f, Weights{1.0, 0.0}, options);
    CHECK(scores[0] == scores[1]);
    CHECK(!is_pareto_optimal(f, 0));
}

TEST_CASE("chebyshev: rejects wrong weights, options and values") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const auto f = matrix_of({{1, 4}, {3, -2}});
    const Weights weights{1.0, 1.0};
    CHECK_THROWS_AS((void)chebyshev(f, Weights{1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, Weights{0.0, 0.0}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, Weights{1.0, -1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(Matrix<float>(2, 0), Weights{}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(matrix_of({{nan, 1}}), weights), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, weights, {.augmentation = -1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, weights, {.ideal = std::vector{1.0F}}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, weights, {.ideal = std::vector{1.0F, nan}}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, weights, {.extent = std::vector{1.0F}}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, weights, {.extent = std::vector{1.0F, 0.0F}}), InvalidArgument);
    CHECK_THROWS_AS((void)chebyshev(f, Weights{1e300, 1.0}), InvalidArgument);
    CHECK_THROWS_WITH((void)chebyshev(f, weights, {.extent = std::vector{1.0F, 0.0F}}),
                      "chebyshev: extent must be finite and > 0, got 0");
}

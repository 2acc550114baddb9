// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/weighted_sum.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/pareto_front.hpp>

#include "rerank/objectives.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::weighted_sum;
using namespace funnel::testing;

using Weights = std::vector<double>;

TEST_CASE("weighted_sum: worked by hand") {
    // 2 * 1 + 0.5 * 4 = 4;  2 * 3 + 0.5 * -2 = 5.
    CHECK(weighted_sum(matrix_of({{1, 4}, {3, -2}}), Weights{2.0, 0.5}) == std::vector<float>{4.0F, 5.0F});
    CHECK(weighted_sum(matrix_of({{1, 4}, {3, -2}}), Weights{0.0, 1.0}) == std::vector<float>{4.0F, -2.0F});
}

TEST_CASE("weighted_sum: with positive weights, the best candidate is Pareto-optimal") {
    Random random(1);
    for (int round = 0; round < 500; ++round) {
        const auto f = random_objectives(random, 1 + random.below(12), 1 + random.below(4), 6);
        Weights weights(f.cols());
        for (double& weight : weights) {
            weight = static_cast<double>(1 + random.below(5));
        }
        REQUIRE(is_pareto_optimal(f, best_of(weighted_sum(f, weights))));
    }
}

TEST_CASE("weighted_sum: misses a Pareto-optimal candidate below the hull, whatever the weights") {
    // (0.4, 0.4) lies below the line between (1, 0) and (0, 1): w 0.4 + (1 - w) 0.4 = 0.4, and one of the others has at
    // least 0.5.
    const auto f = matrix_of({{1, 0}, {0, 1}, {0.4F, 0.4F}});
    CHECK(is_pareto_optimal(f, 2));
    for (int step = 0; step <= 1000; ++step) {
        const double weight = step / 1000.0;
        REQUIRE(best_of(weighted_sum(f, Weights{weight, 1.0 - weight})) != 2);
    }
}

TEST_CASE("weighted_sum: sums in double, and no candidates have no scores") {
    CHECK(weighted_sum(matrix_of({{1e8F, 1, -1e8F}}), Weights{1.0, 1.0, 1.0}) == std::vector<float>{1.0F});
    CHECK(weighted_sum(Matrix<float>(0, 2), Weights{1.0, 1.0}).empty());
}

TEST_CASE("weighted_sum: sums that are equal as floats tie, even if one candidate dominates the other") {
    // 1 + 2^-26 and 1 + 2^-25 are both 1 as floats; 1 + 2^-23 is not.
    const auto f = matrix_of({{1.0F, 0x1p-26F}, {1.0F, 0x1p-25F}, {0.0F, 0.0F}});
    CHECK(weighted_sum(f, Weights{1.0, 1.0}) == std::vector<float>{1.0F, 1.0F, 0.0F});
    CHECK(best_of(weighted_sum(f, Weights{1.0, 1.0})) == 0);
    CHECK(!is_pareto_optimal(f, 0));
    CHECK(funnel::rerank::pareto_front(f) == std::vector<std::size_t>{1});
    const auto apart = matrix_of({{1.0F, 0.0F}, {1.0F, 0x1p-23F}});
    CHECK(best_of(weighted_sum(apart, Weights{1.0, 1.0})) == 1);
}

TEST_CASE("weighted_sum: rejects wrong weights and values") {
    const auto f = matrix_of({{1, 4}, {3, -2}});
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{1.0, -0.1}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{0.0, 0.0}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{1.0, std::numeric_limits<double>::quiet_NaN()}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{1.0, std::numeric_limits<double>::infinity()}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(f, Weights{1e300, 1.0}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(Matrix<float>(2, 0), Weights{}), InvalidArgument);
    CHECK_THROWS_AS((void)weighted_sum(matrix_of({{std::numeric_limits<float>::quiet_NaN()}}), Weights{1.0}),
                    InvalidArgument);
    CHECK_THROWS_WITH((void)weighted_sum(f, Weights{1.0}),
                      "weighted_sum: weights must have 2 elements, one per objective, got 1");
    CHECK_THROWS_WITH((void)weighted_sum(f, Weights{1.0, -0.1}),
                      "weighted_sum: weights must be finite and >= 0, got -0.1");
}

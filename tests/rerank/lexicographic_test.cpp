// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/lexicographic.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/rerank/group_cap.hpp>
#include <funnel/rerank/groups.hpp>

#include "rerank/objectives.hpp"
#include "rerank/orders.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::lexicographic;
using namespace funnel::testing;

using Tolerances = std::vector<float>;

TEST_CASE("lexicographic: worked by hand") {
    // Relevance first, with a tolerance of 0.25; then freshness.
    //   place 0: 0.25 below 1.0: {0, 1, 2}; the freshest is 2
    //   place 1: {0, 1}; the freshest is 1
    //   place 2: {0}, although 3 is fresher: 0.5 is less than 1.0 - 0.25
    const auto f = matrix_of({{1.0F, 1}, {0.875F, 5}, {0.75F, 7}, {0.5F, 9}});
    CHECK(lexicographic(f, Tolerances{0.25F, 0.0F}, 4) == Slate{2, 1, 0, 3});
    CHECK(lexicographic(f, Tolerances{0.0F, 0.0F}, 4) == Slate{0, 1, 2, 3});
    CHECK(lexicographic(f, Tolerances{9.0F, 0.0F}, 2) == Slate{3, 2});
    // Within the tolerance of all objectives, the first decides: 1 and 2 are close in both.
    CHECK(lexicographic(f, Tolerances{0.25F, 2.0F}, 1) == Slate{1});
}

TEST_CASE("lexicographic: with tolerances of 0, it is the lexicographic order") {
    Random random(7);
    for (int round = 0; round < 300; ++round) {
        const auto f = random_objectives(random, random.below(15), 1 + random.below(3), 4);
        Slate expected(f.rows());
        std::iota(expected.begin(), expected.end(), std::size_t{0});
        std::sort(expected.begin(), expected.end(), [&](std::size_t a, std::size_t b) {
            for (std::size_t j = 0; j < f.cols(); ++j) {
                if (f(a, j) != f(b, j)) {
                    return f(a, j) > f(b, j);
                }
            }
            return a < b;
        });
        REQUIRE(lexicographic(f, Tolerances(f.cols(), 0.0F), f.rows()) == expected);
    }
}

TEST_CASE("lexicographic: each pick is close to the best by definition, and Pareto-optimal among the rest") {
    Random random(8);
    for (int round = 0; round < 500; ++round) {
        const auto f = random_objectives(random, 1 + random.below(12), 1 + random.below(4), 8);
        Tolerances tolerances(f.cols());
        for (float& tolerance : tolerances) {
            tolerance = static_cast<float>(random.below(4));
        }
        Slate left(f.rows());
        std::iota(left.begin(), left.end(), std::size_t{0});
        for (const std::size_t pick : lexicographic(f, tolerances, f.rows())) {
            Slate close = left;
            for (std::size_t j = 0; j < f.cols(); ++j) {
                Slate closer;
                for (const std::size_t i : close) {
                    const bool is_close = std::all_of(close.begin(), close.end(), [&](std::size_t other) {
                        return f(other, j) - f(i, j) <= tolerances[j];
                    });
                    if (is_close) {
                        closer.push_back(i);
                    }
                }
                close = closer;
            }
            REQUIRE(std::find(close.begin(), close.end(), pick) != close.end());
            REQUIRE(std::none_of(left.begin(), left.end(), [&](std::size_t i) { return dominates(f, i, pick); }));
            left.erase(std::find(left.begin(), left.end(), pick));
        }
        REQUIRE(left.empty());
    }
}

TEST_CASE("lexicographic: under a rule, no candidates, and more places than candidates") {
    const auto f = matrix_of({{4, 0}, {3, 0}, {2, 0}, {1, 0}});
    const funnel::rerank::Groups groups(Names{0, 0, 1, 0});
    CHECK(lexicographic(f, Tolerances{0, 0}, 4, funnel::rerank::GroupCap(groups, {.at_most = 1})) == Slate{0, 2});
    // The tolerance counts from the best candidate that the rule allows at the place: 3 is close to 2, and 1 is excluded.
    const auto g = matrix_of({{9, 0}, {9, 0}, {2, 0}, {1, 5}});
    const funnel::rerank::Groups others(Names{0, 0, 1, 2});
    CHECK(lexicographic(g, Tolerances{1, 0}, 2, funnel::rerank::GroupCap(others, {.at_most = 1})) == Slate{0, 3});
    CHECK(lexicographic(f, Tolerances{0, 0}, 0).empty());
    CHECK(lexicographic(f, Tolerances{0, 0}, 9) == Slate{0, 1, 2, 3});
    CHECK(lexicographic(Matrix<float>(0, 2), Tolerances{0, 0}, 3).empty());
    CHECK(lexicographic(matrix_of({{1}, {1}, {1}}), Tolerances{0}, 3) == Slate{0, 1, 2});
}

TEST_CASE("lexicographic: rejects NaN, sizes and negative tolerances") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const auto f = matrix_of({{1, 4}, {3, -2}});
    CHECK_THROWS_AS((void)lexicographic(f, Tolerances{0.0F}, 2), InvalidArgument);
    CHECK_THROWS_AS((void)lexicographic(f, Tolerances{0.0F, -1.0F}, 2), InvalidArgument);
    CHECK_THROWS_AS((void)lexicographic(f, Tolerances{0.0F, nan}, 2), InvalidArgument);
    CHECK_THROWS_AS((void)lexicographic(matrix_of({{nan}}), Tolerances{0.0F}, 2), InvalidArgument);
    CHECK_THROWS_AS((void)lexicographic(Matrix<float>(2, 0), Tolerances{}, 2), InvalidArgument);
}

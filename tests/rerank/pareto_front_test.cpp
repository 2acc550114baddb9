// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/pareto_front.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include "rerank/objectives.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::pareto_front;
using namespace funnel::testing;

using Positions = std::vector<std::size_t>;

namespace {

Positions front_by_definition(funnel::MatrixView<const float> f) {
    Positions front;
    for (std::size_t i = 0; i < f.rows(); ++i) {
        if (is_pareto_optimal(f, i)) {
            front.push_back(i);
        }
    }
    return front;
}

}  // namespace

TEST_CASE("pareto_front: worked by hand") {
    // (0.7, 0.4) is dominated by (0.8, 0.5), (0.5, 0.8) by (0.6, 0.8), and (0.2, 0.2) by nearly all.
    const auto f =
        matrix_of({{0.9F, 0.1F}, {0.8F, 0.5F}, {0.7F, 0.4F}, {0.6F, 0.8F}, {0.5F, 0.8F}, {0.3F, 0.95F}, {0.2F, 0.2F}});
    CHECK(pareto_front(f) == Positions{0, 1, 3, 5});
}

TEST_CASE("pareto_front: is the set of candidates that no other dominates") {
    Random random(9);
    for (int round = 0; round < 3000; ++round) {
        const std::size_t d = 1 + random.below(6);
        const auto f = random_objectives(random, random.below(40), d, 1 + random.below(12));
        REQUIRE(pareto_front(f) == front_by_definition(f));
    }
}

TEST_CASE("pareto_front: large fronts") {
    // On a plane x + y + z = const, no candidate dominates another one. Those beside it are dominated by some.
    Random random(10);
    for (const std::size_t d : {2U, 3U, 4U}) {
        Matrix<float> f(400, d);
        for (std::size_t i = 0; i < f.rows(); ++i) {
            float rest = i % 2 == 0 ? 1000.0F : 990.0F;
            for (std::size_t j = 0; j + 1 < d; ++j) {
                f(i, j) = static_cast<float>(random.below(200));
                rest -= f(i, j);
            }
            f(i, d - 1) = rest;
        }
        const auto front = pareto_front(f);
        CHECK(front == front_by_definition(f));
        CHECK(front.size() >= 100);
    }
}

TEST_CASE("pareto_front: copies are on the front together, or not at all") {
    CHECK(pareto_front(matrix_of({{1, 2}, {2, 1}, {1, 2}, {1, 1}, {1, 1}})) == Positions{0, 1, 2});
    CHECK(pareto_front(matrix_of({{1, 1, 1}, {1, 1, 1}, {1, 1, 0}})) == Positions{0, 1});
    CHECK(pareto_front(matrix_of({{0.0F, 1}, {-0.0F, 1}})) == Positions{0, 1});
}

TEST_CASE("pareto_front: no candidates, one candidate, one objective") {
    CHECK(pareto_front(Matrix<float>(0, 2)).empty());
    CHECK(pareto_front(matrix_of({{-5, -7}})) == Positions{0});
    CHECK(pareto_front(matrix_of({{1}, {3}, {2}, {3}})) == Positions{1, 3});
}

TEST_CASE("pareto_front: rejects NaN, infinity and no objectives") {
    for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)pareto_front(matrix_of({{1, 2}, {wrong, 1}})), InvalidArgument);
    }
    CHECK_THROWS_AS((void)pareto_front(Matrix<float>(2, 0)), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/epsilon_constraint.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include "rerank/objectives.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::rerank::epsilon_constraint;
using namespace funnel::testing;

using Bounds = std::vector<std::optional<float>>;
using Positions = std::vector<std::size_t>;

namespace {

// The best feasible candidate, by comparing each with each.
std::optional<std::size_t> best_by_definition(funnel::MatrixView<const float> f, const Bounds& bounds,
                                              std::size_t maximise) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < f.rows(); ++i) {
        bool is_feasible = true;
        for (std::size_t j = 0; j < f.cols(); ++j) {
            is_feasible = is_feasible && (!bounds[j] || f(i, j) >= *bounds[j]);
        }
        if (is_feasible && (!best || f(i, maximise) > f(*best, maximise))) {
            best = i;
        }
    }
    return best;
}

}  // namespace

TEST_CASE("epsilon_constraint: worked by hand") {
    // The most relevant candidates with a margin of at least 0.3: 2, 3 and 1; position 0 has too little margin.
    const auto f = matrix_of({{0.9F, 0.1F}, {0.5F, 0.8F}, {0.7F, 0.3F}, {0.6F, 0.5F}});
    const auto found = epsilon_constraint(f, Bounds{{}, 0.3F});
    CHECK(found.positions == Positions{2, 3, 1});
    CHECK(found.met_by == Positions{4, 3});
    // The largest margin with a relevance of at least 0.55.
    CHECK(epsilon_constraint(f, Bounds{0.55F, {}}, 1).positions == Positions{3, 2, 0});
    // A bound on the objective that is maximized counts, too.
    CHECK(epsilon_constraint(f, Bounds{0.6F, 0.3F}).positions == Positions{2, 3});
}

TEST_CASE("epsilon_constraint: says which bounds are infeasible") {
    const auto f = matrix_of({{0.9F, 0.1F}, {0.5F, 0.8F}, {0.7F, 0.3F}});
    const auto too_high = epsilon_constraint(f, Bounds{{}, 0.81F});
    CHECK(too_high.positions.empty());
    CHECK(too_high.met_by == Positions{3, 0});
    const auto contradiction = epsilon_constraint(f, Bounds{0.8F, 0.5F});
    CHECK(contradiction.positions.empty());
    CHECK(contradiction.met_by == Positions{1, 1});
}

TEST_CASE("epsilon_constraint: is the best by definition, and Pareto-optimal") {
    Random random(5);
    std::size_t infeasible = 0;
    for (int round = 0; round < 1000; ++round) {
        const auto f = random_objectives(random, random.below(10), 1 + random.below(4), 5);
        Bounds bounds(f.cols());
        for (auto& bound : bounds) {
            if (random.below(2) == 0) {
                bound = static_cast<float>(random.below(5));
            }
        }
        const std::size_t maximise = random.below(f.cols());
        const auto found = epsilon_constraint(f, bounds, maximise).positions;
        const auto expected = best_by_definition(f, bounds, maximise);
        REQUIRE(found.empty() == !expected.has_value());
        infeasible += found.empty() ? 1U : 0U;
        if (expected) {
            REQUIRE(f(found[0], maximise) == f(*expected, maximise));
            REQUIRE(is_pareto_optimal(f, found[0]));
        }
        for (std::size_t at = 1; at < found.size(); ++at) {
            REQUIRE(f(found[at - 1], maximise) >= f(found[at], maximise));
        }
    }
    CHECK(infeasible > 100);
    CHECK(infeasible < 900);
}

TEST_CASE("epsilon_constraint: reaches every Pareto-optimal candidate") {
    Random random(6);
    for (int round = 0; round < 300; ++round) {
        const auto f = random_objectives(random, 1 + random.below(12), 2 + random.below(3), 6);
        for (std::size_t p = 0; p < f.rows(); ++p) {
            if (is_pareto_optimal(f, p)) {
                Bounds bounds;
                for (std::size_t j = 0; j < f.cols(); ++j) {
                    bounds.push_back(j == 0 ? std::nullopt : std::optional(f(p, j)));
                }
                const auto found = epsilon_constraint(f, bounds).positions;
                for (std::size_t j = 0; j < f.cols(); ++j) {
                    REQUIRE(f(found.at(0), j) == f(p, j));
                }
            }
        }
    }
}

TEST_CASE("epsilon_constraint: ties go to the better rest, then to the smaller position; no candidates") {
    const auto f = matrix_of({{1, 2}, {1, 3}, {1, 3}, {2, 0}});
    CHECK(epsilon_constraint(f, Bounds{{}, 1.0F}).positions == Positions{1, 2, 0});
    CHECK(epsilon_constraint(f, Bounds(2)).positions == Positions{3, 1, 2, 0});
    CHECK(epsilon_constraint(Matrix<float>(0, 2), Bounds(2)).positions.empty());
    CHECK(epsilon_constraint(Matrix<float>(0, 2), Bounds(2)).met_by == Positions{0, 0});
}

TEST_CASE("epsilon_constraint: rejects NaN, sizes and columns that do not exist") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    const auto f = matrix_of({{1, 4}, {3, -2}});
    CHECK_THROWS_AS((void)epsilon_constraint(f, Bounds(1)), InvalidArgument);
    CHECK_THROWS_AS((void)epsilon_constraint(f, Bounds(2), 2), InvalidArgument);
    CHECK_THROWS_AS((void)epsilon_constraint(f, Bounds{{}, nan}), InvalidArgument);
    CHECK_THROWS_AS((void)epsilon_constraint(matrix_of({{nan, 1}}), Bounds(2)), InvalidArgument);
    CHECK_THROWS_AS((void)epsilon_constraint(Matrix<float>(2, 0), Bounds()), InvalidArgument);
    CHECK_THROWS_WITH((void)epsilon_constraint(f, Bounds(1)),
                      "epsilon_constraint: at_least must have 2 elements, one per objective, got 1");
}

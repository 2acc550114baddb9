// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/cf/slim.hpp>

#include "cf/random_log.hpp"
#include "support/model_contract.hpp"

#include <funnel/core/rng.hpp>
#include <funnel/data/interactions.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using namespace funnel::cf;
namespace testing = funnel::testing;

namespace {

using Table = std::vector<std::vector<double>>;

// The gradient of 1/2 |x_j - X w|^2 + l2/2 |w|^2 + l1 sum w at the weights of column j, from the data alone.
std::vector<double> gradient(const Table& x, const std::vector<double>& w, std::size_t j, double l1, double l2) {
    std::vector<double> result(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) {
        result[i] = l1 + l2 * w[i];
    }
    for (const auto& row : x) {
        double error = -row[j];
        for (std::size_t i = 0; i < w.size(); ++i) {
            error += row[i] * w[i];
        }
        for (std::size_t i = 0; i < w.size(); ++i) {
            result[i] += row[i] * error;
        }
    }
    return result;
}

// Projected gradient descent with small steps, until nothing moves.
std::vector<double> by_gradient_descent(const Table& x, std::size_t j, double l1, double l2) {
    const std::size_t n = x[0].size();
    double trace = l2;
    for (const auto& row : x) {
        for (const double value : row) {
            trace += value * value;
        }
    }
    std::vector<double> w(n, 0.0);
    double moved = 1.0;
    for (int step = 0; step < 200'000 && moved > 1e-10; ++step) {
        const std::vector<double> slope = gradient(x, w, j, l1, l2);
        moved = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const double next = i == j ? 0.0 : std::max(0.0, w[i] - slope[i] / trace);
            moved = std::max(moved, std::abs(next - w[i]));
            w[i] = next;
        }
    }
    return w;
}

// Each user has two or three items of one triple {0, 1, 2}, {3, 4, 5}, ...
funnel::data::Interactions log_of_triples(std::size_t users, std::uint32_t items) {
    funnel::Random random(5);
    std::vector<std::vector<std::uint32_t>> histories(users);
    for (std::uint32_t user = 0; user < users; ++user) {
        const std::uint32_t first = user * 3 % items;
        const std::uint64_t missing = random.below(5);
        for (std::uint32_t i = 0; i < 3; ++i) {
            if (i != missing) {
                histories[user].push_back(first + i);
            }
        }
    }
    return testing::log_of(histories, items);
}

// The weights of column j by coordinate descent on dense counts, which ends after a pass that changes no weight by more
// than tolerance.
std::vector<double> by_coordinate_descent(const Table& x, std::size_t j, double l1, double l2, double tolerance) {
    const std::size_t n = x[0].size();
    std::vector<double> w(n, 0.0);
    double change = 1.0 + tolerance;
    while (change > tolerance) {
        change = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            double target = -l1;
            double square = 0.0;
            for (const auto& row : x) {
                double others = 0.0;
                for (std::size_t k = 0; k < n; ++k) {
                    others += k == i ? 0.0 : row[k] * w[k];
                }
                target += row[i] * (row[j] - others);
                square += row[i] * row[i];
            }
            const double next = i == j || square == 0.0 ? 0.0 : std::max(0.0, target / (square + l2));
            change = std::max(change, std::abs(next - w[i]));
            w[i] = next;
        }
    }
    return w;
}

}  // namespace

TEST_CASE("SLIM: keeps what every model promises") {
    testing::check_model<SLIM>({.l1 = 0.1F, .l2 = 2.0F});
}

TEST_CASE("SLIM: worked by hand") {
    // One user with both items, l1 = 0.5, l2 = 1: the weight minimises (1 - w)^2 / 2 + w^2 / 2 + w / 2, so that
    // -(1 - w) + w + 0.5 = 0 and w = 0.25.
    const auto model = SLIM::fit(testing::log_of({{0, 1}}, 2), {.l1 = 0.5F, .l2 = 1.0F});
    CHECK(model.weights().weight(0, 1) == doctest::Approx(0.25));
    CHECK(model.weights().weight(0, 0) == 0.0F);
    // l1 = 1 is as much as the one user who shares both items: no weight is left.
    const auto none = SLIM::fit(testing::log_of({{0, 1}}, 2), {.l1 = 1.0F, .l2 = 1.0F});
    CHECK(none.weights().matrix().nonzeros() == 0);
    // Two users with both, one with item 0 only: from 0 to 1 (2 - l1) / (3 + l2), from 1 to 0 (2 - l1) / (2 + l2).
    const auto two = SLIM::fit(testing::log_of({{0, 1}, {0, 1}, {0}}, 2), {.l1 = 0.5F, .l2 = 1.0F});
    CHECK(two.weights().weight(0, 1) == doctest::Approx(1.5 / 4));
    CHECK(two.weights().weight(1, 0) == doctest::Approx(1.5 / 3));
}

TEST_CASE("SLIM: agrees with gradient descent on the definition, and meets the conditions of an optimum") {
    // The counts of the last two logs are so sparse that they are not stored with their zeros.
    for (const auto& log :
         {testing::random_log(40, 14, 0.3, 3), testing::random_log(9, 14, 0.09, 3), log_of_triples(30, 24)}) {
        const auto items = static_cast<std::uint32_t>(log.items());
        const Table x = testing::dense_matrix(log);
        for (const float l1 : {0.0F, 0.5F, 2.0F}) {
            for (const float l2 : {0.5F, 5.0F}) {
                const auto model = SLIM::fit(log, {.l1 = l1, .l2 = l2, .sweeps = 10'000, .tolerance = 1e-9F});
                for (std::uint32_t j = 0; j < items; ++j) {
                    const auto expected = by_gradient_descent(x, j, static_cast<double>(l1), static_cast<double>(l2));
                    std::vector<double> w(items);
                    for (std::uint32_t i = 0; i < items; ++i) {
                        w[i] = static_cast<double>(model.weights().weight(i, j));
                        CHECK(std::abs(w[i] - expected[i]) < 1e-6);
                    }
                    const auto slope = gradient(x, w, j, static_cast<double>(l1), static_cast<double>(l2));
                    for (std::size_t i = 0; i < items; ++i) {
                        if (i != j) {
                            CHECK(slope[i] > -1e-4);                  // no weight should grow
                            CHECK((w[i] == 0.0 || slope[i] < 1e-4));  // and no positive one should shrink
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("SLIM: stops after the given passes, or when nothing changes much") {
    const auto log = testing::random_log(50, 20, 0.3, 6);
    const auto weights = [&](std::size_t sweeps, float tolerance) {
        const auto model = SLIM::fit(log, {.l1 = 0.1F, .l2 = 1.0F, .sweeps = sweeps, .tolerance = tolerance});
        return std::vector<float>(model.weights().matrix().values().begin(), model.weights().matrix().values().end());
    };
    CHECK(weights(1, 0.0F) != weights(50, 0.0F));
    CHECK(weights(1, 0.0F) == weights(50, 100.0F));
}

TEST_CASE("SLIM: no weight changes by more than the tolerance in the last pass, upwards or downwards") {
    const auto log = testing::random_log(50, 12, 0.4, 6);
    const Table x = testing::dense_matrix(log);
    for (const float tolerance : {0.1F, 0.03F, 0.01F, 0.001F}) {
        const auto model = SLIM::fit(log, {.l1 = 0.1F, .l2 = 1.0F, .tolerance = tolerance});
        for (std::uint32_t j = 0; j < 12; ++j) {
            const auto expected = by_coordinate_descent(x, j, 0.1F, 1.0, double{tolerance});
            for (std::uint32_t i = 0; i < 12; ++i) {
                CHECK(std::abs(double{model.weights().weight(i, j)} - expected[i]) < 1e-6);
            }
        }
    }
}

TEST_CASE("SLIM: rejects what cannot work") {
    const auto log = testing::log_of({{0, 1}}, 2);
    for (const float bad : {-1.0F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)SLIM::fit(log, {.l1 = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)SLIM::fit(log, {.l2 = bad}), InvalidArgument);
        CHECK_THROWS_AS((void)SLIM::fit(log, {.tolerance = bad}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)SLIM::fit(log, {.sweeps = 0}), InvalidArgument);
}

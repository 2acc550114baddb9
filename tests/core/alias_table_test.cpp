// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/alias_table.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

using funnel::AliasTable;
using funnel::InvalidArgument;
using funnel::Random;

TEST_CASE("AliasTable: draws have the stated probabilities (chi-square)") {
    const std::vector<double> weights{0.5, 0.0, 3.0, 1.0, 1e-3, 7.0, 0.25};
    const AliasTable table(weights);
    double total = 0.0;
    for (const double w : weights) {
        total += w;
    }
    constexpr std::size_t draws = 1'000'000;
    std::vector<std::size_t> counts(weights.size());
    Random random(3);
    for (std::size_t i = 0; i < draws; ++i) {
        ++counts[table.draw(random)];
    }
    double chi_square = 0.0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
        CHECK(table.probability(i) == doctest::Approx(weights[i] / total).epsilon(1e-15));
        const double expected = static_cast<double>(draws) * weights[i] / total;
        if (expected > 0.0) {
            chi_square += std::pow(static_cast<double>(counts[i]) - expected, 2.0) / expected;
        } else {
            CHECK(counts[i] == 0);
        }
    }
    CHECK(chi_square < 20.5);  // 5 degrees of freedom, p = 0.001
}

TEST_CASE("AliasTable: the weight of a number is spread over the slots exactly") {
    // One weight, equal weights, and one that is nearly all.
    Random random(1);
    CHECK(AliasTable(std::vector<double>{2.0}).draw(random) == 0);
    const AliasTable rare(std::vector<double>{1e-300, 1.0});
    for (int i = 0; i < 1000; ++i) {
        CHECK(rare.draw(random) == 1);
    }
}

TEST_CASE("AliasTable: bad weights are rejected") {
    CHECK_THROWS_AS(AliasTable(std::span<const double>{}), InvalidArgument);
    CHECK_THROWS_WITH_AS(AliasTable(std::vector<double>{0.0, 0.0}),
                         "AliasTable: sum of weights must be finite and > 0, got 0", InvalidArgument);
    CHECK_THROWS_AS(AliasTable(std::vector<double>{1.0, -1.0}), InvalidArgument);
    CHECK_THROWS_AS(AliasTable(std::vector<double>{1.0, std::numeric_limits<double>::quiet_NaN()}), InvalidArgument);
    CHECK_THROWS_AS(AliasTable(std::vector<double>{1.0, std::numeric_limits<double>::infinity()}), InvalidArgument);
    CHECK_THROWS_AS(AliasTable(std::vector<double>{1e308, 1e308}), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/multiple_tests.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::metrics;

namespace {

void check_equal(const std::vector<double>& found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
        CHECK(found[i] == Approx(expected[i]).epsilon(1e-14));
    }
}

const std::vector<double> p_values{.01, .04, .03, .005, .2};

}  // namespace

TEST_CASE("holm: statsmodels.stats.multitest.multipletests(p, method='holm')") {
    check_equal(holm(p_values), {.04, .09, .09, .025, .2});
}

TEST_CASE("benjamini_hochberg: scipy.stats.false_discovery_control(p)") {
    check_equal(benjamini_hochberg(p_values), {.025, .05, .05, .025, .2});
}

TEST_CASE("holm, benjamini_hochberg: none, one, and equal p-values") {
    CHECK(holm({}).empty());
    CHECK(benjamini_hochberg({}).empty());
    check_equal(holm(std::vector{.3}), {.3});
    check_equal(benjamini_hochberg(std::vector{.3}), {.3});
    check_equal(holm(std::vector{.4, .4, .4}), {1, 1, 1});
    check_equal(benjamini_hochberg(std::vector{.4, .4, .4}), {.4, .4, .4});
}

TEST_CASE("holm, benjamini_hochberg: reject p-values outside [0, 1] and NaN") {
    CHECK_THROWS_AS(static_cast<void>(holm(std::vector{1.5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(benjamini_hochberg(std::vector{-0.1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(holm(std::vector{std::numeric_limits<double>::quiet_NaN()})), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/bandits/probabilities.hpp>

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <numeric>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::bandits::position_of;
using funnel::bandits::raise_to_floor;

TEST_CASE("raise_to_floor: keeps the floor, the order and the sum") {
    std::vector<double> p{0.96, 0.03, 0.01, 0.0};
    raise_to_floor(p, 0.05);
    CHECK(p[0] == Approx(0.05 + 0.8 * 0.96));
    CHECK(std::accumulate(p.begin(), p.end(), 0.0) == Approx(1.0));
    CHECK(p[3] == 0.05);
    CHECK(p[2] > p[3]);  // cutting at 0.05 would make them equal, and dividing by the sum puts both below the floor
    CHECK_THROWS_AS(raise_to_floor(p, 0.26), InvalidArgument);
    CHECK_THROWS_AS(raise_to_floor(p, -0.01), InvalidArgument);
    CHECK_THROWS_AS(raise_to_floor(p, std::numeric_limits<double>::quiet_NaN()), InvalidArgument);
}

TEST_CASE("position_of: a sum below u does not select the first position") {
    const std::vector<double> p{0.0, 0.3, 0.3, 0.0};
    CHECK(position_of(p, 0.0) == 1);
    CHECK(position_of(p, 0.3) == 2);
    CHECK(position_of(p, 0.999) == 2);
}

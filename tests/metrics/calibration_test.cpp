// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/calibration.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::metrics;

namespace {

using Shares = std::vector<double>;
using Groups = std::vector<std::vector<int>>;

}  // namespace

TEST_CASE("miscalibration, hellinger_distance: values computed with numpy") {
    const Shares target{.7, .3};
    CHECK(miscalibration(target, Shares{1, 0}) == Approx(1.133982).epsilon(1e-6));
    CHECK(hellinger_distance(target, Shares{1, 0}) == Approx(0.404153).epsilon(1e-6));
    CHECK(miscalibration(target, Shares{.6, .4}) == Approx(0.021186).epsilon(1e-4));
    CHECK(hellinger_distance(target, Shares{.6, .4}) == Approx(0.074268).epsilon(1e-5));
    CHECK(miscalibration(target, target) == Approx(0.0));
    CHECK(hellinger_distance(target, target) == 0.0);
}

TEST_CASE("miscalibration: a group that is missing in the list costs at most ln(1 / smoothing)") {
    CHECK(miscalibration(Shares{1, 0}, Shares{0, 1}, {.smoothing = 0.1}) == Approx(2.302585093));
    CHECK(hellinger_distance(Shares{1, 0}, Shares{0, 1}) == 1.0);
    CHECK(miscalibration(Shares{0, 1, 0}, Shares{0.5, 0.5, 0}) > 0.0);
}

TEST_CASE("group_shares: each item spreads its weight over its groups") {
    // By hand: 1/2 + 1 for group 0, 1/2 for group 1, 1 for group 2, over 3.
    const Shares shares = group_shares(Groups{{0, 1}, {0}, {2}}, 4);
    CHECK(shares == Shares{0.5, 0.5 / 3, 1.0 / 3, 0.0});
    // 1 and 0.63093 for the ranks 1 and 2.
    const Shares weighted = group_shares(Groups{{0}, {1}}, 2, RankWeights::Logarithmic);
    CHECK(weighted[0] == Approx(0.613147).epsilon(1e-6));
    CHECK(weighted[1] == Approx(0.386853).epsilon(1e-6));
    CHECK(group_shares(Groups{{}, {1}}, 2) == Shares{0.0, 1.0});
    CHECK(group_shares(Groups{}, 2) == Shares{0.0, 0.0});
}

TEST_CASE("miscalibration, hellinger_distance, group_shares: reject bad input and NaN") {
    const double missing = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(miscalibration(Shares{1}, Shares{.5, .5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(miscalibration(Shares{1, 0}, Shares{.5, .4})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(miscalibration(Shares{2, -1}, Shares{.5, .5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(miscalibration(Shares{missing, 1}, Shares{.5, .5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(miscalibration(Shares{1}, Shares{1}, {.smoothing = 0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(hellinger_distance(Shares{1}, Shares{.5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(hellinger_distance(Shares{}, Shares{})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(group_shares(Groups{{2}}, 2)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(group_shares(Groups{{-1}}, 2)), InvalidArgument);
}

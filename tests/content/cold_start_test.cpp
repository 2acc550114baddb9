// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/cold_start.hpp>

#include <funnel/core/error.hpp>

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

using funnel::InvalidArgument;
using funnel::content::ColdStartOptions;
using funnel::content::ColdStartPolicy;

TEST_CASE("ColdStartPolicy: from popularity by content to collaborative filtering") {
    const ColdStartPolicy policy({.content_half = 1.0, .collaborative_half = 12.0});
    CHECK(policy.weights(0) == std::array{1.0, 0.0, 0.0});
    CHECK(policy.weights(1) == std::array{0.5, 0.5, 0.0});  // collaborative from 2 on
    const auto twelve = policy.weights(12);
    CHECK(twelve[2] == 0.5);
    CHECK(twelve[1] == doctest::Approx(0.5 * 12.0 / 13.0));
    double last = 0.0;
    for (std::size_t n = 0; n < 200; ++n) {
        const auto [popularity, content, collaborative] = policy.weights(n);
        CHECK(popularity + content + collaborative == doctest::Approx(1.0));
        CHECK(popularity >= 0.0);
        CHECK(content >= 0.0);
        CHECK(collaborative >= last);
        last = collaborative;
    }
    const auto many = policy.weights(std::numeric_limits<std::size_t>::max());
    CHECK(many[2] == doctest::Approx(1.0));
    CHECK(many[0] >= 0.0);
}

TEST_CASE("ColdStartPolicy: below the thresholds, the weights are 0") {
    const ColdStartPolicy policy({.content_from = 3, .collaborative_from = 5});
    CHECK(policy.weights(2) == std::array{1.0, 0.0, 0.0});
    CHECK(policy.weights(3)[1] > 0.0);
    CHECK(policy.weights(4)[2] == 0.0);
    CHECK(policy.weights(5)[2] > 0.0);
    CHECK(ColdStartPolicy({.content_from = 0}).weights(0) == std::array{1.0, 0.0, 0.0});
}

TEST_CASE("ColdStartPolicy: halves must be positive") {
    CHECK_THROWS_AS(ColdStartPolicy({.content_half = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(ColdStartPolicy({.collaborative_half = std::nan("")}), InvalidArgument);
    CHECK_THROWS_AS(ColdStartPolicy({.collaborative_half = -1.0}), InvalidArgument);
}

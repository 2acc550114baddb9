// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/serendipity.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::metrics;

namespace {

using Labels = std::vector<float>;
using Numbers = std::vector<double>;

}  // namespace

TEST_CASE("popularity_levels: dense ranks, and 0 for an item without users") {
    // Counts 9, 5, 5, 0: ranks 1, 2, 2; n = 4.
    CHECK(popularity_levels(std::vector<std::uint32_t>{5, 9, 0, 5}) == Numbers{0.75, 1.0, 0.0, 0.75});
    CHECK(popularity_levels({}).empty());
}

TEST_CASE("unexpected_relevance: worked by hand") {
    // n = 4. Rank 1: level 1 - 0.75; rank 2 is a miss; rank 3: level 0.5 - 0.
    CHECK(unexpected_relevance(Labels{1, 0, 1}, Numbers{0.75, 0.0, 0.0}, 4, {.k = 3}) == Approx(0.75 / 3));
    CHECK(unexpected_relevance(Labels{1, 0, 1}, Numbers{0.75, 0.0, 0.0}, 4, {.k = 2}) == Approx(0.25 / 2));
    CHECK(unexpected_relevance(Labels{1, 1}, Numbers{1.0, 0.75}, 4, {.k = 2}) == 0.0);  // the list by popularity
    CHECK(unexpected_relevance(Labels{0, 1}, Numbers{0.5, 1.0}, 4, {.k = 2}) == 0.0);   // never below 0
    CHECK(unexpected_relevance(Labels{}, Numbers{}, 4) == 0.0);
    CHECK(unexpected_relevance(Labels{1}, Numbers{0}, 4, {.k = 0}) == 0.0);
}

TEST_CASE("unlike_history: worked by hand") {
    CHECK(unlike_history(Labels{1, 0, 1}, Numbers{0.25, 0.0, -0.5}) == Approx((0.75 + 1.5) / 3));
    CHECK(unlike_history(Labels{1, 0, 1}, Numbers{0.25, 0.0, -0.5}, {.k = 1}) == 0.75);
    CHECK(unlike_history(Labels{1}, Numbers{1.0}) == 0.0);
    CHECK(unlike_history(Labels{}, Numbers{}) == 0.0);
}

TEST_CASE("unexpected_relevance, unlike_history: reject bad input and NaN") {
    const double missing = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(unexpected_relevance(Labels{1}, Numbers{}, 4)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unexpected_relevance(Labels{1}, Numbers{missing}, 4)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unexpected_relevance(Labels{1}, Numbers{1.5}, 4)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unexpected_relevance(Labels{1, 1}, Numbers{1, 1}, 1)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unlike_history(Labels{1}, Numbers{})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unlike_history(Labels{1}, Numbers{missing})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(unlike_history(Labels{-1}, Numbers{0})), InvalidArgument);
}

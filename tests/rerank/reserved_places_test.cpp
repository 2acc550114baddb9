// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/reserved_places.hpp>

#include <funnel/rerank/fill_slate.hpp>
#include <funnel/rerank/slate_rules.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

using funnel::InvalidArgument;
using funnel::rerank::fill_slate;
using funnel::rerank::Relaxation;
using funnel::rerank::ReservedPlaces;
using funnel::rerank::SlateRules;
using funnel::rerank::soft;
using Slate = std::vector<std::size_t>;

TEST_CASE("ReservedPlaces: two lists in one slate") {
    const std::vector<float> scores{9, 8, 7, 6, 5, 4};
    // The best of the list takes the reserved places, and no others, even if it is the most relevant of all.
    CHECK(fill_slate(scores, 5, ReservedPlaces(6, {4, 1}, Slate{0, 4, 5})) == Slate{1, 0, 2, 3, 4});
    CHECK(fill_slate(scores, 3, ReservedPlaces(6, {}, Slate{0, 4})) == Slate{1, 2, 3});
    CHECK(fill_slate(scores, 3, ReservedPlaces(6, {99}, {})) == Slate{0, 1, 2});
    CHECK(fill_slate({}, 3, ReservedPlaces(0, {0}, {})).empty());
}

TEST_CASE("ReservedPlaces: a list that runs out gives its places back, and that is reported") {
    const std::vector<float> scores{9, 8, 7, 6};
    CHECK(fill_slate(scores, 4, ReservedPlaces(4, {1, 2}, Slate{3})) == Slate{0, 3});
    SlateRules rules({.candidates = 4, .places = 4}, soft("explore", ReservedPlaces(4, {1, 2}, Slate{3})));
    CHECK(fill_slate(scores, 4, rules) == Slate{0, 3, 1, 2});
    CHECK(rules.report().relaxed == std::vector<Relaxation>{{"explore", 2, 1, false}});
}

TEST_CASE("ReservedPlaces: rejects positions that do not exist") {
    CHECK_THROWS_AS((void)ReservedPlaces(3, {0}, Slate{3}), InvalidArgument);
}

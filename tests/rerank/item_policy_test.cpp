// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/item_policy.hpp>

#include <funnel/rerank/fill_slate.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::rerank::AllowIf;
using funnel::rerank::Boost;
using funnel::rerank::fill_slate;
using funnel::rerank::ItemPolicy;
using funnel::rerank::may_see;
using funnel::rerank::promote;
using Scores = std::vector<float>;
using Positions = std::vector<std::size_t>;

TEST_CASE("AllowIf: keeps candidates out of every place") {
    CHECK(fill_slate(Scores{4, 3, 2, 1}, 4, AllowIf([](std::size_t i) { return i % 2 == 1; })) == Positions{1, 3});
    CHECK(fill_slate(Scores{4, 3}, 4, AllowIf([](std::size_t) { return false; })).empty());
}

TEST_CASE("may_see: blocked items, ages and regions") {
    CHECK(may_see({}, {}));
    CHECK(!may_see({.is_blocked = true}, {.age = 40, .region = 0}));
    CHECK(may_see({.minimum_age = 16}, {.age = 16}));
    CHECK(!may_see({.minimum_age = 16}, {.age = 15}));
    CHECK(!may_see({.minimum_age = 16}, {}));  // an unknown age passes no limit
    const ItemPolicy two_regions{.regions = (std::uint64_t{1} << 63) | 1};
    CHECK(may_see(two_regions, {.region = 0}));
    CHECK(may_see(two_regions, {.region = 63}));
    CHECK(!may_see(two_regions, {.region = 1}));
    CHECK(!may_see(two_regions, {}));  // an unknown region sees only what all regions see
}

TEST_CASE("promote: raises the promoted scores once") {
    CHECK(promote(Scores{1, 2, 4}, Positions{1, 1}, {.weight = 0.5F}) == Scores{1, 2.5F, 4});
    CHECK(promote(Scores{1, 2, 4}, Positions{2, 0}, {.weight = 0.5F, .boost = Boost::Multiplicative}) ==
          Scores{1.5F, 2, 6});
    CHECK(promote(Scores{-1}, Positions{0}, {.weight = 3.0F}) == Scores{2});
    CHECK(promote(Scores{}, Positions{}).empty());
}

TEST_CASE("promote and may_see: reject values out of range") {
    CHECK_THROWS_AS((void)may_see({}, {.region = 64}), InvalidArgument);
    CHECK_THROWS_AS((void)promote(Scores{1}, Positions{1}), InvalidArgument);
    CHECK_THROWS_AS((void)promote(Scores{1}, Positions{0}, {.weight = -1.0F}), InvalidArgument);
    CHECK_THROWS_AS((void)promote(Scores{-1}, Positions{}, {.boost = Boost::Multiplicative}), InvalidArgument);
    CHECK_THROWS_AS((void)promote(Scores{std::numeric_limits<float>::quiet_NaN()}, Positions{}), InvalidArgument);
    CHECK_THROWS_AS((void)promote(Scores{3e38F}, Positions{0}, {.weight = 3e38F}), InvalidArgument);
}

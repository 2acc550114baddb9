// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/scored.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>
#include <vector>

using funnel::ranks_before;
using funnel::Scored;

static_assert(std::is_trivially_copyable_v<Scored<>>);
static_assert(std::is_aggregate_v<Scored<>>);
static_assert(sizeof(Scored<>) == 8);
static_assert(std::is_same_v<decltype(Scored<>::id), std::uint32_t>);

TEST_CASE("Scored: equal if both the item and the score are") {
    CHECK(Scored<>{1, 2.0F} == Scored<>{1, 2.0F});
    CHECK(Scored<>{1, 2.0F} != Scored<>{1, 3.0F});
    CHECK(Scored<>{1, 2.0F} != Scored<>{4, 2.0F});
}

TEST_CASE("ranks_before: higher score first, then the smaller id") {
    CHECK(ranks_before(Scored<>{9, 2.0F}, Scored<>{1, 1.0F}));
    CHECK_FALSE(ranks_before(Scored<>{1, 1.0F}, Scored<>{9, 2.0F}));
    CHECK(ranks_before(Scored<>{1, 1.0F}, Scored<>{2, 1.0F}));
    CHECK_FALSE(ranks_before(Scored<>{2, 1.0F}, Scored<>{1, 1.0F}));
    CHECK_FALSE(ranks_before(Scored<>{1, 1.0F}, Scored<>{1, 1.0F}));
}

TEST_CASE("ranks_before: zero has one value, infinities have their place") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    CHECK(ranks_before(Scored<>{1, -0.0F}, Scored<>{2, 0.0F}));
    CHECK(ranks_before(Scored<>{1, 0.0F}, Scored<>{2, -0.0F}));
    CHECK(ranks_before(Scored<>{5, infinity}, Scored<>{1, 3.0F}));
    CHECK(ranks_before(Scored<>{5, 3.0F}, Scored<>{1, -infinity}));
}

TEST_CASE("ranks_before: sorts any id type") {
    std::vector<Scored<std::int64_t>> hits{{-1, 0.5F}, {7, 0.9F}, {-5, 0.5F}};
    std::sort(hits.begin(), hits.end(), ranks_before);
    CHECK(hits == std::vector<Scored<std::int64_t>>{{7, 0.9F}, {-5, 0.5F}, {-1, 0.5F}});
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: a NaN that reaches the order of results is found out") {
    using funnel::testing::dies;
    constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
    CHECK(dies([] { (void)ranks_before(Scored<>{1, not_a_number}, Scored<>{2, 1.0F}); }, "is_nan(a.score)"));
    CHECK(dies([] { (void)ranks_before(Scored<>{1, 1.0F}, Scored<>{2, not_a_number}); }, "is_nan(b.score)"));
}
#endif

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/novelty.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Scored;
using funnel::metrics::novelty;
using funnel::metrics::self_information;

namespace {

using Ids = std::vector<std::uint32_t>;

// Four users: A is known by all of them, B by two, C by one, D by nobody. Seven interactions in all.
const Ids users_of_item{4, 2, 1, 0};

}  // namespace

TEST_CASE("novelty: worked by hand") {
    CHECK(self_information(4, 4) == 0.0);
    CHECK(self_information(2, 4) == 1.0);
    CHECK(self_information(1, 4) == 2.0);
    CHECK(novelty(Ids{1, 2}, users_of_item, 4) == 1.5);  // (1 + 2) / 2
    CHECK(novelty(Ids{0}, users_of_item, 4) == 0.0);
}

TEST_CASE("novelty: an item that nobody knows counts as known by one user, and stays in the mean") {
    CHECK(novelty(Ids{1, 3}, users_of_item, 4) == 1.5);
    CHECK(self_information(0, 4) == self_information(1, 4));
}

TEST_CASE("novelty: is not the variant that counts interactions") {
    // -log2(count / interactions): 2.307355 for B, C; and 0.903677 for B, D, where D falls out of the sum only.
    CHECK((-std::log2(2.0 / 7.0) - std::log2(1.0 / 7.0)) / 2.0 == Approx(2.307355).epsilon(1e-6));
    CHECK(-std::log2(2.0 / 7.0) / 2.0 == Approx(0.903677).epsilon(1e-6));
    CHECK(novelty(Ids{1, 2}, users_of_item, 4) < 2.0);
    CHECK(novelty(Ids{1, 3}, users_of_item, 4) > 1.0);
}

TEST_CASE("novelty: takes ids in any order, or what recommend() returns") {
    CHECK(novelty(Ids{2, 1}, users_of_item, 4) == 1.5);
    CHECK(novelty(std::vector<Scored<>>{{1, 0.9F}, {2, 0.1F}}, users_of_item, 4) == 1.5);
}

TEST_CASE("novelty: an empty list has none") {
    CHECK(funnel::math::is_nan(novelty(Ids{}, users_of_item, 4)));
}

TEST_CASE("novelty: rejects unknown items and impossible counts") {
    CHECK_THROWS_AS((void)novelty(Ids{4}, users_of_item, 4), InvalidArgument);
    CHECK_THROWS_AS((void)novelty(Ids{0}, users_of_item, 3), InvalidArgument);
    CHECK_THROWS_AS((void)novelty(Ids{3}, users_of_item, 0), InvalidArgument);
}

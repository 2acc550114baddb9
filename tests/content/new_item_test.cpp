// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/content/new_item.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Scored;
using funnel::content::new_item_factors;

namespace {

using List = std::vector<Scored<>>;
using Floats = std::vector<float>;

Matrix<float> factors() {
    Matrix<float> rows(3, 2);
    rows(0, 0) = 4.0F;
    rows(1, 1) = 8.0F;
    rows(2, 0) = -2.0F;
    rows(2, 1) = 2.0F;
    return rows;
}

}  // namespace

TEST_CASE("new_item_factors: the mean of similar rows, weighted by similarity") {
    CHECK(new_item_factors(List{{0, 3.0F}, {1, 1.0F}}, factors()) == Floats{3.0F, 2.0F});
    CHECK(new_item_factors(List{{2, 0.25F}}, factors()) == Floats{-2.0F, 2.0F});
    CHECK(new_item_factors(List{}, factors()) == Floats{0.0F, 0.0F});
    CHECK(new_item_factors(List{{2, 0.0F}}, factors()) == Floats{0.0F, 0.0F});
}

TEST_CASE("new_item_factors: own factors take over as interactions arrive") {
    const Floats own{0.0F, 10.0F};
    const List similar{{0, 1.0F}};
    CHECK(new_item_factors(similar, factors(), {.own = own}) == Floats{4.0F, 0.0F});
    CHECK(new_item_factors(similar, factors(), {.own = own, .interactions = 10, .strength = 10.0}) ==
          Floats{2.0F, 5.0F});
    CHECK(new_item_factors(similar, factors(), {.own = own, .interactions = 30, .strength = 10.0}) ==
          Floats{1.0F, 7.5F});
    const Floats many =
        new_item_factors(similar, factors(), {.own = own, .interactions = std::numeric_limits<std::size_t>::max()});
    CHECK(many[1] == doctest::Approx(10.0F));
}

TEST_CASE("new_item_factors: unknown items, other sizes and numbers that are not finite are errors") {
    CHECK_THROWS_WITH_AS(static_cast<void>(new_item_factors(List{{3, 1.0F}}, factors())),
                         "new_item_factors: every similar item must be below 3, got 3", InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(new_item_factors(List{{0, -1.0F}}, factors())), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(new_item_factors(List{{0, std::nanf("")}}, factors())), InvalidArgument);
    const Floats short_row{1.0F};
    CHECK_THROWS_AS(static_cast<void>(new_item_factors(List{}, factors(), {.own = short_row})), InvalidArgument);
    const Floats broken{1.0F, std::nanf("")};
    CHECK_THROWS_AS(static_cast<void>(new_item_factors(List{}, factors(), {.own = broken})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(new_item_factors(List{}, factors(), {.strength = 0.0})), InvalidArgument);
    Matrix<float> rows = factors();
    rows(1, 0) = std::nanf("");
    CHECK_THROWS_WITH_AS(static_cast<void>(new_item_factors(List{{1, 1.0F}}, rows)),
                         "new_item_factors: factors of item 1 must be finite", InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/options.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>

using namespace funnel;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

}  // namespace

TEST_CASE("options: values in range, the limits included or not, are no error") {
    require_finite(-1e30, "f: x");
    require_positive(std::numeric_limits<float>::min(), "f: x");
    require_not_negative(0.0, "f: x");
    require_not_negative(-0.0F, "f: x");
    require_between(0.0F, 0.0, 1.0, "f: x");
    require_between(1.0, 0.0, 1.0, "f: x");
    require_inside(0.5F, 0.0, 1.0, "f: x");
    require_at_least(1, 1, "f: n");
    require_below(2, 3, "f: id");
    require_equal(3, 3, "f: n");
    require_between(std::size_t{2}, 2, 2, "f: n");
}

TEST_CASE("options: an error says what must hold and what was found") {
    CHECK_THROWS_WITH_AS(require_finite(infinity, "f: x"), "f: x must be finite, got inf", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_positive(-1e-30F, "EASE: lambda"), "EASE: lambda must be finite and > 0, got -1e-30",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(require_positive(0.0, "f: x"), "f: x must be finite and > 0, got 0", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_not_negative(-2.5, "f: x"), "f: x must be finite and >= 0, got -2.5", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_between(1.5F, 0.0, 1.0, "mmr: lambda"), "mmr: lambda must lie in [0, 1], got 1.5",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(require_inside(1.0, 0.0, 1.0, "f: x"), "f: x must lie in (0, 1), got 1", InvalidArgument);
    CHECK_THROWS_AS(require_inside(0.0F, 0.0, 1.0, "f: x"), InvalidArgument);
    CHECK_THROWS_WITH_AS(require_at_least(0, 1, "f: n"), "f: n must be at least 1, got 0", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_below(3, 3, "f: id"), "f: id must be below 3, got 3", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_equal(2, 3, "f: n"), "f: n must be 3, got 2", InvalidArgument);
    CHECK_THROWS_AS(require_equal(4, 3, "f: n"), InvalidArgument);
    CHECK_THROWS_WITH_AS(require_between(std::size_t{5}, 2, 4, "f: n"), "f: n must lie in [2, 4], got 5",
                         InvalidArgument);
    CHECK_THROWS_AS(require_between(std::size_t{1}, 2, 4, "f: n"), InvalidArgument);
}

TEST_CASE("options: a NaN is rejected by every check of numbers") {
    CHECK_THROWS_AS(require_finite(not_a_number, "f: x"), InvalidArgument);
    CHECK_THROWS_AS(require_positive(not_a_number, "f: x"), InvalidArgument);
    CHECK_THROWS_AS(require_not_negative(not_a_number, "f: x"), InvalidArgument);
    CHECK_THROWS_AS(require_between(not_a_number, 0.0, 1.0, "f: x"), InvalidArgument);
    CHECK_THROWS_AS(require_inside(not_a_number, 0.0, 1.0, "f: x"), InvalidArgument);
    CHECK_THROWS_AS(require_positive(infinity, "f: x"), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/rating.hpp>

#include <funnel/core/math.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::metrics::rating_errors;

namespace {

using Ratings = std::vector<float>;

}  // namespace

TEST_CASE("rating_errors: worked by hand") {
    // Errors 1, -1, 2, 0; ratings 2, 4, 1, 5 with mean 3: deviations 1 + 1 + 4 + 4 = 10.
    const auto errors = rating_errors(Ratings{3, 3, 3, 5}, Ratings{2, 4, 1, 5});
    CHECK(errors.rmse == Approx(1.224744871391589));  // sqrt(6 / 4)
    CHECK(errors.mae == 1.0);
    CHECK(errors.bias == 0.5);
    CHECK(errors.r_squared == Approx(0.4));           // 1 - 6 / 10
    CHECK(errors.explained_variance == Approx(0.5));  // 1 - (0.25 + 2.25 + 2.25 + 0.25) / 10
    CHECK(errors.largest == 2.0);
}

TEST_CASE("rating_errors: a constant shift is bias, not missing explanation") {
    const auto errors = rating_errors(Ratings{2, 3, 4}, Ratings{1, 2, 3});
    CHECK(errors.explained_variance == 1.0);
    CHECK(errors.r_squared == Approx(-0.5));
}

TEST_CASE("rating_errors: no rating, equal ratings") {
    const auto none = rating_errors({}, {});
    CHECK(funnel::math::is_nan(none.rmse));
    CHECK(funnel::math::is_nan(none.largest));
    const auto equal = rating_errors(Ratings{1, 3}, Ratings{2, 2});
    CHECK(equal.rmse == 1.0);
    CHECK(funnel::math::is_nan(equal.r_squared));
}

TEST_CASE("rating_errors: rejects sizes that differ, and NaN") {
    CHECK_THROWS_AS(static_cast<void>(rating_errors(Ratings{1}, Ratings{})), InvalidArgument);
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(static_cast<void>(rating_errors(Ratings{infinity}, Ratings{1})), InvalidArgument);
    const float missing = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(static_cast<void>(rating_errors(Ratings{1}, Ratings{missing})), InvalidArgument);
}

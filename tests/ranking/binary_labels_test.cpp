// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/binary_labels.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::ranking::detail::finite_score;
using funnel::ranking::detail::logistic;
using funnel::ranking::detail::require_binary_labels;

TEST_CASE("logistic: known values, and the right ends") {
    CHECK(logistic(0.0) == 0.5);
    CHECK(logistic(std::log(3.0)) == Approx(0.75));
    CHECK(logistic(-std::log(3.0)) == Approx(0.25));
    CHECK(logistic(1000.0) == 1.0);
    CHECK(logistic(-1000.0) == 0.0);
    CHECK(logistic(-40.0) == Approx(std::exp(-40.0)));
}

TEST_CASE("require_binary_labels: says what is wrong, and where") {
    require_binary_labels(std::vector<float>{0, 1, 1}, 3, "fit");
    require_binary_labels({}, 0, "fit");
    CHECK_THROWS_WITH_AS(require_binary_labels(std::vector<float>{0, 1}, 3, "fit"),
                         "fit: labels must have 3 elements, one per row, got 2", InvalidArgument);
    CHECK_THROWS_WITH_AS(require_binary_labels(std::vector<float>{0, 0.5F}, 2, "fit"),
                         "fit: the label of row 1 must be 0 or 1, got 0.500000", InvalidArgument);
    CHECK_THROWS_AS(require_binary_labels(std::vector<float>{std::numeric_limits<float>::quiet_NaN()}, 1, "fit"),
                    InvalidArgument);
    CHECK_THROWS_AS(require_binary_labels(std::vector<float>{-1}, 1, "fit"), InvalidArgument);
}

TEST_CASE("finite_score: a double beyond the range of a float becomes the end of that range") {
    constexpr float most = std::numeric_limits<float>::max();
    CHECK(finite_score(0.1) == 0.1F);
    CHECK(finite_score(static_cast<double>(most)) == most);
    CHECK(finite_score(1e39) == most);
    CHECK(finite_score(-1e300) == -most);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/objectives.hpp>

#include <funnel/core/error.hpp>

#include "rerank/objectives.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::rerank::scale_objectives;
using namespace funnel::testing;

TEST_CASE("scale_objectives: worked by hand") {
    // Relevance from 1 to 3, age from -20 to 0, and a margin that is the same for all.
    const auto scaled = scale_objectives(matrix_of({{1, -20, 7}, {3, -5, 7}, {2, 0, 7}}));
    CHECK(scaled.rows() == 3);
    CHECK(scaled.cols() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(scaled(i, 0) == matrix_of({{0}, {1}, {0.5F}})(i, 0));
        CHECK(scaled(i, 1) == matrix_of({{0}, {0.75F}, {1}})(i, 0));
        CHECK(scaled(i, 2) == 0.0F);
    }
}

TEST_CASE("scale_objectives: no, one and extreme values") {
    CHECK(scale_objectives(Matrix<float>(0, 2)).rows() == 0);
    CHECK(scale_objectives(matrix_of({{5, -5}}))(0, 1) == 0.0F);
    constexpr float huge = std::numeric_limits<float>::max();
    const auto scaled = scale_objectives(matrix_of({{-huge}, {huge}, {0}}));  // the difference is not a float
    CHECK(scaled(0, 0) == 0.0F);
    CHECK(scaled(1, 0) == 1.0F);
    CHECK(scaled(2, 0) == 0.5F);
}

TEST_CASE("scale_objectives: rejects NaN and no objectives, and says where") {
    CHECK_THROWS_AS((void)scale_objectives(Matrix<float>(3, 0)), InvalidArgument);
    for (const float wrong : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK_THROWS_AS((void)scale_objectives(matrix_of({{0, 1}, {0, wrong}})), InvalidArgument);
    }
    const auto with_nan = matrix_of({{0, 1}, {0, std::numeric_limits<float>::quiet_NaN()}});
    CHECK_THROWS_WITH((void)scale_objectives(with_nan),
                      "scale_objectives: objectives must be finite, got nan for candidate 1, objective 1");
}

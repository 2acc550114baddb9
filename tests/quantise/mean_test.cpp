// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/mean.hpp>

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using funnel::Matrix;
using funnel::quantise::Mean;

TEST_CASE("Mean: worked by hand") {
    Matrix<float> rows(3, 2);
    rows(0, 0) = 1.0F;
    rows(1, 0) = 2.0F;
    rows(2, 0) = 6.0F;
    rows(2, 1) = 12.0F;
    const Mean mean(rows);
    CHECK(mean.values()[0] == 3.0F);
    CHECK(mean.values()[1] == 4.0F);
    CHECK(mean.length() == 5.0);
    CHECK(mean.memory_bytes() == 8);
    CHECK(mean.centred(rows.row(2), 1) == 8.0);
}

TEST_CASE("Mean: zero without rows, and for rows of zeros") {
    CHECK(Mean(Matrix<float>(0, 3)).length() == 0.0);
    CHECK(Mean(Matrix<float>(4, 3)).values()[2] == 0.0F);
    CHECK(Mean().values().empty());
}

TEST_CASE("Mean: a vector more than 1024 times as long as the median one does not move it") {
    Matrix<float> rows(5, 1);
    for (std::size_t i = 0; i < 4; ++i) {
        rows(i, 0) = 2.0F + static_cast<float>(i);
    }
    rows(4, 0) = 4096.0F;  // 1024 times the median, 4: it counts
    CHECK(Mean(rows).values()[0] == 4110.0F / 5.0F);
    for (const float outlier : {4097.0F, -0x1p62F}) {
        rows(4, 0) = outlier;
        CHECK(Mean(rows).values()[0] == 3.5F);
    }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/rerank/serendipity.hpp>

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <limits>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::rerank::serendipity;

TEST_CASE("serendipity: relevant and unlike the history") {
    Matrix<float> embeddings(4, 2);
    embeddings(0, 0) = 2.0F;   // (2, 0)
    embeddings(1, 1) = 3.0F;   // (0, 3)
    embeddings(2, 0) = -1.0F;  // (-1, 0), and a row of zeros
    Matrix<float> history(2, 2);
    history(0, 0) = 5.0F;  // (5, 0) and (3, 4): cosines with the rows: 1 and .6, 0 and .8, -1 and -.6, 0 and 0
    history(1, 0) = 3.0F;
    history(1, 1) = 4.0F;
    const std::vector<float> relevance{1.0F, 1.0F, 0.5F, 0.25F};
    const std::vector<float> scores = serendipity(relevance, embeddings, history);
    REQUIRE(scores.size() == 4);
    CHECK(scores[0] == doctest::Approx(0.2));   // 1 * (1 - .8)
    CHECK(scores[1] == doctest::Approx(0.6));   // 1 * (1 - .4)
    CHECK(scores[2] == doctest::Approx(0.9));   // .5 * (1 + .8)
    CHECK(scores[3] == doctest::Approx(0.25));  // .25 * (1 - 0)
    CHECK(serendipity(relevance, embeddings, Matrix<float>(0, 0)) == relevance);
}

TEST_CASE("serendipity: rejects what is out of range") {
    Matrix<float> embeddings(1, 2);
    const Matrix<float> history(1, 2);
    CHECK_THROWS_AS((void)serendipity(std::vector<float>{1, 2}, embeddings, history), InvalidArgument);
    CHECK_THROWS_AS((void)serendipity(std::vector<float>{1}, embeddings, Matrix<float>(1, 3)), InvalidArgument);
    CHECK_THROWS_AS((void)serendipity(std::vector<float>{-1}, embeddings, history), InvalidArgument);
    embeddings(0, 0) = std::numeric_limits<float>::quiet_NaN();
    embeddings(0, 1) = 1.0F;
    Matrix<float> ones(1, 2);
    ones(0, 0) = 1.0F;
    CHECK_THROWS_AS((void)serendipity(std::vector<float>{1}, embeddings, ones), InvalidArgument);
}

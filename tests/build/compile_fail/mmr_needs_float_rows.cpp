// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: MatrixLike
#include <funnel/core/matrix.hpp>
#include <funnel/rerank/mmr.hpp>

#include <vector>

int main() {
    const std::vector<float> relevance{1.0F};
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::Matrix<double> embeddings(1, 1);  // would be read as similarities by its call operator
#else
    const funnel::Matrix<float> embeddings(1, 1);
#endif
    return funnel::rerank::mmr(relevance, embeddings).size() == 1 ? 0 : 1;
}

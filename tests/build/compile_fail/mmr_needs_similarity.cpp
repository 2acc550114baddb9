// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: PairSimilarity
#include <funnel/rerank/mmr.hpp>

#include <string>
#include <vector>

int main() {
    const std::vector<float> relevance{1.0F};
#ifdef FUNNEL_EXPECT_FAILURE
    const auto similarity = [](std::size_t, std::size_t) { return std::string("not a number"); };
#else
    const auto similarity = [](std::size_t, std::size_t) { return 0.0F; };
#endif
    return funnel::rerank::mmr(relevance, similarity).size() == 1 ? 0 : 1;
}

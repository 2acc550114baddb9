// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: a rule must be a Reranker
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const auto rule = [](const Request&, const Candidates&) { return std::vector<float>{}; };  // scores, not positions
#else
    const auto rule = [](const Request&, const Candidates&) { return std::vector<std::size_t>{}; };
#endif
    const Funnel funnel(retrieve(nothing), rerank(rule));
    return funnel.recommend(1).empty() ? 0 : 1;
}

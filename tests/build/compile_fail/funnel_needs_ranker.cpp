// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: the model must be a Ranker
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const auto model = [](const Request&, std::uint32_t) { return 0.5F; };  // scores one item, not all
#else
    const auto model = [](const Request&, const Candidates& all) { return std::vector<float>(all.size()); };
#endif
    const Funnel funnel(retrieve(nothing), rank(model));
    return funnel.recommend(1).empty() ? 0 : 1;
}

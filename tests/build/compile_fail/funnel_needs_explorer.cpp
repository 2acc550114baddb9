// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: the explorer must be callable as .request, candidates, n., returning .id and .propensity
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

struct Drawn {
    std::uint32_t id;
#ifndef FUNNEL_EXPECT_FAILURE
    double propensity;
#endif
};

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
    const auto draw = [](const Request&, const Candidates&, std::size_t) { return std::vector<Drawn>{}; };
    const Funnel funnel(retrieve(nothing), explore(draw, {4}));
    return funnel.recommend(1).empty() ? 0 : 1;
}

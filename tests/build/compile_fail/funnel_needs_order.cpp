// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: fallback\(...\) must be the last stage
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const Funnel funnel(retrieve(nothing), fallback(nothing), rerank());
#else
    const Funnel funnel(retrieve(nothing), rerank(), fallback(nothing));
#endif
    return funnel.recommend(1).empty() ? 0 : 1;
}

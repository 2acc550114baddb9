// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: a level must be a Retriever
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const std::vector<std::uint32_t> level{1, 2, 3};  // a list, not a source
#else
    const auto level = nothing;
#endif
    const Funnel funnel(retrieve(nothing), fallback(level));
    return funnel.recommend(1).empty() ? 0 : 1;
}

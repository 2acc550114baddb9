// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: a source must be a Retriever
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const auto source = [](const Request&) { return std::vector<funnel::Scored<>>{}; };  // asks for no count
#else
    const auto source = nothing;
#endif
    const Funnel funnel(retrieve(nothing, source));
    return funnel.recommend(1).empty() ? 0 : 1;
}

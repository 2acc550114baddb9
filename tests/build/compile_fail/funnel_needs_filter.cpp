// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: a condition must be a Filter
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    const auto keep = [](std::uint32_t) { return true; };  // does not take the request
#else
    const auto keep = [](const Request&, std::uint32_t) { return true; };
#endif
    const Funnel funnel(retrieve(nothing), filter(keep));
    return funnel.recommend(1).empty() ? 0 : 1;
}

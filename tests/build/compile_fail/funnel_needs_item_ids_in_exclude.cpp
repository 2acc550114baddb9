// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: request.exclude must be a contiguous list
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

using namespace funnel::pipeline;

struct PageRequest {
    std::uint32_t user = 0;
    std::size_t k = 10;
#ifdef FUNNEL_EXPECT_FAILURE
    std::vector<std::int64_t> exclude = {};
#else
    std::vector<std::uint32_t> exclude = {};
#endif
};

int main() {
    const auto nothing = [](const PageRequest&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
    return Funnel(retrieve(nothing)).recommend(PageRequest{}).empty() ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: at most 32 sources
#include <funnel/pipeline/funnel.hpp>

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

using namespace funnel::pipeline;

int main() {
    const auto nothing = [](const Request&, std::size_t) { return std::vector<funnel::Scored<>>{}; };
#ifdef FUNNEL_EXPECT_FAILURE
    constexpr std::size_t sources = 32;  // and one level
#else
    constexpr std::size_t sources = 31;
#endif
    const auto make = [&]<std::size_t... I>(std::index_sequence<I...>) {
        return Funnel(retrieve((static_cast<void>(I), nothing)...), fallback(nothing));
    };
    return make(std::make_index_sequence<sources>{}).recommend(1).empty() ? 0 : 1;
}

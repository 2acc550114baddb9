// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: predicate
#include <funnel/data/interactions.hpp>

#include <cstddef>

int main() {
    const funnel::data::Interactions log;
#ifdef FUNNEL_EXPECT_FAILURE
    return static_cast<int>(funnel::data::where(log, [](std::size_t) {}).size());
#else
    return static_cast<int>(funnel::data::where(log, [](std::size_t) { return true; }).size());
#endif
}

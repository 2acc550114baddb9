// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: SlateRule
#include <funnel/rerank/fill_slate.hpp>

#include <cstddef>
#include <vector>

int main() {
    struct OnlyAllows {
        [[nodiscard]] bool allows(std::size_t) const { return true; }
#ifndef FUNNEL_EXPECT_FAILURE
        void place(std::size_t) {}
#endif
    };
    const std::vector<float> relevance{1.0F};
    return funnel::rerank::fill_slate(relevance, 1, OnlyAllows{}).size() == 1 ? 0 : 1;
}

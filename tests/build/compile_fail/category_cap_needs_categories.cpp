// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: Categories
#include <funnel/rerank/category_cap.hpp>

#include <array>
#include <cstddef>
#include <cstdint>

int main() {
#ifdef FUNNEL_EXPECT_FAILURE
    const auto categories = [](std::size_t) { return std::uint32_t{7}; };  // a category, not a range of them
#else
    const auto categories = [](std::size_t) { return std::array{std::uint32_t{7}}; };
#endif
    return funnel::rerank::category_cap(1, categories).size() == 1 ? 0 : 1;
}

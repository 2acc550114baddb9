// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: deleted
#include <funnel/rerank/group_cap.hpp>

#include <cstdint>
#include <vector>

int main() {
    const std::vector<std::uint32_t> genres{1, 2};
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::rerank::GroupCap rule(funnel::rerank::Groups(genres), {.at_most = 1});
#else
    const funnel::rerank::Groups groups(genres);
    const funnel::rerank::GroupCap rule(groups, {.at_most = 1});
#endif
    return rule.allows(0) ? 0 : 1;
}

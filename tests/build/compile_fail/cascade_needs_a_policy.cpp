// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: Policy
#include <funnel/bandits/cascading.hpp>
#include <funnel/bandits/ucb1.hpp>

#include <cstddef>
#include <vector>

struct OnlyLearns {
    void update(std::size_t /*arm*/, double /*reward*/) {}
};

int main() {
#ifdef FUNNEL_EXPECT_FAILURE
    OnlyLearns policy;
#else
    funnel::bandits::UCB1 policy(2);
#endif
    const std::vector<std::size_t> shown{0, 1};
    funnel::bandits::update_cascade(policy, shown, 1);
    return 0;
}

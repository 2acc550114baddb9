// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: deleted
#include <funnel/cf/popularity.hpp>
#include <funnel/data/interactions.hpp>

int main() {
    const funnel::data::Interactions log;
#ifdef FUNNEL_EXPECT_FAILURE
    const auto scores = funnel::cf::Popularity::fit(log).scores();
#else
    const auto model = funnel::cf::Popularity::fit(log);
    const auto scores = model.scores();
#endif
    return scores.empty() ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: deleted
#include <funnel/data/synthetic_oracle.hpp>

int main() {
    const funnel::data::SyntheticWorld world({.users = 2, .items = 4, .rows = 2});
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::data::SyntheticOracle oracle(funnel::data::SyntheticWorld({.users = 2, .items = 4, .rows = 2}),
                                               world.log(), world.log());
#else
    const funnel::data::SyntheticOracle oracle(world, world.log(), world.log());
#endif
    return static_cast<int>(oracle.recommend(0).size());
}

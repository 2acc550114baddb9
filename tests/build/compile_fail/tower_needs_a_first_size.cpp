// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: the first layer must have a size
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/tower.hpp>

using namespace funnel::nn;

#ifdef FUNNEL_EXPECT_FAILURE
using First = ReLU;
#else
using First = Dense<136, 256>;
#endif

int main() {
    const Tower<First, Dense<256, 64>> tower(1);
    return tower.parameters().empty() ? 1 : 0;
}

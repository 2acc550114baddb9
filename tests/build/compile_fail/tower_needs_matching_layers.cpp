// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: each layer must take as many numbers as the layer before it gives
// expect: Neighbours<2,.*Elementwise<.*ReLU, 256>.*Dense<128, 64>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/tower.hpp>

using namespace funnel::nn;

#ifdef FUNNEL_EXPECT_FAILURE
using Second = Dense<128, 64>;
#else
using Second = Dense<256, 64>;
#endif

int main() {
    const Tower<Dense<136, 256>, ReLU, Second> tower(1);
    return tower.parameters().empty() ? 1 : 0;
}

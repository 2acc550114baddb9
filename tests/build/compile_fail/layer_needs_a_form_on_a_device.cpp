// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: a layer has no form on a device; these have one: Dense, .*Residual
// expect: LayerThere<.*GRU<4, 3, 5>
// lines: 30
#include <funnel/nn/cuda/layers.cuh>
#include <funnel/nn/gru.hpp>
#include <funnel/nn/layer_norm.hpp>

using namespace funnel::nn;

#ifdef FUNNEL_EXPECT_FAILURE
using L = GRU<4, 3, 5>;
#else
using L = LayerNorm<4>;
#endif

int main() {
    return static_cast<int>(sizeof(detail::LayerThere<L>)) - static_cast<int>(4 * sizeof(const float*));
}

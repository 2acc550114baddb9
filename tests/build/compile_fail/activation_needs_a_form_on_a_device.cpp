// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: an activation of your own has no form on a device
// expect: ElementThere<.*Square>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/cuda/layers.cuh>

using namespace funnel::nn;

struct Square {
    static constexpr const char* name = "Square";
    template <class T>
    static T value(T x) {
        return x * x;
    }
    template <class T>
    static T slope(T x, T /*y*/) {
        return 2 * x;
    }
};

#ifdef FUNNEL_EXPECT_FAILURE
using F = Square;
#else
using F = ReLU;
#endif

int main() {
    return detail::ElementThere<F>{}(2.0F) == 2.0F ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: HostBackend|constraint
#include <funnel/kernels/dot.hpp>

#include <vector>

struct NotABackend {};

int main() {
    const std::vector<float> a{1.0F};
#ifdef FUNNEL_EXPECT_FAILURE
    return static_cast<int>(funnel::kernels::dot<NotABackend>(a, a));
#else
    return static_cast<int>(funnel::kernels::dot<funnel::kernels::Scalar>(a, a));
#endif
}

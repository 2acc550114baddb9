// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/config.hpp>
#include <funnel/kernels/dot.hpp>

#include <cstdio>
#include <vector>

int main() {
    const std::vector<float> user{1.0F, 2.0F, 3.0F};
    const std::vector<float> item{4.0F, 5.0F, 6.0F};
    const float score = funnel::kernels::dot(user, item);
    std::printf("funnel %d.%d.%d, %s: %g\n", FUNNEL_VERSION_MAJOR, FUNNEL_VERSION_MINOR, FUNNEL_VERSION_PATCH,
                FUNNEL_WITH_XSIMD ? "xsimd" : "plain loops", static_cast<double>(score));
    return score == 32.0F ? 0 : 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: \[-Werror,-Wdangling\]
#include <funnel/core/shared.hpp>

int main() {
#ifdef FUNNEL_EXPECT_FAILURE
    const int* value = funnel::Shared<int>(3).get();
#else
    const funnel::Shared<int> shared(3);
    const int* value = shared.get();
#endif
    return *value - *funnel::Shared<int>(3).get();
}

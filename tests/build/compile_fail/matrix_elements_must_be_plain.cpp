// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: is_trivially_copyable
#include <funnel/core/matrix.hpp>

#include <string>

#ifdef FUNNEL_EXPECT_FAILURE
using Element = std::string;
#else
using Element = float;
#endif

int main() {
    const funnel::Matrix<Element> matrix(2, 3);
    return static_cast<int>(matrix.rows()) - 2;
}

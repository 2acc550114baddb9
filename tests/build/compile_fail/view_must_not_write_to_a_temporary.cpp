// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: (conversion|convert|convertible|viable)
#include <funnel/core/matrix.hpp>

void clear(funnel::MatrixView<float> matrix) {
    matrix(0, 0) = 0.0F;
}

int main() {
#ifdef FUNNEL_EXPECT_FAILURE
    clear(funnel::Matrix<float>(2, 3));
#else
    funnel::Matrix<float> matrix(2, 3);
    clear(matrix);
#endif
}

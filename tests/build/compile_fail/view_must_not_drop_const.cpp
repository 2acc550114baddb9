// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect: (conversion|convert|convertible|viable)
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

int main() {
    const funnel::Matrix<float> matrix(2, 3);
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::MatrixView<float> view = matrix;
#else
    const funnel::MatrixView<const float> view = matrix;
#endif
    return static_cast<int>(view.rows()) - 2;
}

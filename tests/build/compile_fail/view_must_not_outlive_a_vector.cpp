// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: \[-Werror,-Wdangling\]
#include <funnel/core/matrix_view.hpp>

#include <vector>

float first(funnel::MatrixView<const float> matrix) {
    return matrix(0, 0);
}

int main() {
    const float as_an_argument = first(funnel::MatrixView<const float>(std::vector<float>(6), 2, 3));
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::MatrixView<const float> view(std::vector<float>(6), 2, 3);
#else
    const std::vector<float> elements(6);
    const funnel::MatrixView<const float> view(elements, 2, 3);
#endif
    return static_cast<int>(first(view) + as_an_argument);
}

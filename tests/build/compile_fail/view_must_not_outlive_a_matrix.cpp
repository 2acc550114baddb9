// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: (?s)'view'.*\[-Werror,-Wdangling\].*'called'.*'row'.*'padded'.*'element'.*'in_eigen'
#include <funnel/core/matrix.hpp>

#if __has_include(<Eigen/Core>)
#include <funnel/core/eigen.hpp>
#endif

funnel::Matrix<float> make() {
    return {2, 3};
}

float first(funnel::MatrixView<const float> matrix) {
    return matrix(0, 0);
}

int main() {
    const float as_arguments = first(make()) + first(make().view()) + make().row(1)[0] + make()(0, 1);
#ifdef FUNNEL_EXPECT_FAILURE
    const funnel::MatrixView<const float> view = make();
    const auto called = make().view();
    const auto row = make().row(1);
    const auto padded = make().padded_row(1);
    const float& element = make()(0, 1);
    const auto in_eigen = funnel::as_eigen(make().view());
    return static_cast<int>(first(view) + first(called) + row[0] + padded[0] + element + in_eigen(0, 0));
#else
    funnel::Matrix<float> matrix = make();
    const funnel::MatrixView<float> view = matrix;
    return static_cast<int>(first(view) + first(matrix.view()) + matrix.row(1)[0] + as_arguments);
#endif
}

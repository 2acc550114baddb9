// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// expect-clang: (?s)'row'.*\[-Werror,-Wdangling\].*'offsets'.*'columns'.*'values'
#include <funnel/core/sparse.hpp>

funnel::CSRMatrix<float> make() {
    return funnel::CSRMatrix<float>::from_parts({0, 1}, {0}, {1.0F}, 1);
}

int main() {
    const float in_the_expression = make().row(0).values[0];
#ifdef FUNNEL_EXPECT_FAILURE
    const auto row = make().row(0);
    const auto offsets = make().offsets();
    const auto columns = make().columns();
    const auto values = make().values();
    return static_cast<int>(row.size() + offsets.size() + columns.size() + values.size());
#else
    const auto matrix = make();
    return static_cast<int>(matrix.row(0).size()) + static_cast<int>(in_the_expression);
#endif
}

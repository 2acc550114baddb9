// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/gemv.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::kernels::gemv;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("gemv: worked by hand", Backend, gemv_by_hand) {
    const std::vector<float> a{1.0F, 2.0F, 3.0F,  //
                               4.0F, 5.0F, 6.0F};
    const std::vector<float> x{1.0F, 0.0F, -1.0F};
    std::vector<float> y(2, 99.0F);
    gemv<Backend>(MatrixView<const float>(a, 2, 3), x, y);
    CHECK(y == std::vector<float>{-2.0F, -2.0F});
}
TEST_CASE_TEMPLATE_APPLY(gemv_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("gemv: exact on small whole numbers, for every shape", Backend, gemv_exact) {
    for (const std::size_t rows : {0U, 1U, 2U, 3U, 5U, 12U}) {
        for (const std::size_t cols : {0U, 1U, 4U, 17U, 64U, 67U}) {
            const auto elements = small_integers(rows * cols, 1);
            const auto x = small_integers(cols, 2);
            std::vector<float> expected(rows, 0.0F);
            for (std::size_t i = 0; i < rows; ++i) {
                for (std::size_t j = 0; j < cols; ++j) {
                    expected[i] += elements[i * cols + j] * x[j];
                }
            }
            const MatrixView<const float> a(elements, rows, cols);
            std::vector<float> y(rows, 99.0F);
            gemv<Backend>(a, x, y);
            CHECK(y == expected);
            gemv<Backend>(Matrix<float>(a), x, y);
            CHECK(y == expected);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(gemv_exact, HostBackends);

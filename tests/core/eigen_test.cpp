// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/eigen.hpp>

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <type_traits>
#include <vector>

using funnel::as_eigen;
using funnel::Matrix;
using funnel::MatrixView;

namespace {

Matrix<float> counting(std::size_t rows, std::size_t cols) {
    Matrix<float> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (std::size_t j = 0; j < cols; ++j) {
            matrix(i, j) = static_cast<float>(10 * i + j);
        }
    }
    return matrix;
}

}  // namespace

TEST_CASE("as_eigen: a padded matrix is seen without its padding") {
    const Matrix<float> matrix = counting(3, 5);
    REQUIRE(matrix.stride() > matrix.cols());
    const auto seen = as_eigen(matrix.view());
    CHECK(seen.rows() == 3);
    CHECK(seen.cols() == 5);
    CHECK(seen(2, 4) == 24.0F);
    CHECK(seen.sum() == 15 * 2 + 5 * 30);  // 0 + 1 + .. + 4 in each of 3 rows, and 0, 10, 20 five times
}

TEST_CASE("as_eigen: products agree with the definition") {
    const Matrix<float> a = counting(4, 3);
    const Matrix<float> b = counting(2, 3);
    Matrix<float> c(4, 2);
    as_eigen(c.view()).noalias() = as_eigen(a.view()) * as_eigen(b.view()).transpose();
    for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 2; ++j) {
            float sum = 0.0F;
            for (std::size_t k = 0; k < 3; ++k) {
                sum += a(i, k) * b(j, k);
            }
            CHECK(c(i, j) == sum);  // small whole numbers: exact
        }
    }
    CHECK(c.padded_row(3)[2] == 0.0F);
}

TEST_CASE("as_eigen: writes go to the owner") {
    Matrix<double> matrix(2, 2);
    as_eigen(matrix.view())(1, 0) = 7.0;
    CHECK(matrix(1, 0) == 7.0);

    std::vector<float> vector{1.0F, 2.0F, 3.0F};
    as_eigen(std::span(vector)) *= 2.0F;
    CHECK(vector == std::vector<float>{2.0F, 4.0F, 6.0F});
}

TEST_CASE("as_eigen: read-only in, read-only out") {
    const std::vector<float> vector{3.0F, 4.0F};
    auto seen = as_eigen(std::span(vector));
    CHECK(seen.norm() == 5.0F);
    static_assert(!std::is_assignable_v<decltype(seen(0)), float>);
    static_assert(!std::is_assignable_v<decltype(as_eigen(MatrixView<const float>{})(0, 0)), float>);
}

TEST_CASE("as_eigen: and back again") {
    Matrix<float> matrix = counting(3, 5);
    auto seen = as_eigen(matrix.view());
    const MatrixView<float> back(seen);
    CHECK(back.data() == matrix.view().data());
    CHECK(back.stride() == matrix.stride());
    CHECK(back(2, 3) == 23.0F);
}

TEST_CASE("as_eigen: nothing is something too") {
    CHECK(as_eigen(MatrixView<const float>{}).size() == 0);
    CHECK(as_eigen(std::span<const double>{}).size() == 0);
    CHECK(as_eigen(Matrix<float>(0, 3).view()).cols() == 3);
}

TEST_CASE("MatrixView: of a temporary Eigen matrix as an argument, and of a temporary Map") {
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto last = [](MatrixView<const float> view) { return view(view.rows() - 1, view.cols() - 1); };
    CHECK(last(RowMajor{{1.0F, 2.0F}, {3.0F, 4.0F}}) == 4.0F);
    static_assert(!std::is_convertible_v<RowMajor, MatrixView<float>>, "nobody would read what is written to it");
    static_assert(std::is_convertible_v<RowMajor&, MatrixView<float>>);
    static_assert(!std::is_convertible_v<const RowMajor&, MatrixView<float>>);

    Matrix<float> matrix = counting(3, 5);
    const MatrixView<float> back = as_eigen(matrix.view());
    back(0, 0) = 9.0F;
    CHECK(matrix(0, 0) == 9.0F);
}

#if FUNNEL_CHECKS
TEST_CASE("FUNNEL_CHECKS: a size that is negative in Eigen is found out") {
    CHECK(funnel::testing::dies([] { (void)funnel::eigen_index(std::size_t{1} << 63); }, "core/eigen.hpp:"));
}
#endif

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/linalg/symmetric_eigen.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using namespace funnel;
using linalg::EigenPairs;

namespace {

Matrix<double> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Random random(seed);
    Matrix<double> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (double& x : matrix.row(i)) {
            x = random.normal();
        }
    }
    return matrix;
}

// a b^T
Matrix<double> product(MatrixView<const double> a, MatrixView<const double> b) {
    Matrix<double> result(a.rows(), b.rows());
    for (std::size_t i = 0; i < a.rows(); ++i) {
        for (std::size_t j = 0; j < b.rows(); ++j) {
            for (std::size_t c = 0; c < a.cols(); ++c) {
                result(i, j) += a(i, c) * b(j, c);
            }
        }
    }
    return result;
}

// The columns have length 1 and right angles, and matrix * column = value * column.
void check_pairs(MatrixView<const double> matrix, const EigenPairs& pairs, double tolerance) {
    const std::size_t n = matrix.rows();
    CHECK(std::is_sorted(pairs.values.begin(), pairs.values.end()));
    REQUIRE(pairs.vectors.rows() == n);
    REQUIRE(pairs.vectors.cols() == pairs.values.size());
    for (std::size_t a = 0; a < pairs.values.size(); ++a) {
        for (std::size_t b = 0; b <= a; ++b) {
            double sum = 0.0;
            for (std::size_t i = 0; i < n; ++i) {
                sum += pairs.vectors(i, a) * pairs.vectors(i, b);
            }
            CHECK(std::abs(sum - (a == b ? 1.0 : 0.0)) < tolerance);
        }
        for (std::size_t i = 0; i < n; ++i) {
            double sum = 0.0;
            for (std::size_t j = 0; j < n; ++j) {
                sum += matrix(i, j) * pairs.vectors(j, a);
            }
            CHECK(std::abs(sum - pairs.values[a] * pairs.vectors(i, a)) < tolerance * pairs.values.back());
        }
    }
}

}  // namespace

TEST_CASE("symmetric_eigen: worked by hand") {
    // [2 1; 1 2] has eigenvalues 1 and 3, along (1, -1) and (1, 1).
    const std::vector<double> matrix{2.0, 1.0, 1.0, 2.0};
    const EigenPairs pairs = linalg::symmetric_eigen({matrix, 2, 2});
    CHECK(pairs.values[0] == doctest::Approx(1.0));
    CHECK(pairs.values[1] == doctest::Approx(3.0));
    CHECK(pairs.vectors(0, 0) == doctest::Approx(-pairs.vectors(1, 0)));
    CHECK(pairs.vectors(0, 1) == doctest::Approx(pairs.vectors(1, 1)));
    CHECK(std::abs(pairs.vectors(0, 1)) == doctest::Approx(std::sqrt(0.5)));
}

TEST_CASE("symmetric_eigen: the eigenvalues of a 4 x 4 kernel") {
    const std::vector<double> kernel{2, 1, .5, 0, 1, 2, 1, .5, .5, 1, 2, 1, 0, .5, 1, 2};
    const EigenPairs pairs = linalg::symmetric_eigen({kernel, 4, 4});
    const std::vector<double> expected{.792893218813, .918861169916, 2.20710678119, 4.08113883008};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(pairs.values[i] == doctest::Approx(expected[i]).epsilon(1e-11));
    }
}

TEST_CASE("symmetric_eigen: values and vectors satisfy their definition; the upper triangle is not read") {
    for (const std::size_t n : {1U, 2U, 7U, 40U}) {
        const Matrix<double> half = random_matrix(n, n + 2, n);
        Matrix<double> matrix = product(half, half);
        const EigenPairs pairs = linalg::symmetric_eigen(matrix);
        check_pairs(matrix, pairs, 1e-12);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = i + 1; j < n; ++j) {
                matrix(i, j) = std::numeric_limits<double>::quiet_NaN();
            }
        }
        CHECK(linalg::symmetric_eigen(matrix).values == pairs.values);
    }
    CHECK(linalg::symmetric_eigen({}).values.empty());
}

TEST_CASE("gram_eigen: the pairs of rows * rows^T above zero, for tall, wide and square matrices") {
    for (const auto& shape :
         {std::pair(30U, 6U), std::pair(6U, 30U), std::pair(9U, 9U), std::pair(1U, 4U), std::pair(4U, 1U)}) {
        const auto n = shape.first;
        const auto d = shape.second;
        CAPTURE(n);
        const Matrix<double> rows = random_matrix(n, d, n + d);
        const EigenPairs pairs = linalg::gram_eigen(rows);
        CHECK(pairs.values.size() == std::min(n, d));
        check_pairs(product(rows, rows), pairs, 1e-12);
    }
}

TEST_CASE("gram_eigen: the rank is found, and small eigenvalues are accurate") {
    // Columns of lengths 1 .. 1e-6 at right angles: the eigenvalues are their squares, down to 1e-12.
    const std::size_t n = 40;
    const EigenPairs basis = linalg::gram_eigen(random_matrix(n, 4, 3));
    Matrix<double> rows(n, 6);
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t c = 0; c < 4; ++c) {
            rows(i, c) = basis.vectors(i, c) * std::pow(10.0, -2.0 * static_cast<double>(c));
        }
        rows(i, 4) = rows(i, 0) + rows(i, 1);
        rows(i, 5) = 0.0;
    }
    CHECK(linalg::gram_eigen(rows).values.size() == 4);
    Matrix<double> independent(n, 4);
    for (std::size_t i = 0; i < n; ++i) {
        std::copy_n(rows.row(i).begin(), 4, independent.row(i).begin());
    }
    const EigenPairs pairs = linalg::gram_eigen(independent);
    REQUIRE(pairs.values.size() == 4);
    for (std::size_t c = 0; c < 4; ++c) {
        CHECK(pairs.values[3 - c] == doctest::Approx(std::pow(10.0, -4.0 * static_cast<double>(c))).epsilon(1e-8));
    }
    CHECK(linalg::gram_eigen(Matrix<double>(5, 3)).values.empty());
    CHECK(linalg::gram_eigen(Matrix<double>(3, 5)).vectors.rows() == 3);
    CHECK(linalg::gram_eigen(Matrix<double>(5, 0)).vectors.rows() == 5);
    CHECK(linalg::gram_eigen({}).values.empty());
}

TEST_CASE("gram_eigen: eigenvalues of rounding errors count as zero, those above the tolerance do not") {
    // Products of rank 3. Of the other 5 eigenvalues, rounding makes about half positive.
    for (const auto& [n, d] : {std::pair(30U, 8U), std::pair(8U, 30U), std::pair(8U, 8U)}) {
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const Matrix<double> rows = product(random_matrix(n, 3, seed), random_matrix(d, 3, 100 + seed));
            CHECK(linalg::gram_eigen(rows).values.size() == 3);
        }
    }
    // Eigenvalues 1 and 1e-14, then 1 and 1e-16. The tolerance of two rows is 4 * 2 * 2.2e-16 = 1.8e-15.
    const std::vector<double> above{1.0, 0.0, 0.0, 1e-7};
    const std::vector<double> below{1.0, 0.0, 0.0, 1e-8};
    CHECK(linalg::gram_eigen({above, 2, 2}).values.size() == 2);
    CHECK(linalg::gram_eigen({below, 2, 2}).values.size() == 1);
}

TEST_CASE("symmetric_eigen: a matrix that is not square is rejected") {
    CHECK_THROWS_AS((void)linalg::symmetric_eigen(Matrix<double>(2, 3)), InvalidArgument);
    CHECK_THROWS_AS((void)linalg::symmetric_eigen(Matrix<double>(0, 3)), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/linalg/nearest_rotation.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::linalg::nearest_rotation;

namespace {

Matrix<double> product(const Matrix<double>& a, const Matrix<double>& b) {
    Matrix<double> c(a.rows(), b.cols());
    for (std::size_t i = 0; i < a.rows(); ++i) {
        for (std::size_t k = 0; k < a.cols(); ++k) {
            for (std::size_t j = 0; j < b.cols(); ++j) {
                c(i, j) += a(i, k) * b(k, j);
            }
        }
    }
    return c;
}

double distance_from_orthogonal(const Matrix<double>& r) {
    double most = 0.0;
    for (std::size_t i = 0; i < r.rows(); ++i) {
        for (std::size_t j = 0; j < r.rows(); ++j) {
            double dot = 0.0;
            for (std::size_t k = 0; k < r.cols(); ++k) {
                dot += r(i, k) * r(j, k);
            }
            most = std::max(most, std::abs(dot - (i == j ? 1.0 : 0.0)));
        }
    }
    return most;
}

double largest_difference(const Matrix<double>& a, const Matrix<double>& b) {
    double most = 0.0;
    for (std::size_t i = 0; i < a.rows(); ++i) {
        for (std::size_t j = 0; j < a.cols(); ++j) {
            most = std::max(most, std::abs(a(i, j) - b(i, j)));
        }
    }
    return most;
}

Matrix<double> normals(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Random random(seed);
    Matrix<double> matrix(rows, cols);
    for (std::size_t i = 0; i < rows; ++i) {
        for (double& element : matrix.row(i)) {
            element = random.normal();
        }
    }
    return matrix;
}

// A product of plane rotations.
Matrix<double> random_rotation(std::size_t n, std::uint64_t seed) {
    Random random(seed);
    Matrix<double> rotation(n, n);
    for (std::size_t i = 0; i < n; ++i) {
        rotation(i, i) = 1.0;
    }
    for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            const double angle = 6.0 * random.uniform();
            for (std::size_t k = 0; k < n; ++k) {
                const double x = rotation(i, k);
                const double y = rotation(j, k);
                rotation(i, k) = std::cos(angle) * x - std::sin(angle) * y;
                rotation(j, k) = std::sin(angle) * x + std::cos(angle) * y;
            }
        }
    }
    return rotation;
}

}  // namespace

TEST_CASE("nearest_rotation: worked by hand") {
    // [0 -2; 3 0] is diag(2, 3) after a quarter turn. The turn is the nearest rotation.
    const std::vector<double> elements{0.0, -2.0, 3.0, 0.0};
    const Matrix<double> r = nearest_rotation(MatrixView<const double>(elements, 2, 2));
    const std::vector<double> turn{0.0, -1.0, 1.0, 0.0};
    CHECK(largest_difference(r, Matrix<double>(MatrixView<const double>(turn, 2, 2))) < 1e-14);
}

TEST_CASE("nearest_rotation: finds the rotation R of R S, for symmetric positive definite S") {
    for (const std::size_t n : {1U, 2U, 5U, 16U, 33U}) {
        for (const double scale : {1.0, 1e-200, 1e200}) {
            const Matrix<double> expected = random_rotation(n, n);
            const Matrix<double> rows = normals(2 * n + 3, n, n + 1);
            Matrix<double> s(n, n);
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    for (std::size_t k = 0; k < rows.rows(); ++k) {
                        s(i, j) += scale * rows(k, i) * rows(k, j);
                    }
                }
            }
            CAPTURE(n);
            CAPTURE(scale);
            const Matrix<double> r = nearest_rotation(product(expected, s));
            CHECK(largest_difference(r, expected) < 1e-9);
            CHECK(distance_from_orthogonal(r) < 1e-12);
        }
    }
}

TEST_CASE("nearest_rotation: of a singular matrix, is orthogonal and agrees where the matrix is not zero") {
    const std::size_t n = 12;
    for (const std::size_t rank : {0U, 1U, 5U, 11U}) {
        const Matrix<double> a = product(normals(n, rank, 7), normals(rank, n, 8));
        const Matrix<double> r = nearest_rotation(a);
        CAPTURE(rank);
        CHECK(distance_from_orthogonal(r) < 1e-10);
        // R^T A is symmetric and positive semidefinite exactly if R is a polar factor of A.
        Matrix<double> transposed(n, n);
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                transposed(i, j) = r(j, i);
            }
        }
        const Matrix<double> s = product(transposed, a);
        double asymmetry = 0.0;
        double trace = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            trace += s(i, i);
            for (std::size_t j = 0; j < n; ++j) {
                asymmetry = std::max(asymmetry, std::abs(s(i, j) - s(j, i)));
            }
        }
        CHECK(asymmetry < 1e-8);
        CHECK(trace >= 0.0);
    }
    CHECK(nearest_rotation(Matrix<double>(0, 0)).rows() == 0);
}

TEST_CASE("nearest_rotation: rejects a matrix that is not square") {
    CHECK_THROWS_AS((void)nearest_rotation(Matrix<double>(2, 3)), funnel::InvalidArgument);
}

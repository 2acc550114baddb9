// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

namespace detail {

[[nodiscard]] inline double inner_product(std::span<const double> a, std::span<const double> b) noexcept {
    double sum = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += a[i] * b[i];
    }
    return sum;
}

inline void add_multiple(double factor, std::span<const double> x, std::span<double> y) noexcept {
    for (std::size_t i = 0; i < x.size(); ++i) {
        y[i] += factor * x[i];
    }
}

}  // namespace detail

/// The orthogonal matrix nearest to a square matrix (orthogonal Procrustes problem, polar factor). If the matrix is
/// singular, there are several, and one of them is returned.
///
///     argmin over R with R^T R = I of |matrix - R|_F = U V^T,   with the singular value decomposition U S V^T
///
/// Shapes    matrix: n x n, finite (not checked)
/// Returns   n x n, orthogonal to about n times the machine precision
/// Cost      about 15 n^3 multiply-adds
/// Errors    InvalidArgument unless the matrix is square, or if the iteration does not converge
/// Source    Schonemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 1966
[[nodiscard]] inline Matrix<double> nearest_rotation(MatrixView<const double> matrix) {
    require(matrix.rows() == matrix.cols(), "nearest_rotation: matrix must be square");
    const std::size_t n = matrix.rows();
    Matrix<double> rotation(n, n);
    if (n == 0) {
        return rotation;
    }
    double scale = 0.0;  // so that squares neither overflow nor vanish
    for (std::size_t i = 0; i < n; ++i) {
        for (const double element : matrix.row(i)) {
            scale = std::max(scale, math::abs(element));
        }
    }
    scale = scale > 0.0 ? 1.0 / scale : 1.0;
    Matrix<double> scaled(n, n);
    Matrix<double> gram(n, n);
    for (std::size_t i = 0; i < n; ++i) {
        detail::add_multiple(scale, matrix.row(i), scaled.row(i));
        for (std::size_t j = 0; j < n; ++j) {
            detail::add_multiple(scaled(i, j), scaled.row(i), gram.row(j));
        }
    }
    const EigenPairs right = symmetric_eigen(gram);

    // Row j of `left` is the left singular vector of eigenvalue j, from the largest to the smallest. Vectors of
    // eigenvalues that cannot be told from zero are any that are orthogonal to the others.
    Matrix<double> left(n, n);
    const double limit = eigen_tolerance(n) * right.values.back();
    std::size_t next_unit = 0;
    for (std::size_t j = n; j-- > 0;) {
        const std::span<double> vector = left.row(j);
        // Makes the vector orthogonal to those before it, and returns which part of its length was.
        const auto make_orthogonal = [&] {
            double part = 1.0;
            for (int pass = 0; pass < 2; ++pass) {  // the second removes what rounding leaves of the first
                const double length = math::sqrt(detail::inner_product(vector, vector));
                if (length == 0.0) {
                    return 0.0;
                }
                detail::add_multiple(1.0 / length - 1.0, vector, vector);
                for (std::size_t before = j + 1; before < n; ++before) {
                    detail::add_multiple(-detail::inner_product(left.row(before), vector), left.row(before), vector);
                }
                part *= math::sqrt(detail::inner_product(vector, vector));
            }
            detail::add_multiple(1.0 / math::sqrt(detail::inner_product(vector, vector)) - 1.0, vector, vector);
            return part;
        };
        double part = 0.0;
        if (right.values[j] > limit) {
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t k = 0; k < n; ++k) {
                    vector[i] += scaled(i, k) * right.vectors(k, j);
                }
            }
            part = make_orthogonal();
        }
        while (!(part >= 0.5 / static_cast<double>(n))) {  // of some unit vector, at least 1 / sqrt(n) is
            std::fill(vector.begin(), vector.end(), 0.0);
            vector[next_unit++ % n] = 1.0;
            part = make_orthogonal();
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t k = 0; k < n; ++k) {
                rotation(i, k) += vector[i] * right.vectors(k, j);
            }
        }
    }
    return rotation;
}

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

/// Eigenvalues, ascending, and orthonormal eigenvectors: column j of vectors belongs to values[j].
struct EigenPairs {
    std::vector<double> values;
    Matrix<double> vectors;
};

/// The eigenvalues of a symmetric matrix of n rows are known to about this fraction of the largest absolute eigenvalue.
/// A smaller one cannot be told from zero.
[[nodiscard]] constexpr double eigen_tolerance(std::size_t n) noexcept {
    return 4.0 * static_cast<double>(n) * std::numeric_limits<double>::epsilon();
}

/// All eigenpairs of a symmetric matrix. Only the lower triangle is read.
///
/// Shapes    matrix: n x n, finite (not checked);  values: n;  vectors: n x n
/// Cost      about 9 n^3 multiply-adds
/// Errors    InvalidArgument unless the matrix is square, or if the iteration does not converge
/// Source    Golub & Van Loan, Matrix Computations (8.3: tridiagonal form, implicit QR steps)
[[nodiscard]] inline EigenPairs symmetric_eigen(MatrixView<const double> matrix) {
    require(matrix.rows() == matrix.cols(), "symmetric_eigen: matrix must be square");
    EigenPairs pairs{std::vector<double>(matrix.rows()), Matrix<double>(matrix.rows(), matrix.rows())};
    if (matrix.rows() == 0) {
        return pairs;
    }
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(as_eigen(matrix));
    require(solver.info() == Eigen::Success, "symmetric_eigen: the iteration must converge; is the matrix finite?");
    as_eigen(std::span(pairs.values)) = solver.eigenvalues();
    as_eigen(pairs.vectors.view()) = solver.eigenvectors();
    return pairs;
}

/// The eigenpairs of rows * rows^T with an eigenvalue above zero: the left singular vectors of the rows, and the
/// squares of their singular values. Computed from the smaller of rows * rows^T and rows^T * rows.
///
///     rows^T rows = W diag(values) W^T,   vectors = rows W diag(values)^(-1/2)
///
/// An eigenvalue of at most eigen_tolerance(min(n, d)) times the largest counts as zero. If n > d, the vectors of small
/// eigenvalues are orthogonal to the others only up to about 1e-16 times the ratio of the largest eigenvalue to theirs:
/// 1e-4 where a singular value is 1e-6 of the largest.
///
/// Shapes    rows: n x d, finite (not checked);  values: rank;  vectors: n x rank
/// Cost      O(n d min(n, d) + min(n, d)^3) time, O(n d) memory
/// Errors    as symmetric_eigen
[[nodiscard]] inline EigenPairs gram_eigen(MatrixView<const double> rows) {
    const bool is_tall = rows.rows() > rows.cols();
    const std::size_t size = std::min(rows.rows(), rows.cols());
    if (size == 0) {
        return {{}, Matrix<double>(rows.rows(), 0)};
    }
    const auto elements = as_eigen(rows);
    Matrix<double> product(size, size);
    auto lower = as_eigen(product.view()).selfadjointView<Eigen::Lower>();
    if (is_tall) {
        lower.rankUpdate(elements.transpose());
    } else {
        lower.rankUpdate(elements);
    }
    const EigenPairs all = symmetric_eigen(product);
    const double limit = eigen_tolerance(size) * all.values.back();
    const auto first = std::upper_bound(all.values.begin(), all.values.end(), limit);
    const auto rank = static_cast<std::size_t>(all.values.end() - first);

    EigenPairs pairs{std::vector<double>(first, all.values.end()), Matrix<double>(rows.rows(), rank)};
    auto vectors = as_eigen(pairs.vectors.view());
    const auto kept = as_eigen(all.vectors.view()).rightCols(eigen_index(rank));
    if (!is_tall) {
        vectors = kept;
        return pairs;
    }
    // The length of a column is more accurate than the eigenvalue, whose error is relative to the largest one.
    vectors.noalias() = elements * kept;
    as_eigen(std::span(pairs.values)) = vectors.colwise().squaredNorm().transpose();
    vectors.array().rowwise() /= as_eigen(std::span(pairs.values)).transpose().array().sqrt();
    return pairs;
}

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel

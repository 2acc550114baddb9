// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/linalg/symmetric_eigen.hpp>

#include <Eigen/QR>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

struct RandomisedSVDOptions {
    std::size_t rank = 50;          ///< > 0, number of singular values
    std::size_t oversampling = 40;  ///< further random directions, which raise the accuracy
    std::size_t power_steps = 12;  ///< products with the matrix and its transpose; more if singular values decay slowly
    std::uint64_t seed = 1;        ///< seed of the random directions
};

/// The largest singular values, descending, with their vectors: a is about left diag(values) right^T.
struct SingularTriplets {
    std::vector<double> values;
    Matrix<double> left;   ///< rows x r, orthonormal columns
    Matrix<double> right;  ///< cols x r, orthonormal columns; the largest component of each is positive
};

namespace detail {

/// matrix * dense, each row by itself, so that the sums are the same for any number of threads.
template <Executor E>
[[nodiscard]] Matrix<double> product(const CSRMatrix<float>& matrix, const Matrix<double>& dense, E& executor) {
    Matrix<double> result(matrix.rows(), dense.cols());
    parallel_for(executor, matrix.rows(), 64, [&](std::size_t i) {
        const SparseRow<float> row = matrix.row(i);
        const std::span<double> out = result.row(i);
        for (std::size_t at = 0; at < row.size(); ++at) {
            const std::span<const double> from = dense.row(row.columns[at]);
            const auto value = static_cast<double>(row.values[at]);
            for (std::size_t j = 0; j < out.size(); ++j) {
                out[j] += value * from[j];
            }
        }
    });
    return result;
}

/// Replaces the columns by an orthonormal basis of their span (Householder QR); needs rows >= columns.
inline void orthonormalise(Matrix<double>& columns) {
    auto elements = as_eigen(columns.view());
    const Eigen::HouseholderQR<Eigen::MatrixXd> qr(elements);
    elements = qr.householderQ() * Eigen::MatrixXd::Identity(elements.rows(), elements.cols());
}

}  // namespace detail

/// The largest singular values of a sparse matrix and their vectors, by random projections.
///
///     Y = (A A^T)^q A Omega, orthonormalised after each product;  A^T Q = B^T;  SVD of B from the eigenpairs of B B^T
///
/// Singular values that cannot be told from zero are left out, so that there may be fewer than rank.
///
/// Shapes    matrix: rows x cols, finite (not checked)
/// Cost      2 (q + 1) products of the matrix with l = rank + oversampling vectors, and O((rows + cols) l^2) per
///           product
/// Errors    InvalidArgument if rank is 0
/// Source    Halko, Martinsson, Tropp, "Finding structure with randomness", SIAM Review 2011 (algorithms 4.4 and 5.1)
template <Executor E = Serial>
[[nodiscard]] SingularTriplets randomised_svd(const CSRMatrix<float>& matrix, const RandomisedSVDOptions& options = {},
                                              E&& executor = E{}) {
    require_at_least(options.rank, 1, "randomised_svd: rank");
    const std::size_t least = std::min(matrix.rows(), matrix.cols());
    const std::size_t l = std::min(math::saturating_add(options.rank, options.oversampling), least);
    if (l == 0) {
        return {{}, Matrix<double>(matrix.rows(), 0), Matrix<double>(matrix.cols(), 0)};
    }
    const CSRMatrix<float> transposed = matrix.transposed();
    constexpr Stream directions = stream("randomised_svd.directions");
    Matrix<double> omega(matrix.cols(), l);
    parallel_for(executor, omega.rows(), 64, [&](std::size_t row) {
        Random random(options.seed, directions, row);
        for (double& x : omega.row(row)) {
            x = random.normal();
        }
    });
    report_progress(executor, "randomised_svd: products", 0, options.power_steps + 1);
    Matrix<double> q = detail::product(matrix, omega, executor);
    detail::orthonormalise(q);
    for (std::size_t step = 0; step < options.power_steps; ++step) {
        report_progress(executor, "randomised_svd: products", step + 1, options.power_steps + 1);
        Matrix<double> back = detail::product(transposed, q, executor);
        detail::orthonormalise(back);
        q = detail::product(matrix, back, executor);
        detail::orthonormalise(q);
    }
    const Matrix<double> b = detail::product(transposed, q, executor);  // cols x l: B^T

    Matrix<double> gram(l, l);
    as_eigen(gram.view()).noalias() = as_eigen(b.view()).transpose() * as_eigen(b.view());
    const EigenPairs pairs = symmetric_eigen(gram.view());
    const double limit = eigen_tolerance(l) * std::max(pairs.values.back(), 0.0);
    SingularTriplets result;
    std::size_t rank = 0;
    while (rank < std::min(options.rank, l) && pairs.values[l - 1 - rank] > limit) {
        result.values.push_back(math::sqrt(pairs.values[l - 1 - rank]));
        ++rank;
    }
    const Eigen::MatrixXd rotation = as_eigen(pairs.vectors.view()).rightCols(eigen_index(rank)).rowwise().reverse();
    result.left = Matrix<double>(matrix.rows(), rank);
    result.right = Matrix<double>(matrix.cols(), rank);
    as_eigen(result.left.view()).noalias() = as_eigen(std::as_const(q).view()) * rotation;
    as_eigen(result.right.view()).noalias() = as_eigen(b.view()) * rotation;
    for (std::size_t j = 0; j < rank; ++j) {
        auto right = as_eigen(result.right.view()).col(eigen_index(j));
        Eigen::Index largest = 0;
        right.cwiseAbs().maxCoeff(&largest);
        const double sign = right(largest) < 0.0 ? -1.0 : 1.0;
        right *= sign / right.norm();  // more accurate than the eigenvalue
        as_eigen(result.left.view()).col(eigen_index(j)) *= sign;
    }
    return result;
}

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel

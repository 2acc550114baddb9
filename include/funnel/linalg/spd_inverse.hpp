// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

/// Inverts a symmetric positive definite matrix in place, one block of columns at a time.
///
///     A = L L^T by a right-looking Cholesky factorization; then L L^T P = I for the part of P from the diagonal down
///
/// Only the lower triangle is read; the whole matrix is written. The blocks of one step are independent and run on the
/// executor's threads. The blocks are the same for any number of threads, and so is the result.
///
/// Errors    InvalidArgument unless the matrix is square
/// Returns   false if the matrix is not positive definite, up to rounding; its elements are then unspecified
/// Cost      n^3 floating-point operations, half of them fused multiply-adds; one block of n x 64 per thread
/// Source    Golub & Van Loan, Matrix Computations, chapter 4 (blocked Cholesky)
template <Executor E = Serial>
[[nodiscard]] bool invert_spd(Eigen::MatrixXd& matrix, E&& executor = E{}) {
    require(matrix.rows() == matrix.cols(), "invert_spd: matrix must be square");
    constexpr std::size_t width = 64;
    const auto n = static_cast<std::size_t>(matrix.rows());
    const std::size_t blocks = (n + width - 1) / width;

    for (std::size_t begin = 0; begin < n; begin += width) {
        report_progress(executor, "inverse: factor", begin / width, blocks);
        const std::size_t end = std::min(n, begin + width);
        const Eigen::Index at = eigen_index(begin);
        const Eigen::Index size = eigen_index(end - begin);
        const Eigen::Index rest = eigen_index(n - end);

        auto diagonal = matrix.block(at, at, size, size);
        if (Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>>(diagonal).info() != Eigen::Success) {
            return false;
        }
        // Panel below the diagonal: rows of L are independent.
        executor.for_range(n - end, 2 * width, [&](std::size_t first, std::size_t last, std::size_t) {
            auto rows = matrix.block(eigen_index(end + first), at, eigen_index(last - first), size);
            diagonal.transpose().template triangularView<Eigen::Upper>().template solveInPlace<Eigen::OnTheRight>(rows);
        });
        // Remaining submatrix, from its diagonal down: columns are independent.
        const auto panel = matrix.block(at + size, at, rest, size);
        executor.for_range(n - end, 2 * width, [&](std::size_t first, std::size_t last, std::size_t) {
            const Eigen::Index below = rest - eigen_index(first);
            const Eigen::Index columns = eigen_index(last - first);
            matrix.block(at + size + eigen_index(first), at + size + eigen_index(first), below, columns).noalias() -=
                panel.bottomRows(below) * panel.middleRows(eigen_index(first), columns).transpose();
        });
    }

    // The inverse is symmetric, so each of its columns is solved only from the diagonal down. This needs only the
    // bottom right corner of L. The result is stored in the upper triangle, because the lower one still holds L.
    Eigen::VectorXd inverse_diagonal(matrix.rows());
    report_progress(executor, "inverse: solve", 0, 1);
    executor.for_range(n, width, [&](std::size_t begin, std::size_t end, std::size_t) {
        const Eigen::Index rest = eigen_index(n - begin);
        const Eigen::Index columns = eigen_index(end - begin);
        const auto corner = matrix.bottomRightCorner(rest, rest);
        Eigen::MatrixXd part = Eigen::MatrixXd::Identity(rest, columns);
        corner.triangularView<Eigen::Lower>().solveInPlace(part);
        corner.transpose().triangularView<Eigen::Upper>().solveInPlace(part);
        for (Eigen::Index column = 0; column < columns; ++column) {
            inverse_diagonal(eigen_index(begin) + column) = part(column, column);
            for (Eigen::Index row = column + 1; row < rest; ++row) {
                matrix(eigen_index(begin) + column, eigen_index(begin) + row) = part(row, column);
            }
        }
    });
    report_progress(executor, "inverse: solve", 1, 1);
    matrix.diagonal() = inverse_diagonal;
    matrix.triangularView<Eigen::StrictlyLower>() = matrix.transpose();
    return true;
}

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel

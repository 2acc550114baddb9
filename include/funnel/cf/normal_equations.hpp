// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/eigen.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>

#include <Eigen/Cholesky>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

namespace detail {

/// Adds left^T right, which is symmetric, to the lower triangle of a matrix. What is above the diagonal is unspecified.
///
/// Shapes    left, right: n x d;  system: d x d
template <kernels::HostBackend Backend>
void add_symmetric_product(MatrixView<const float> left, MatrixView<const float> right, Eigen::MatrixXf& system) {
    const std::size_t d = right.cols();
    // Eigen's lower triangle is the upper one of rows: in each band of rows, what is left of the diagonal is not
    // needed.
    constexpr std::size_t band = 32;
    for (std::size_t j = 0; j < d && right.rows() > 0; j += band) {
        const std::size_t rows = std::min(band, d - j);
        const std::span<float> elements(system.data(), d * d);
        kernels::gemm_tn<Backend>(left.columns_from(j, rows), right.columns_from(j, d - j),
                                  MatrixView<float>(elements.subspan(j * d + j), rows, d - j, d));
    }
}

/// Replaces x by the solution of system z = x, by Cholesky. Of the system, the lower triangle is read and overwritten.
///
/// Shapes    system: d x d;  x: d;  scratch: any, so that many calls allocate once
/// Returns   false, and x is as before, if the system is not positive definite or the solution is not finite
[[nodiscard]] inline bool solve_symmetric(Eigen::MatrixXf& system, std::span<float> x, Eigen::VectorXf& scratch) {
    const Eigen::LLT<Eigen::Ref<Eigen::MatrixXf>> factored(system);
    // Eigen's sums depend on memory alignment, so it computes only with memory of its own.
    scratch = Eigen::Map<const Eigen::VectorXf>(x.data(), eigen_index(x.size()));
    if (factored.info() == Eigen::Success) {
        factored.solveInPlace(scratch);
    }
    if (factored.info() != Eigen::Success || !math::all_finite({scratch.data(), x.size()})) {
        return false;
    }
    std::copy(scratch.begin(), scratch.end(), x.begin());
    return true;
}

}  // namespace detail

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

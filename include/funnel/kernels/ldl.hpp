// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/ldl.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/ldl.hpp>
#endif

#include <span>
#include <type_traits>

// A symmetric positive definite matrix A and a vector b, kept as factors: A = U^T D U with U unit upper triangular and
// D diagonal (the Cholesky factor is D^(1/2) U), and b = U^T D g. U has zeros on and below the diagonal, which stands
// for ones, and may have columns after its d-th: the first of them is g, and any others stay zero if x is zero there.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Adds an observation to the factors, in float or double.
///
///     A += x x^T,   b += r x
///
/// The rotations of Givens, without their roots: row k of U takes the share beta of what is left of x, and x loses its
/// part along row k. Only one division per row is needed, and no subtraction cancels in D.
///
/// Shapes    u: d x m, m >= d, zero on and below the diagonal;  inverse_diagonal: d, of D, > 0;  x: m, the
///           observation, then r; it is overwritten. They must not overlap (not checked)
/// Cost      O(d m), no allocation
/// Source    Fletcher & Powell, "On the modification of LDL^T factorizations", Mathematics of Computation 1974
template <HostBackend Backend = DefaultBackend, class T>
void ldl_update(MatrixView<T> u, std::span<double> inverse_diagonal, std::span<T> x) noexcept {
    FUNNEL_ASSERT(u.cols() >= u.rows() && inverse_diagonal.size() == u.rows() && x.size() == u.cols());
    ldl_update(Backend{}, u, inverse_diagonal, x);
}

/// What the factors say about a vector x: the quadratic form of the inverse, and in place of r the negative estimate.
///
///     x <- U^-T x,   r <- r - x^T A^-1 b
///
/// Shapes    as ldl_update
/// Returns   x^T A^-1 x, never negative
/// Cost      O(d m), no allocation
template <HostBackend Backend = DefaultBackend, class T>
[[nodiscard]] double ldl_solve(MatrixView<const T> u, std::span<const double> inverse_diagonal,
                               std::span<std::type_identity_t<T>> x) noexcept {
    FUNNEL_ASSERT(u.cols() >= u.rows() && inverse_diagonal.size() == u.rows() && x.size() == u.cols());
    return ldl_solve(Backend{}, u, inverse_diagonal, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

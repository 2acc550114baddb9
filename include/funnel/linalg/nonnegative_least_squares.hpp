// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dot.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace linalg {

/// Improves a solution of a least-squares problem whose unknowns must not be negative: each pass sets one unknown after
/// the other to the best value while the others stay, so no pass makes it worse.
///
///     minimizes  x^T A x / 2 - b^T x  subject to x >= 0;   x_k = max(0, x_k + (b_k - A_k . x) / A_kk)
///
/// For the least squares of M x - y, A = M^T M and b = M^T y. Unknowns with A_kk = 0 keep their value. Stops after
/// `passes`, or after a pass that changes no unknown by more than `tolerance` times the largest one.
///
/// Shapes    a: d x d, symmetric, positive semidefinite (not checked);  b, x: d (not checked);  x: >= 0 (not checked)
/// Returns   the number of passes made
/// Cost      d^2 per pass, no allocation
/// Source    Franc, Hlavac, Navara, "Sequential coordinate-wise algorithm for the non-negative least squares problem",
///           CAIP 2005
template <kernels::HostBackend Backend = kernels::DefaultBackend>
std::size_t improve_nonnegative(MatrixView<const float> a, std::span<const float> b, std::span<float> x,
                                std::size_t passes, float tolerance = 0.0F) noexcept {
    FUNNEL_ASSERT(a.rows() == x.size() && a.cols() == x.size() && b.size() == x.size());
    for (std::size_t pass = 0; pass < passes; ++pass) {
        float change = 0.0F;
        float largest = 0.0F;
        for (std::size_t k = 0; k < x.size(); ++k) {
            if (a(k, k) > 0.0F) {
                const float before = x[k];
                x[k] = std::max(0.0F, before + (b[k] - kernels::dot<Backend>(a.row(k), x)) / a(k, k));
                change = std::max(change, math::abs(x[k] - before));
            }
            largest = std::max(largest, x[k]);
        }
        if (!(change > tolerance * largest)) {
            return pass + 1;
        }
    }
    return passes;
}

}  // namespace linalg
}  // namespace FUNNEL_ABI
}  // namespace funnel

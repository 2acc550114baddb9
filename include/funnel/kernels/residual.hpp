// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/residual.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/residual.hpp>
#endif

#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Adds the residual of the normal equations of weighted least squares, for some rows a_i of a matrix. Each row is read
/// once: those that were multiplied by x are still in the cache when they are added.
///
///     out += sum over i of (t_i - w_i a_i . x) a_i
///
/// Shapes    a: m x d;  ids: n rows of a, which may repeat;  weights w: n;  targets t: n, or empty for zeros;  x: d;
///           out: d, not overlapping the others (ids and overlaps are not checked)
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
void add_residual(MatrixView<const float> a, std::span<const std::uint32_t> ids, std::span<const float> weights,
                  std::span<const float> targets, std::span<const float> x, std::span<float> out) noexcept {
    FUNNEL_ASSERT(weights.size() == ids.size() && (targets.empty() || targets.size() == ids.size()));
    FUNNEL_ASSERT(x.size() == a.cols() && out.size() == a.cols() && detail::are_below(ids, a.rows()));
    FUNNEL_ASSERT(detail::are_apart(a, out) && detail::are_apart(x, out));
    add_residual(Backend{}, a, ids, weights, targets, x, out);
}

/// What the observed rows a_i of weighted least squares add to the curvature in direction x.
///
///     sum over i of w_i (a_i . x)^2
///
/// Shapes    as add_residual
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] float weighted_squares(MatrixView<const float> a, std::span<const std::uint32_t> ids,
                                     std::span<const float> weights, std::span<const float> x) noexcept {
    FUNNEL_ASSERT(weights.size() == ids.size() && x.size() == a.cols() && detail::are_below(ids, a.rows()));
    return weighted_squares(Backend{}, a, ids, weights, x);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/half_rows.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/half_rows.hpp>
#endif

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// A metric by which rows of halves can be scored: L2 or InnerProduct.
template <class M>
concept HalfRowMetric = std::same_as<M, L2> || std::same_as<M, InnerProduct>;

/// Scores every row of a matrix of halves against one query of floats. Sums are floats.
///
///     out[i] = M::score(query, row i)
///
/// Shapes    query: d;  rows: n x d;  out: n or more, not overlapping query or rows (not checked)
/// Cost      O(n d), no allocation; scores of backends differ by the rounding of float sums, each out[i] is
///           bit-identical to the score of that row alone
template <HalfRowMetric M, HostBackend Backend = DefaultBackend, HalfFloat H>
void score_half_rows(std::span<const float> query, MatrixView<const H> rows, std::span<float> out) noexcept {
    FUNNEL_ASSERT(query.size() == rows.cols() && out.size() >= rows.rows());
    score_half_rows(Backend{}, M{}, query, rows, out);
}

/// Scores the rows with the given ids against one query.
///
///     out[i] = M::score(query, row ids[i])
///
/// Shapes    query: d, a number that may be known at compile time: then the loop is unrolled, and may round
///           differently;  rows: n x d;  ids: m, each < n;  out: m or more, not overlapping query or rows (not checked)
/// Cost      O(m d), otherwise as above
template <HalfRowMetric M, HostBackend Backend = DefaultBackend, HalfFloat H, std::size_t Dim>
[[gnu::always_inline]] inline void score_half_rows(std::span<const float, Dim> query, MatrixView<const H> rows,
                                                   std::span<const std::uint32_t> ids, std::span<float> out) noexcept {
    FUNNEL_ASSERT(query.size() == rows.cols() && out.size() >= ids.size() && detail::are_below(ids, rows.rows()));
    score_half_rows(Backend{}, M{}, query, rows, ids, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

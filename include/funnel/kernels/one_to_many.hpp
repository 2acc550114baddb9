// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/one_to_many.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/one_to_many.hpp>
#endif

#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Scores every row of a matrix against one query.
///
///     out[i] = M::score(query, row i)
///
/// Shapes    query: d;  rows: n x d;  out: n or more, not overlapping query or rows (not checked)
/// Cost      O(n d), no allocation; each out[i] is bit-identical to the score of that row alone
template <Metric M, HostBackend Backend = DefaultBackend>
void score_rows(std::span<const float> query, MatrixView<const float> rows, std::span<float> out) noexcept {
    FUNNEL_ASSERT(query.size() == rows.cols() && out.size() >= rows.rows());
    FUNNEL_ASSERT(detail::are_apart(rows, out) && detail::are_apart(query, out));
    score_rows(Backend{}, M{}, query, rows, out);
}

/// Scores the rows with the given ids against one query.
///
///     out[i] = M::score(query, row ids[i])
///
/// Shapes    query: d;  rows: n x d;  ids: m, each < n;  out: m or more, not overlapping query or rows (not checked)
/// Cost      O(m d), no allocation; each out[i] is bit-identical to the score of that row alone
template <Metric M, HostBackend Backend = DefaultBackend>
void score_rows(std::span<const float> query, MatrixView<const float> rows, std::span<const std::uint32_t> ids,
                std::span<float> out) noexcept {
    FUNNEL_ASSERT(query.size() == rows.cols() && out.size() >= ids.size() && detail::are_below(ids, rows.rows()));
    FUNNEL_ASSERT(detail::are_apart(rows, out) && detail::are_apart(query, out));
    score_rows(Backend{}, M{}, query, rows, ids, out);
}

/// The same for a length known at compile time. The loop is unrolled and may round differently.
template <Metric M, HostBackend Backend = DefaultBackend, std::size_t Dim>
    requires(Dim != std::dynamic_extent)
[[gnu::always_inline]] inline void score_rows(std::span<const float, Dim> query, MatrixView<const float> rows,
                                              std::span<const std::uint32_t> ids, std::span<float> out) noexcept {
    FUNNEL_ASSERT(Dim == rows.cols() && out.size() >= ids.size() && detail::are_below(ids, rows.rows()));
    FUNNEL_ASSERT(detail::are_apart(rows, out) && detail::are_apart(query, out));
    score_rows(Backend{}, M{}, query, rows, ids, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

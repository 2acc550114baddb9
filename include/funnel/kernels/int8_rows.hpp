// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/int8_blocks.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/int8_rows.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/int8_rows.hpp>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Inner products of bytes: a query with the rows that have the given ids. Vectors that are read one by one lie in
/// rows; for scans, see int8_scan.hpp.
///
///     out[i] = sum over j of (rows[ids[i]][j] - 128) query[j]
///
/// Shapes    query: d <= 2^17;  rows: n x d;  ids: m, each < n;  query and rows - 128 in [-127, 127];  out: m or more
///           (not checked)
/// Cost      O(m d), no allocation; all backends give the same numbers
template <HostBackend Backend = DefaultBackend, std::size_t Dim>
[[gnu::always_inline]] inline void int8_row_dots(std::span<const std::int8_t, Dim> query,
                                                 MatrixView<const std::uint8_t> rows,
                                                 std::span<const std::uint32_t> ids,
                                                 std::span<std::int32_t> out) noexcept {
    FUNNEL_ASSERT(query.size() == rows.cols() && query.size() <= max_int8_dimension);
    FUNNEL_ASSERT(out.size() >= ids.size() && detail::are_below(ids, rows.rows()));
    int8_row_dots(Backend{}, query, rows, ids, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

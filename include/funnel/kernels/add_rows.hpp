// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/preconditions.hpp>
#include <funnel/kernels/scalar/add_rows.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/add_rows.hpp>
#endif

#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Adds some rows a_i of a matrix, each times its factor, in the order of the ids: the sums stay in registers.
///
///     out += sum over i of factors[i] a_i
///
/// Shapes    a: m x d;  ids: n rows of a, which may repeat;  factors: n;  out: d, not overlapping the others (ids and
///           overlaps are not checked)
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
void add_rows(MatrixView<const float> a, std::span<const std::uint32_t> ids, std::span<const float> factors,
              std::span<float> out) noexcept {
    FUNNEL_ASSERT(factors.size() == ids.size() && out.size() == a.cols() && detail::are_below(ids, a.rows()));
    FUNNEL_ASSERT(detail::are_apart(a, out) && detail::are_apart(factors, out));
    add_rows(Backend{}, a, ids, factors, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

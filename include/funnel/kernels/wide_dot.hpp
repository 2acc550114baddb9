// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/wide_dot.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/wide_dot.hpp>
#endif

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Inner product in double: products of floats are exact, sums are rounded to double.
///
/// Shapes    a: n floats or doubles;  b: n floats or doubles (not checked)
/// Cost      O(n), no allocation
template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr double wide_dot(std::span<const float> a, std::span<const float> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return wide_dot(Backend{}, a, b);
}

template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr double wide_dot(std::span<const double> a, std::span<const float> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return wide_dot(Backend{}, a, b);
}

template <HostBackend Backend = DefaultBackend>
[[nodiscard]] constexpr double wide_dot(std::span<const double> a, std::span<const double> b) noexcept {
    FUNNEL_ASSERT(a.size() == b.size());
    return wide_dot(Backend{}, a, b);
}

/// The length of each row, in double: the square root of its wide_dot with itself, to the bit.
///
/// Shapes    rows: n x d;  out: n
/// Cost      O(n d), no allocation
template <HostBackend Backend = DefaultBackend>
void row_lengths(MatrixView<const float> rows, std::span<double> out) noexcept {
    FUNNEL_ASSERT(out.size() == rows.rows());
    row_lengths(Backend{}, rows, out);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

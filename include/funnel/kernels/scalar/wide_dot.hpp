// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <array>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

// Eight partial sums: a compiler turns them into vector instructions, which it may not do with one sum.
template <class A, class B>
[[nodiscard]] constexpr double wide_dot(std::span<const A> a, std::span<const B> b) noexcept {
    std::array<double, 8> sums{};
    const A* const pa = a.data();
    const B* const pb = b.data();
    const std::size_t n = a.size();
    std::size_t j = 0;
    for (; j + 8 <= n; j += 8) {
        for (std::size_t c = 0; c < 8; ++c) {
            sums[c] += static_cast<double>(pa[j + c]) * static_cast<double>(pb[j + c]);
        }
    }
    double rest = 0.0;
    for (; j < n; ++j) {
        rest += static_cast<double>(pa[j]) * static_cast<double>(pb[j]);
    }
    return rest + ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace detail

[[nodiscard]] constexpr double wide_dot(Scalar, std::span<const float> a, std::span<const float> b) noexcept {
    return detail::wide_dot(a, b);
}

[[nodiscard]] constexpr double wide_dot(Scalar, std::span<const double> a, std::span<const float> b) noexcept {
    return detail::wide_dot(a, b);
}

[[nodiscard]] constexpr double wide_dot(Scalar, std::span<const double> a, std::span<const double> b) noexcept {
    return detail::wide_dot(a, b);
}

inline void row_lengths(Scalar, MatrixView<const float> rows, std::span<double> out) noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        out[i] = math::sqrt(detail::wide_dot(rows.row(i), rows.row(i)));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

// How row k of U and element k of D change; the sum t = 1 + x^T A^-1 x of the rows so far goes from t to next.
struct LDLStep {
    double next;
    double alpha;  // t / next: what row k keeps where it is nearly replaced
    double beta;   // the share of x that row k takes over

    // u + beta (x - y u) costs less than alpha u + beta x, but cancels where row k is nearly replaced.
    [[nodiscard]] constexpr bool is_small() const noexcept { return alpha >= 0.25; }
};

[[nodiscard]] constexpr LDLStep ldl_step(double t, double y, double& inverse_diagonal) noexcept {
    const double gain = y * inverse_diagonal;
    const double next = t + y * gain;
    const double inverse_next = 1.0 / next;
    const double alpha = t * inverse_next;
    inverse_diagonal *= alpha;
    return {next, alpha, gain * inverse_next};
}

// Applies a step to the columns of its row from `first` on.
template <class T>
constexpr void ldl_apply(const LDLStep& step, T y, std::span<T> row, std::span<T> x, std::size_t first) noexcept {
    const auto beta = static_cast<T>(step.beta);
    if (step.is_small()) {
        for (std::size_t j = first; j < row.size(); ++j) {
            x[j] -= y * row[j];
            row[j] += beta * x[j];
        }
    } else {
        const auto alpha = static_cast<T>(step.alpha);
        for (std::size_t j = first; j < row.size(); ++j) {
            const T before = x[j];
            x[j] -= y * row[j];
            row[j] = alpha * row[j] + beta * before;
        }
    }
}

template <class T>
constexpr void ldl_update(MatrixView<T> u, std::span<double> inverse_diagonal, std::span<T> x) noexcept {
    double t = 1.0;
    for (std::size_t k = 0; k < u.rows(); ++k) {
        if (x[k] == T{0}) {
            continue;
        }
        const LDLStep step = ldl_step(t, static_cast<double>(x[k]), inverse_diagonal[k]);
        t = step.next;
        ldl_apply(step, x[k], u.row(k), x, k + 1);
    }
}

// From row `first` on; sum is that of the rows before.
template <class T>
[[nodiscard]] constexpr double ldl_solve(MatrixView<const T> u, std::span<const double> inverse_diagonal,
                                         std::span<T> x, std::size_t first, double sum) noexcept {
    for (std::size_t k = first; k < u.rows(); ++k) {
        const T y = x[k];
        sum += static_cast<double>(y) * static_cast<double>(y) * inverse_diagonal[k];
        const std::span<const T> row = u.row(k);
        for (std::size_t j = k + 1; j < u.cols(); ++j) {
            x[j] -= y * row[j];
        }
    }
    return sum;
}

}  // namespace detail

constexpr void ldl_update(Scalar, MatrixView<float> u, std::span<double> inverse_diagonal,
                          std::span<float> x) noexcept {
    detail::ldl_update<float>(u, inverse_diagonal, x);
}
constexpr void ldl_update(Scalar, MatrixView<double> u, std::span<double> inverse_diagonal,
                          std::span<double> x) noexcept {
    detail::ldl_update<double>(u, inverse_diagonal, x);
}

[[nodiscard]] constexpr double ldl_solve(Scalar, MatrixView<const float> u, std::span<const double> inverse_diagonal,
                                         std::span<float> x) noexcept {
    return detail::ldl_solve<float>(u, inverse_diagonal, x, 0, 0.0);
}
[[nodiscard]] constexpr double ldl_solve(Scalar, MatrixView<const double> u, std::span<const double> inverse_diagonal,
                                         std::span<double> x) noexcept {
    return detail::ldl_solve<double>(u, inverse_diagonal, x, 0, 0.0);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

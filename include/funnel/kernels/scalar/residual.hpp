// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/scalar/add_rows.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

// Compilers make vectors of 16 sums, but not of one.
[[nodiscard]] inline float product_of_row(std::span<const float> row, std::span<const float> x) noexcept {
    std::array<float, 16> sums{};
    std::size_t j = 0;
    for (; j + sums.size() <= row.size(); j += sums.size()) {
        for (std::size_t k = 0; k < sums.size(); ++k) {
            sums[k] += row[j + k] * x[j + k];
        }
    }
    float sum = 0.0F;
    for (; j < row.size(); ++j) {
        sum += row[j] * x[j];
    }
    for (std::size_t k = 0; k < 4; ++k) {
        sum += (sums[k] + sums[k + 4]) + (sums[k + 8] + sums[k + 12]);
    }
    return sum;
}

}  // namespace detail

inline void add_residual(Scalar, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                         std::span<const float> weights, std::span<const float> targets, std::span<const float> x,
                         std::span<float> out) noexcept {
    const auto factor_of = [&](std::size_t i) {
        return (targets.empty() ? 0.0F : targets[i]) - weights[i] * detail::product_of_row(a.row(ids[i]), x);
    };
    constexpr std::size_t together = 4;
    for (std::size_t i = 0; i < ids.size(); i += together) {
        const std::size_t count = std::min(together, ids.size() - i);
        std::array<float, together> factors{};
        for (std::size_t k = 0; k < count; ++k) {
            factors[k] = factor_of(i + k);
        }
        add_rows(Scalar{}, a, ids.subspan(i, count), std::span(factors).first(count), out);
    }
}

[[nodiscard]] inline float weighted_squares(Scalar, MatrixView<const float> a, std::span<const std::uint32_t> ids,
                                            std::span<const float> weights, std::span<const float> x) noexcept {
    float sum = 0.0F;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const float product = detail::product_of_row(a.row(ids[i]), x);
        sum += weights[i] * product * product;
    }
    return sum;
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

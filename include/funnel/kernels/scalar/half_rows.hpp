// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/half_floats.hpp>
#include <funnel/kernels/metric.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace detail {

template <class M, HalfFloat H, std::size_t Dim>
[[nodiscard]] float score_half_row(std::span<const float, Dim> query, const H* row) noexcept {
    float sum = 0.0F;
    for (std::size_t j = 0; j < query.size(); ++j) {
        if constexpr (std::same_as<M, L2>) {
            const float difference = query[j] - row[j].value();
            sum += difference * difference;
        } else {
            sum += query[j] * row[j].value();
        }
    }
    return std::same_as<M, L2> ? 0.0F - sum : sum;
}

}  // namespace detail

template <class M, HalfFloat H>
void score_half_rows(Scalar, M, std::span<const float> query, MatrixView<const H> rows, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        out[i] = detail::score_half_row<M>(query, rows.data() + i * rows.stride());
    }
}

template <class M, HalfFloat H, std::size_t Dim>
void score_half_rows(Scalar, M, std::span<const float, Dim> query, MatrixView<const H> rows,
                     std::span<const std::uint32_t> ids, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        out[i] = detail::score_half_row<M>(query, rows.data() + ids[i] * rows.stride());
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

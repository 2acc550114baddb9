// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <HostBackend Backend, Metric M>
void score_rows(Backend, M, std::span<const float> query, MatrixView<const float> rows, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        out[i] = M::template score<Backend>(query, rows.row(i));
    }
}

template <HostBackend Backend, Metric M, std::size_t Dim>
void score_rows(Backend, M, std::span<const float, Dim> query, MatrixView<const float> rows,
                std::span<const std::uint32_t> ids, std::span<float> out) noexcept {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        out[i] = M::template score<Backend>(query, std::span<const float, Dim>(rows.row(ids[i])));
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

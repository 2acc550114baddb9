// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <std::size_t Dim>
void int8_row_dots(Scalar, std::span<const std::int8_t, Dim> query, MatrixView<const std::uint8_t> rows,
                   std::span<const std::uint32_t> ids, std::span<std::int32_t> out) noexcept {
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const std::uint8_t* row = rows.data() + ids[i] * rows.stride();
        std::int32_t sum = 0;
        for (std::size_t j = 0; j < query.size(); ++j) {
            sum += (row[j] - 128) * query[j];
        }
        out[i] = sum;
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

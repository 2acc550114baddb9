// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/metric.hpp>
#include <funnel/kernels/one_to_many.hpp>

#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <HostBackend Backend>
void gemv(Backend, MatrixView<const float> a, std::span<const float> x, std::span<float> y) noexcept {
    score_rows<InnerProduct, Backend>(x, a, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/kernels/cuda/one_to_many.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/metric.hpp>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// gemv of kernels/gemv.hpp on device memory: y = A x, one thread per row.
///
/// Shapes    a: n x d;  x: d;  y: n (not checked)
template <class System>
void gemv(Device<System> backend, DeviceRows a, DeviceSpan<const float> x, DeviceSpan<float> y) {
    score_rows(backend, InnerProduct{}, x, a, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

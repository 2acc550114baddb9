// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>

#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// DensePanels of kernels/dense_panels.hpp in device memory, in the same order.
template <StoredWeight Weight>
struct DeviceDensePanels {
    std::size_t in = 0;
    std::size_t out = 0;
    DeviceSpan<const Weight> weights;
    DeviceSpan<const float> bias;
    DeviceSpan<const float> scales = {};  ///< with ScaledInt8
};

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

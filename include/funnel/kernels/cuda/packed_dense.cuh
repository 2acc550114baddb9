// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/cuda/dense_panels.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>

#include <thrust/tabulate.h>

#include <concepts>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace cuda {

/// One output of one row.
template <Epilogue E, PackedWeight Weight>
struct DenseOutput {
    const Weight* weights;
    const float* bias;
    const float* x;
    std::size_t in;
    std::size_t out;

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        const std::size_t j = i % out;
        const float* row = x + i / out * in;
        float sum = bias[j];
        for (std::size_t k = 0; k < in; ++k) {
            const Weight weight = weights[DensePanels<Weight>::position(in, k, j)];
            if constexpr (std::same_as<Weight, float>) {
                sum += row[k] * weight;
            } else {
                sum += row[k] * weight.value();
            }
        }
        return E == Epilogue::Identity || sum > 0.0F ? sum : 0.0F;
    }
};

}  // namespace cuda

/// packed_dense of kernels/packed_dense.hpp on device memory, one thread per output. Inputs are not rounded, also with
/// weights of BFloat16. Each output is the sum of the Scalar backend, in the same order; a device fuses products and
/// sums, so the results differ by the rounding of the products.
///
/// Shapes    x: n x panels.in;  y: n x panels.out, not overlapping x (not checked)
template <Epilogue E, PackedWeight Weight, class System>
void packed_dense(Device<System>, const DeviceDensePanels<Weight>& panels, DeviceRows x, DeviceSpan<float> y) {
    FUNNEL_ASSERT(x.cols == panels.in && y.size == x.rows * panels.out);
    thrust::tabulate(
        System::policy(), y.begin(), y.end(),
        cuda::DenseOutput<E, Weight>{panels.weights.data, panels.bias.data, x.data, panels.in, panels.out});
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

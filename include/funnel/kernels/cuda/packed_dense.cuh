// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/half_floats.hpp>

#include <thrust/tabulate.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Weights that a device can read.
template <class W>
concept DeviceWeight = std::same_as<W, float> || std::same_as<W, BFloat16>;

/// DensePanels of dense_panels.hpp in device memory.
template <DeviceWeight Weight>
struct DeviceDensePanels {
    std::size_t in = 0;
    std::size_t out = 0;
    DeviceSpan<const Weight> weights;
    DeviceSpan<const float> bias;
};

namespace cuda {

FUNNEL_HOST_DEVICE inline float value_of(float weight) noexcept {
    return weight;
}
FUNNEL_HOST_DEVICE inline float value_of(BFloat16 weight) noexcept {
    const std::uint32_t word = static_cast<std::uint32_t>(weight.bits) << 16;
    float value = 0.0F;
    memcpy(&value, &word, sizeof value);
    return value;
}

/// One output of one row. The order of weights is that of DensePanels::position, on numbers that a device can read.
template <Epilogue E, class Weight>
struct DenseOutput {
    const Weight* weights;
    const float* bias;
    const float* x;
    std::size_t in;
    std::size_t out;

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        constexpr std::size_t width = 32;
        constexpr std::size_t per_word = sizeof(float) / sizeof(Weight);
        const std::size_t j = i % out;
        const float* row = x + i / out * in;
        const std::size_t words = (in + per_word - 1) / per_word;
        const Weight* weight = weights + (j / width * words * width + j % width) * per_word;
        float sum = bias[j];
        for (std::size_t k = 0; k < in; ++k) {
            sum += row[k] * value_of(weight[k / per_word * width * per_word + k % per_word]);
        }
        return E == Epilogue::Identity || sum > 0.0F ? sum : 0.0F;
    }
};

}  // namespace cuda

/// packed_dense of kernels/packed_dense.hpp on device memory, one thread per output. Inputs are not rounded, also with
/// weights of BFloat16.
///
/// Shapes    x: n x panels.in;  y: n x panels.out, not overlapping x (not checked)
template <Epilogue E, DeviceWeight Weight, class System>
void packed_dense(Device<System>, const DeviceDensePanels<Weight>& panels, DeviceRows x, DeviceSpan<float> y) {
    static_assert(DensePanels<Weight>::width == 32, "DenseOutput must know the order of the weights");
    FUNNEL_ASSERT(x.cols == panels.in && y.size == x.rows * panels.out);
    thrust::tabulate(
        System::policy(), y.begin(), y.end(),
        cuda::DenseOutput<E, Weight>{panels.weights.data, panels.bias.data, x.data, panels.in, panels.out});
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

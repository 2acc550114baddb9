// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/kernels/byte_scale.hpp>
#include <funnel/kernels/cuda/dense_panels.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/int8_dense.hpp>

#include <thrust/tabulate.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

namespace cuda {

/// The scale of one row.
struct ScaleOfRow {
    const float* x;
    std::size_t in;

    FUNNEL_HOST_DEVICE detail::ByteScale operator()(std::size_t i) const noexcept {
        std::uint32_t largest = 0;
        for (std::size_t k = 0; k < in; ++k) {
            const std::uint32_t size = detail::magnitude(x[i * in + k]);
            largest = size > largest ? size : largest;
        }
        return detail::byte_scale(largest);
    }
};

/// One number of one row, rounded.
struct ByteOfInput {
    const float* x;
    const detail::ByteScale* scales;
    std::size_t in;

    FUNNEL_HOST_DEVICE std::int8_t operator()(std::size_t i) const noexcept {
        return static_cast<std::int8_t>(scales[i / in].byte(x[i]));
    }
};

/// One output of one row.
template <Epilogue E>
struct Int8Output {
    DeviceDensePanels<ScaledInt8> panels;
    const std::int8_t* bytes;
    const detail::ByteScale* scales;  // of rows

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        const std::size_t j = i % panels.out;
        const std::size_t row = i / panels.out;
        std::int32_t sum = 0;
        for (std::size_t k = 0; k < panels.in; ++k) {
            const ScaledInt8 weight = panels.weights.data[DensePanels<ScaledInt8>::position(panels.in, k, j)];
            sum += bytes[row * panels.in + k] * (weight.plus_128 - 128);
        }
        const float scale = scales[row].step * panels.scales.data[j];
        const float output = std::fma(static_cast<float>(sum), scale, panels.bias.data[j]);
        return E == Epilogue::Identity || output > 0.0F ? output : 0.0F;
    }
};

}  // namespace cuda

/// int8_dense of kernels/int8_dense.hpp on device memory: the same bytes of inputs, the same whole sums, and the same
/// three operations on floats after them, so the same bits as on the host. Only flags that make division inexact or
/// flush small numbers to zero, such as nvcc's -use_fast_math, change that.
///
/// Shapes    x: n x panels.in, at most max_int8_inputs;  y: n x panels.out, not overlapping x (not checked)
/// Cost      O(n in out), one thread per output; device memory for the bytes of the inputs
template <Epilogue E, class System>
void int8_dense(Device<System>, const DeviceDensePanels<ScaledInt8>& panels, DeviceRows x, DeviceSpan<float> y) {
    FUNNEL_ASSERT(x.cols == panels.in && y.size == x.rows * panels.out && panels.in <= max_int8_inputs);
    DeviceBuffer<detail::ByteScale, System> scales(x.rows);
    DeviceBuffer<std::int8_t, System> bytes(x.rows * x.cols);
    const auto scales_there = scales.span();
    const auto bytes_there = bytes.span();
    thrust::tabulate(System::policy(), scales_there.begin(), scales_there.end(), cuda::ScaleOfRow{x.data, x.cols});
    thrust::tabulate(System::policy(), bytes_there.begin(), bytes_there.end(),
                     cuda::ByteOfInput{x.data, scales_there.data, x.cols});
    thrust::tabulate(System::policy(), y.begin(), y.end(),
                     cuda::Int8Output<E>{panels, bytes_there.data, scales_there.data});
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

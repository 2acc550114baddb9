// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/cuda/packed_dense.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/elementwise.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/frozen_steps.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/layer.hpp>

#include <cmath>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/tabulate.h>
#include <thrust/transform.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

// Activations again, because a device function may call only device functions.
template <class F>
struct ElementThere {
    static_assert(sizeof(F) == 0, "nn: this activation has no form on a device; ReLU, Sigmoid and Tanh have one");
};
template <>
struct ElementThere<ReLU> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return x > 0.0F ? x : 0.0F; }
};
template <>
struct ElementThere<Sigmoid> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return 1.0F / (1.0F + std::exp(-x)); }
};
template <>
struct ElementThere<Tanh> {
    FUNNEL_HOST_DEVICE float operator()(float x) const noexcept { return std::tanh(x); }
};

struct UnitRowThere {
    const float* x;
    float* y;
    std::size_t width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const float* from = x + i * width;
        float squares = 0.0F;
        for (std::size_t j = 0; j < width; ++j) {
            squares += from[j] * from[j];
        }
        const float length = std::sqrt(squares);
        const float inverse = 1.0F / (length > 1e-12F ? length : 1e-12F);
        for (std::size_t j = 0; j < width; ++j) {
            y[i * width + j] = from[j] * inverse;
        }
    }
};

struct ScaleThere {
    const float* x;
    const float* scale;
    const float* shift;
    std::size_t width;

    FUNNEL_HOST_DEVICE float operator()(std::size_t i) const noexcept {
        return scale[i % width] * x[i] + shift[i % width];
    }
};

// The steps of a frozen network in device memory. Each has out and infer(x, y).

template <class System, class Step>
class StepThere {
    static_assert(sizeof(Step) == 0,
                  "nn: a layer has no form on a device; Dense, BatchNorm, Dropout, L2Normalize, ReLU, Sigmoid and Tanh "
                  "have one");
};

template <class System, std::size_t In, std::size_t Out, kernels::Epilogue E, kernels::DeviceWeight Storage>
class StepThere<System, PackedStep<In, Out, E, Storage>> {
public:
    static constexpr std::size_t out = Out;

    explicit StepThere(const PackedStep<In, Out, E, Storage>& step)
        : weights_(step.panels().weights), bias_(step.panels().bias) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        kernels::packed_dense<E, Storage>(kernels::Device<System>{},
                                          kernels::DeviceDensePanels<Storage>{In, Out, weights_.span(), bias_.span()},
                                          x, y);
    }

private:
    kernels::DeviceBuffer<Storage, System> weights_;
    kernels::DeviceBuffer<float, System> bias_;
};

template <class System, std::size_t Width>
class StepThere<System, ScaleStep<Width>> {
public:
    static constexpr std::size_t out = Width;

    explicit StepThere(const ScaleStep<Width>& step) : scale_(step.scale()), shift_(step.shift()) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        thrust::tabulate(System::policy(), y.begin(), y.end(),
                         ScaleThere{x.data, scale_.span().data, shift_.span().data, Width});
    }

private:
    kernels::DeviceBuffer<float, System> scale_;
    kernels::DeviceBuffer<float, System> shift_;
};

template <class System, class F, std::size_t Width>
class StepThere<System, KeptStep<Elementwise<F, Width>>> {
public:
    static constexpr std::size_t out = Width;

    explicit StepThere(const KeptStep<Elementwise<F, Width>>& /*step*/) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        thrust::transform(System::policy(), x.data, x.data + y.size, y.begin(), ElementThere<F>{});
    }
};

template <class System, std::size_t Width>
class StepThere<System, KeptStep<L2Normalize<Width>>> {
public:
    static constexpr std::size_t out = Width;

    explicit StepThere(const KeptStep<L2Normalize<Width>>& /*step*/) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        thrust::for_each_n(System::policy(), thrust::counting_iterator<std::size_t>(0), x.rows,
                           UnitRowThere{x.data, y.data, Width});
    }
};

template <class System, class... Steps>
[[nodiscard]] std::tuple<StepThere<System, Steps>...> steps_there(const Steps&... steps) {
    return std::tuple<StepThere<System, Steps>...>(StepThere<System, Steps>(steps)...);
}

}  // namespace detail

/// A frozen network in device memory, for many rows at once.
///
///     const auto there = nn::to_device<kernels::CudaSystem>(freeze(tower));
///     const Matrix<float> vectors = there.infer(rows);
///
/// Results differ from those of Frozen by rounding.
///
/// Cost      making it: a copy of the weights;  infer: O(rows parameters) on the device, one thread per number, and
///           device memory for the outputs of all layers
template <class System, class FrozenNetwork>
class DeviceFrozen;

template <class System, kernels::DeviceWeight Storage, class... Layers>
class DeviceFrozen<System, Frozen<Storage, Layers...>> {
public:
    static constexpr std::size_t in = Frozen<Storage, Layers...>::in;
    static constexpr std::size_t out = Frozen<Storage, Layers...>::out;

    explicit DeviceFrozen(const Frozen<Storage, Layers...>& network) : steps_(there(network)) {}

    /// The outputs for n rows in host memory.
    ///
    /// Shapes    x: n x in
    /// Returns   n x out
    /// Errors    InvalidArgument if x has another width
    [[nodiscard]] Matrix<float> infer(MatrixView<const float> x) const {
        detail::require_width(x.cols(), in, "DeviceFrozen::infer: x");
        const kernels::DeviceBuffer<float, System> rows{std::span<const float>(kernels::packed(x))};
        kernels::DeviceBuffer<float, System> outputs(x.rows() * out);
        infer({rows.span().data, x.rows(), in}, outputs.span());
        std::vector<float> numbers(x.rows() * out);
        outputs.copy_to(numbers);
        Matrix<float> result(x.rows(), out);
        for (std::size_t i = 0; i < x.rows(); ++i) {
            for (std::size_t j = 0; j < out; ++j) {
                result(i, j) = numbers[i * out + j];
            }
        }
        return result;
    }

    /// The same in device memory.
    ///
    /// Shapes    x: n x in;  y: n x out, not overlapping x (not checked)
    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        FUNNEL_ASSERT(x.cols == in && y.size == x.rows * out);
        run<0>(x, y);
    }

private:
    [[nodiscard]] static auto there(const Frozen<Storage, Layers...>& network) {
        return network.with_steps([](const auto&... steps) { return detail::steps_there<System>(steps...); });
    }
    using Steps = decltype(there(std::declval<const Frozen<Storage, Layers...>&>()));
    static constexpr std::size_t depth = std::tuple_size_v<Steps>;
    static_assert(depth > 0, "nn: a network that gives its input needs no device");

    // The steps from number I on.
    template <std::size_t I>
    void run(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        if constexpr (I + 1 == depth) {
            std::get<I>(steps_).infer(x, y);
        } else {
            constexpr std::size_t width = std::tuple_element_t<I, Steps>::out;
            kernels::DeviceBuffer<float, System> outputs(x.rows * width);
            std::get<I>(steps_).infer(x, outputs.span());
            run<I + 1>({outputs.span().data, x.rows, width}, y);
        }
    }

    Steps steps_;
};

/// Copies a frozen network to a device.
template <class System, kernels::DeviceWeight Storage, class... Layers>
[[nodiscard]] DeviceFrozen<System, Frozen<Storage, Layers...>> to_device(const Frozen<Storage, Layers...>& network) {
    return DeviceFrozen<System, Frozen<Storage, Layers...>>(network);
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

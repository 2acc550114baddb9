// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/kernels/cuda/dense_panels.cuh>
#include <funnel/kernels/cuda/int8_dense.cuh>
#include <funnel/kernels/cuda/packed_dense.cuh>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/cross_network.hpp>
#include <funnel/nn/cuda/layers.cuh>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/frozen_parallel.hpp>
#include <funnel/nn/frozen_steps.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/residual.hpp>

#include <concepts>
#include <cstddef>
#include <tuple>
#include <utility>
#include <vector>

#include <thrust/for_each.h>
#include <thrust/functional.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/tabulate.h>
#include <thrust/transform.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

template <class System, class FrozenNetwork>
class DeviceFrozen;

namespace detail {

// The steps of a frozen network in device memory. Each has out and infer(x, y).

template <class System, class Step>
class StepThere;

/// Calls part(i) for i = 0 .. count - 1.
template <class System, class Part>
void each_there(std::size_t count, const Part& part) {
    thrust::for_each_n(System::policy(), thrust::counting_iterator<std::size_t>(0), count, part);
}

template <class System, std::size_t In, std::size_t Out, kernels::Epilogue E, kernels::StoredWeight Storage>
class StepThere<System, PackedStep<In, Out, E, Storage>> {
public:
    static constexpr std::size_t out = Out;

    explicit StepThere(const PackedStep<In, Out, E, Storage>& step)
        : weights_(step.panels().weights), bias_(step.panels().bias), scales_(step.panels().scales) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        const kernels::DeviceDensePanels<Storage> panels{In, Out, weights_.span(), bias_.span(), scales_.span()};
        if constexpr (std::same_as<Storage, kernels::ScaledInt8>) {
            kernels::int8_dense<E>(kernels::Device<System>{}, panels, x, y);
        } else {
            kernels::packed_dense<E>(kernels::Device<System>{}, panels, x, y);
        }
    }

private:
    kernels::DeviceBuffer<Storage, System> weights_;
    kernels::DeviceBuffer<float, System> bias_;
    kernels::DeviceBuffer<float, System> scales_;
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

template <class System, class L>
class StepThere<System, KeptStep<L>> {
public:
    static constexpr std::size_t out = L::out;

    explicit StepThere(const KeptStep<L>& step) : trained_(step.parameters()), collected_(step.statistics()) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        each_there<System>(x.rows * LayerThere<L>::parts,
                           LayerThere<L>{{x.data, y.data, trained_.span().data, collected_.span().data}});
    }

private:
    kernels::DeviceBuffer<float, System> trained_;
    kernels::DeviceBuffer<float, System> collected_;
};

// The layer inside is frozen by itself, with floats, because the host keeps its weights as they are.
template <class System, class L>
class StepThere<System, KeptStep<Residual<L>>> {
public:
    static constexpr std::size_t out = L::out;

    explicit StepThere(const KeptStep<Residual<L>>& step)
        : correction_(Frozen<float, L>(step.parameters(), step.statistics())) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        correction_.infer(x, y);
        thrust::transform(System::policy(), y.begin(), y.end(), x.data, y.begin(), thrust::plus<float>());
    }

private:
    DeviceFrozen<System, Frozen<float, L>> correction_;
};

struct CrossThere {
    const float* x;  // of the first layer
    const float* product;
    const float* below;
    float* above;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept { above[i] = x[i] * product[i] + below[i]; }
};

template <class System, std::size_t Width, std::size_t Depth>
class StepThere<System, KeptStep<CrossNetwork<Width, Depth>>> {
public:
    static constexpr std::size_t out = Width;

    explicit StepThere(const KeptStep<CrossNetwork<Width, Depth>>& step) {
        for (std::size_t l = 0; l < Depth; ++l) {
            const auto own = step.parameters().subspan(l * Product::parameters, Product::parameters);
            products_.emplace_back(Frozen<float, Product>(own, {}));
        }
    }

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        kernels::DeviceBuffer<float, System> product(y.size);
        const float* below = x.data;
        for (const auto& of_layer : products_) {
            of_layer.infer({below, x.rows, Width}, product.span());
            each_there<System>(y.size, CrossThere{x.data, product.span().data, below, y.data});
            below = y.data;
        }
    }

private:
    using Product = Dense<Width, Width>;
    std::vector<DeviceFrozen<System, Frozen<float, Product>>> products_;
};

/// Copies columns of rows: `width` of them per row.
struct ColumnsThere {
    const float* from;
    std::size_t from_width;
    float* to;
    std::size_t to_width;
    std::size_t width;

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        to[i / width * to_width + i % width] = from[i / width * from_width + i % width];
    }
};

template <class System, kernels::StoredWeight Storage, bool HasSharedInput, class... Layers>
class StepThere<System, ParallelStep<Storage, HasSharedInput, Layers...>> {
    using Step = ParallelStep<Storage, HasSharedInput, Layers...>;
    using Parts = std::tuple<DeviceFrozen<System, Frozen<Storage, Layers>>...>;

public:
    static constexpr std::size_t out = Step::out;

    explicit StepThere(const Step& step)
        : parts_(step.with_parts([](const auto&... parts) { return Parts(parts...); })) {}

    void infer(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        std::size_t first_input = 0;
        std::size_t first_output = 0;
        const auto run = [&]<class Part>(const Part& part) {
            kernels::DeviceRows input = x;
            kernels::DeviceBuffer<float, System> inputs(HasSharedInput ? 0 : x.rows * Part::in);
            if constexpr (!HasSharedInput) {
                input = {inputs.span().data, x.rows, Part::in};
                each_there<System>(x.rows * Part::in, ColumnsThere{x.data + first_input, Step::in, inputs.span().data,
                                                                   Part::in, Part::in});
            }
            kernels::DeviceBuffer<float, System> outputs(x.rows * Part::out);
            part.infer(input, outputs.span());
            each_there<System>(x.rows * Part::out,
                               ColumnsThere{outputs.span().data, Part::out, y.data + first_output, out, Part::out});
            first_input += Part::in;
            first_output += Part::out;
        };
        std::apply([&](const auto&... parts) { (run(parts), ...); }, parts_);
    }

private:
    Parts parts_;
};

template <class System, class... Steps>
[[nodiscard]] std::tuple<StepThere<System, Steps>...> steps_there(const Steps&... steps) {
    return std::tuple<StepThere<System, Steps>...>(StepThere<System, Steps>(steps)...);
}

}  // namespace detail

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

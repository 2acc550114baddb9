// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/cuda/frozen_steps.cuh>
#include <funnel/nn/freeze.hpp>
#include <funnel/nn/layer.hpp>

#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <thrust/copy.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A frozen network in device memory, for many rows at once.
///
///     const auto there = nn::to_device<kernels::CudaSystem>(freeze(tower));
///     const Matrix<float> vectors = there.infer(rows);
///
/// All storages have a form on a device, and all layers but those of sequences (GRU, TargetAttention, PairFeatures,
/// MaskedSoftmax) and your own, which do not compile. The weights are those of Frozen, bit by bit.
///
/// - Results differ from those of Frozen on the Scalar backend by the rounding of float operations: a device fuses
///   products and sums, and its exp, tanh and erf are other ones. BatchNorm inside of Residual is folded, too.
/// - With ScaledInt8, outputs of a Dense layer have the same bits for the same inputs (kernels::int8_dense). If another
///   layer before it differs by rounding, an input may become the next byte.
///
/// Cost      making it: a copy of the weights;  infer: O(rows parameters) on the device, one thread per number, and
///           device memory for the outputs of all layers
template <class System, class FrozenNetwork>
class DeviceFrozen;

template <class System, kernels::StoredWeight Storage, class... Layers>
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
        if (x.rows > 0) {  // without rows, x and y may be null, and null has no columns
            run<0>(x, y);
        }
    }

private:
    [[nodiscard]] static auto there(const Frozen<Storage, Layers...>& network) {
        return network.with_steps([](const auto&... steps) { return detail::steps_there<System>(steps...); });
    }
    using Steps = decltype(there(std::declval<const Frozen<Storage, Layers...>&>()));
    static constexpr std::size_t depth = std::tuple_size_v<Steps>;

    // The steps from number I on.
    template <std::size_t I>
    void run(kernels::DeviceRows x, kernels::DeviceSpan<float> y) const {
        if constexpr (depth == 0) {
            thrust::copy_n(System::policy(), x.data, y.size, y.begin());
        } else if constexpr (I + 1 == depth) {
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
template <class System, kernels::StoredWeight Storage, class... Layers>
[[nodiscard]] DeviceFrozen<System, Frozen<Storage, Layers...>> to_device(const Frozen<Storage, Layers...>& network) {
    return DeviceFrozen<System, Frozen<Storage, Layers...>>(network);
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

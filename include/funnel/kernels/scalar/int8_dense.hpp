// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/byte_scale.hpp>
#include <funnel/kernels/dense_panels.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// Inputs of a layer of bytes: rounded rows lie on the stack, and their sums fit into 32 bits.
inline constexpr std::size_t max_int8_inputs = std::size_t{1} << 15;

template <Epilogue E>
void int8_dense(Scalar, const DensePanels<ScaledInt8>& panels, MatrixView<const float> x,
                MatrixView<float> y) noexcept {
    std::array<std::int8_t, max_int8_inputs> bytes;
    for (std::size_t i = 0; i < y.rows(); ++i) {
        const detail::ByteScale scale = detail::byte_scale(detail::largest_magnitude(x.row(i)));
        for (std::size_t k = 0; k < panels.in; ++k) {
            bytes[k] = static_cast<std::int8_t>(scale.byte(x(i, k)));
        }
        for (std::size_t j = 0; j < panels.out; ++j) {
            std::int32_t sum = 0;
            for (std::size_t k = 0; k < panels.in; ++k) {
                sum += bytes[k] * (panels.weights[panels.position(k, j)].plus_128 - 128);
            }
            // std::fma, because a compiler may fuse a product and a sum or not.
            const float output = std::fma(static_cast<float>(sum), scale.step * panels.scales[j], panels.bias[j]);
            y(i, j) = E == Epilogue::Identity || output > 0.0F ? output : 0.0F;
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

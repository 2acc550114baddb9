// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>

#include <concepts>
#include <cstddef>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

template <Epilogue E, PackedWeight Weight>
void packed_dense(Scalar, const DensePanels<Weight>& panels, MatrixView<const float> x, MatrixView<float> y) noexcept {
    for (std::size_t i = 0; i < y.rows(); ++i) {
        for (std::size_t j = 0; j < panels.out; ++j) {
            float sum = panels.bias[j];
            for (std::size_t k = 0; k < panels.in; ++k) {
                const Weight weight = panels.weights[panels.position(k, j)];
                if constexpr (std::same_as<Weight, float>) {
                    sum += x(i, k) * weight;
                } else {
                    sum += x(i, k) * weight.value();
                }
            }
            y(i, j) = E == Epilogue::Identity || sum > 0.0F ? sum : 0.0F;
        }
    }
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

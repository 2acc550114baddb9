// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/scalar/int8_dense.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/int8_dense.hpp>
#endif

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// A dense layer whose weights are bytes, and the function that follows it. Each row of x is rounded to bytes, too,
/// with a step of its own, so a row of y does not depend on the other rows:
///
///     y[i][j] = E(step[i] scale[j] sum_k byte(x[i][k]) byte[j][k] + bias[j]),  step[i] = max_k |x[i][k]| / 127
///
/// Sums are whole numbers, so all backends give the same bits. A row with a number that is not finite has outputs that
/// are NaN (0 after ReLU). Steps are at least 2^-60: smaller numbers are lost.
///
/// Shapes    x: n x panels.in, at most max_int8_inputs;  y: n x panels.out, not overlapping x (not checked)
/// Cost      O(n in out), no allocation
/// Source    Jacob et al., Quantization and training of neural networks for efficient integer-arithmetic-only
///           inference, CVPR 2018; here with a scale for each output and each row
template <Epilogue E, HostBackend Backend = DefaultBackend>
void int8_dense(const DensePanels<ScaledInt8>& panels, MatrixView<const float> x, MatrixView<float> y) noexcept {
    FUNNEL_ASSERT(x.cols() == panels.in && y.cols() == panels.out && x.rows() == y.rows());
    FUNNEL_ASSERT(panels.in <= max_int8_inputs);
    FUNNEL_ASSERT(panels.weights.size() >= panels.weights_of(panels.first + panels.in, panels.out));
    FUNNEL_ASSERT(panels.first % panels.per_word == 0);
    FUNNEL_ASSERT(panels.bias.size() == panels.bias_of(panels.out) && panels.scales.size() == panels.bias.size());
    int8_dense<E>(Backend{}, panels, x, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

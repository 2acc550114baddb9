// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/kernels/scalar/packed_dense.hpp>
#if FUNNEL_HAS_SIMD
#include <funnel/kernels/simd/packed_dense.hpp>
#endif

namespace funnel {
inline namespace FUNNEL_ABI {
namespace kernels {

/// A dense layer whose weights are packed, and the function that follows it.
///
///     y = E(x W^T + bias)
///
/// Weights of Float16 and BFloat16 are multiplied as floats. With BFloat16, processors with AVX-512 BF16 round the
/// inputs, too, if a layer has at most 2,048 of them: products take half of the time, and inputs are off by up to 2^-8
/// of their size.
/// Every output is one chain of multiply-adds in ascending order of inputs, as in gemm_nt: a row of y does not depend
/// on the other rows.
///
/// Shapes    x: n x panels.in;  y: n x panels.out, not overlapping x (not checked)
/// Cost      O(n in out), no allocation; one row takes as long as reading the weights
template <Epilogue E, HostBackend Backend = DefaultBackend, PackedWeight Weight>
void packed_dense(const DensePanels<Weight>& panels, MatrixView<const float> x, MatrixView<float> y) noexcept {
    FUNNEL_ASSERT(x.cols() == panels.in && y.cols() == panels.out && x.rows() == y.rows());
    FUNNEL_ASSERT(panels.weights.size() >= panels.weights_of(panels.first + panels.in, panels.out));
    FUNNEL_ASSERT(panels.first % panels.per_word == 0);
    FUNNEL_ASSERT(panels.bias.size() == panels.bias_of(panels.out));
    packed_dense<E>(Backend{}, panels, x, y);
}

}  // namespace kernels
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/gemm.hpp>
#include <funnel/nn/layer.hpp>

#include <array>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A fully connected layer.
///
///     y = x W^T + b
///
/// The parameters are W (Out x In, row-major, as PyTorch's Linear.weight), then b. Both start uniform in
/// [-1 / sqrt(In), 1 / sqrt(In)], as PyTorch's.
///
/// Cost      O(rows In Out)
template <std::size_t In, std::size_t Out>
    requires(In > 0 && Out > 0)
struct Dense {
    static constexpr const char* name = "Dense";
    static constexpr std::size_t in = In;
    static constexpr std::size_t out = Out;
    static constexpr std::size_t parameters = Out * In + Out;
    static constexpr std::size_t statistics = 0;
    static constexpr std::array tensors{LayerTensor{"weight", Out, In}, LayerTensor{"bias", Out}};

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> /*collected*/, Random& random) {
        const double bound = 1.0 / math::sqrt(static_cast<double>(In));
        for (T& weight : trained) {
            weight = static_cast<T>(bound * (2.0 * random.uniform() - 1.0));
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        kernels::gemm_nt<Backend>(x, weights(trained), bias(trained), y);
    }

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t /*rows*/) noexcept { return Out; }

    /// W x = W_head head + W_tail tail: the first product, with b, is the bias of the second.
    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
    static void infer_split(std::span<const T> trained, std::span<const T> /*collected*/, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
        const MatrixView<T> shared(scratch.first(Out), 1, Out);
        kernels::gemm_nt<Backend>(MatrixView<const T>(head, 1, Head), weights(trained).columns_from(0, Head),
                                  bias(trained), shared);
        kernels::gemm_nt<Backend>(tail, weights(trained).columns_from(Head, In - Head), shared.row(0), y);
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            kernels::gemm_nt<Backend>(x.rows_from(begin, end - begin), weights(trained), bias(trained),
                                      y.rows_from(begin, end - begin));
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> trained, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            kernels::gemm_nn<Backend>(dy.rows_from(begin, end - begin), weights(trained),
                                      dx.rows_from(begin, end - begin));
        });
        const MatrixView<T> dw(gradient.first(Out * In), Out, In);
        const std::span<T> db = gradient.subspan(Out * In);
        // Each number of the gradient is one sum over all rows in their order, whatever the number of threads.
        constexpr std::size_t output_grain = 32;
        executor.for_range(Out, output_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            kernels::gemm_tn<Backend>(dy.columns_from(begin, end - begin), x, dw.rows_from(begin, end - begin));
            for (std::size_t i = 0; i < dy.rows(); ++i) {
                for (std::size_t j = begin; j < end; ++j) {
                    db[j] += dy(i, j);
                }
            }
        });
    }

    /// W, of Out x In parameters.
    template <class T>
    [[nodiscard]] static MatrixView<T> weights(std::span<T> trained) {
        return {trained.first(Out * In), Out, In};
    }

    template <class T>
    [[nodiscard]] static std::span<T> bias(std::span<T> trained) {
        return trained.subspan(Out * In);
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

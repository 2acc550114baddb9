// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// Adds the input of a layer to its output, so that the layer learns a correction.
///
///     y = L(x) + x
///
/// L gives rows of the length that it takes, for example Sequential<Dense<64, 128>, ReLU, Dense<128, 64>>.
///
/// Source    He et al., "Deep residual learning for image recognition", CVPR 2016
template <Layer L>
struct Residual {
    static_assert(L::in == L::out, "nn: a layer inside Residual must give as many numbers as it takes");
    static constexpr const char* name = "Residual";
    static constexpr std::size_t in = L::in;
    static constexpr std::size_t out = L::out;
    static constexpr std::size_t parameters = L::parameters;
    static constexpr std::size_t statistics = L::statistics;

    /// What L needs, and its output, which its backward pass may read.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return rows * detail::padded_width(out) + L::memory(rows);
    }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept { return L::scratch(rows); }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& random) {
        L::template initialise<T>(trained, collected, random);
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> scratch) noexcept {
        L::template infer<Backend, T>(trained, collected, x, y, scratch);
        add<T>(y, x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& step, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        const MatrixView<T> correction = detail::take_rows(memory, x.rows(), out);
        L::template forward<Backend, T>(step.of(0), trained, collected, x, correction, memory, executor);
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            add<T>(correction, x, y, begin, end);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& step, std::span<const T> trained, MatrixView<const T> x, MatrixView<const T> /*y*/,
                         MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient, std::span<T> memory,
                         E& executor) {
        const MatrixView<T> correction = detail::take_rows(memory, x.rows(), out);
        L::template backward<Backend, T>(step.of(0), trained, x, correction, dy, dx, gradient, memory, executor);
        executor.for_range(dx.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { add<T>(dx, dy, dx, begin, end); });
    }

    /// Calls visit once, for the inner layer: see nn::Layer.
    template <class Visit>
    static void each_part(const Visit& visit) {
        visit.template operator()<L>("layer", 0, 0);
    }

private:
    template <class T>
    static void add(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> sum, std::size_t begin,
                    std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            for (std::size_t j = 0; j < in; ++j) {
                sum(i, j) = a(i, j) + b(i, j);
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

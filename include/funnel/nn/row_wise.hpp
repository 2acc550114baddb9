// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

/// What all layers share that have no parameters, and treat each row by itself. Row says what happens to one row:
///
///     name, in, out                     as of the layer
///     infer<B>(x, y)                    writes a row of out numbers
///     backward<B>(x, y, dy, dx)         writes the gradient for x
///
/// A layer derives from this: struct FMInteraction : detail::RowWise<detail::FMRow<Fields, Width>> {}
template <class Row>
struct RowWise {
    static constexpr const char* name = Row::name;
    static constexpr std::size_t in = Row::in;
    static constexpr std::size_t out = Row::out;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            Row::template infer<Backend, T>(x.row(i), y.row(i));
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                Row::template infer<Backend, T>(x.row(i), y.row(i));
            }
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> y, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                Row::template backward<Backend, T>(x.row(i), y.row(i), dy.row(i), dx.row(i));
            }
        });
    }
};

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

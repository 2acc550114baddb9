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

/// The first of Vectors vectors of Width numbers, then the inner products of all pairs, in the order of DLRM's
/// reference code: (1, 0), (2, 0), (2, 1), (3, 0), ... torchrec orders them (0, 1), (0, 2), ...: permute its weights.
///
/// Cost      O(rows Vectors^2 Width)
/// Source    Naumov et al., "Deep learning recommendation model for personalization and recommendation systems", 2019
template <std::size_t Vectors, std::size_t Width>
    requires(Vectors > 1 && Width > 0)
struct DotInteraction {
    static constexpr const char* name = "DotInteraction";
    static constexpr std::size_t in = Vectors * Width;
    static constexpr std::size_t out = Width + Vectors * (Vectors - 1) / 2;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        apply<Backend>(x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { apply<Backend>(x, y, begin, end); });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::span<T> row = dx.row(i);
                std::copy_n(dy.row(i).begin(), Width, row.begin());
                std::fill(row.begin() + Width, row.end(), T{0});
                std::size_t pair = Width;
                for (std::size_t a = 1; a < Vectors; ++a) {
                    for (std::size_t b = 0; b < a; ++b, ++pair) {
                        for (std::size_t k = 0; k < Width; ++k) {
                            row[a * Width + k] += dy(i, pair) * x(i, b * Width + k);
                            row[b * Width + k] += dy(i, pair) * x(i, a * Width + k);
                        }
                    }
                }
            }
        });
    }

private:
    template <kernels::HostBackend Backend, class T>
    static void apply(MatrixView<const T> x, MatrixView<T> y, std::size_t begin, std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            const std::span<const T> row = x.row(i);
            std::copy_n(row.begin(), Width, y.row(i).begin());
            std::size_t pair = Width;
            for (std::size_t a = 1; a < Vectors; ++a) {
                for (std::size_t b = 0; b < a; ++b, ++pair) {
                    y(i, pair) =
                        detail::dot_of<Backend, T>(row.subspan(a * Width, Width), row.subspan(b * Width, Width));
                }
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

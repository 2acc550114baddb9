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
namespace nn {

/// The sum of the inner products of all pairs of Fields vectors of Width numbers: the second order of a factorization
/// machine.
///
///     y = 1/2 sum over k of (sum over f of e_fk)^2 - sum over f of e_fk^2
///
/// Cost      O(rows Fields Width)
/// Source    Rendle, "Factorization machines", ICDM 2010 (lemma 3.1);  Guo et al., "DeepFM", IJCAI 2017
template <std::size_t Fields, std::size_t Width>
    requires(Fields > 0 && Width > 0)
struct FMInteraction {
    static constexpr const char* name = "FMInteraction";
    static constexpr std::size_t in = Fields * Width;
    static constexpr std::size_t out = 1;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        apply(x, y, 0, x.rows());
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        executor.for_range(x.rows(), detail::row_grain,
                           [&](std::size_t begin, std::size_t end, std::size_t) { apply(x, y, begin, end); });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> x,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        executor.for_range(dx.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                for (std::size_t k = 0; k < Width; ++k) {
                    const T sum = sum_of(x, i, k);
                    for (std::size_t f = 0; f < Fields; ++f) {
                        dx(i, f * Width + k) = dy(i, 0) * (sum - x(i, f * Width + k));
                    }
                }
            }
        });
    }

private:
    template <class T>
    [[nodiscard]] static T sum_of(MatrixView<const T> x, std::size_t i, std::size_t k) noexcept {
        T sum{0};
        for (std::size_t f = 0; f < Fields; ++f) {
            sum += x(i, f * Width + k);
        }
        return sum;
    }

    template <class T>
    static void apply(MatrixView<const T> x, MatrixView<T> y, std::size_t begin, std::size_t end) noexcept {
        for (std::size_t i = begin; i < end; ++i) {
            T pairs{0};
            for (std::size_t k = 0; k < Width; ++k) {
                T squares{0};
                for (std::size_t f = 0; f < Fields; ++f) {
                    squares += x(i, f * Width + k) * x(i, f * Width + k);
                }
                const T sum = sum_of(x, i, k);
                pairs += sum * sum - squares;
            }
            y(i, 0) = pairs / 2;
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

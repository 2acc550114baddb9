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
#include <cstdint>
#include <ratio>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// In training, sets each number to 0 with probability Rate, and divides the others by 1 - Rate, so that the mean
/// stays. In service, it does nothing. Rate is a std::ratio: 1/2 by default.
///
/// Each number's fate depends on the seed, the step, the layer and its place alone, not on the number of threads.
///
/// Source    Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014
template <std::size_t Width, class Rate = std::ratio<1, 2>>
struct Dropout {
    static_assert(Rate::num >= 0 && Rate::num < Rate::den, "Dropout: Rate must lie in [0, 1)");
    static constexpr const char* name = "Dropout";
    static constexpr std::size_t in = Width;
    static constexpr std::size_t out = Width;
    static constexpr std::size_t parameters = 0;
    static constexpr std::size_t statistics = 0;
    static constexpr bool is_identity_in_service = true;  // freeze leaves it out
    static constexpr double rate = static_cast<double>(Rate::num) / static_cast<double>(Rate::den);

    [[nodiscard]] static constexpr std::size_t memory(std::size_t /*rows*/) noexcept { return 0; }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <std::floating_point T>
    static void initialise(std::span<T> /*trained*/, std::span<T> /*collected*/, Random& /*random*/) noexcept {}

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> /*trained*/, std::span<const T> /*collected*/, MatrixView<const T> x,
                      MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        for (std::size_t i = 0; i < x.rows(); ++i) {
            std::copy(x.row(i).begin(), x.row(i).end(), y.row(i).begin());
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& step, std::span<const T> /*trained*/, std::span<T> /*collected*/,
                        MatrixView<const T> x, MatrixView<T> y, std::span<T> /*memory*/, E& executor) {
        apply(step, x, y, executor);
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& step, std::span<const T> /*trained*/, MatrixView<const T> /*x*/,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& executor) {
        if (dx.rows() > 0) {
            apply(step, dy, dx, executor);  // the same mask again
        }
    }

private:
    template <class T, Executor E>
    static void apply(const Step& step, MatrixView<const T> x, MatrixView<T> y, E& executor) {
        const Stream masks = step.layer.substream(step.number);
        constexpr auto limit = static_cast<std::uint64_t>(rate * 0x1p32);
        executor.for_range(x.rows(), detail::row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                Random random(step.seed, masks, i);
                for (std::size_t j = 0; j < Width; ++j) {
                    y(i, j) = random() < limit ? T{0} : x(i, j) * static_cast<T>(1.0 / (1.0 - rate));
                }
            }
        });
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

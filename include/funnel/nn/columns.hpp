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

/// The columns First .. First + Count - 1 of rows of In numbers.
template <std::size_t In, std::size_t First, std::size_t Count>
    requires(Count > 0 && First + Count <= In)
struct Columns {
    static constexpr const char* name = "Columns";
    static constexpr std::size_t in = In;
    static constexpr std::size_t out = Count;
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
            std::copy_n(x.row(i).begin() + First, Count, y.row(i).begin());
        }
    }

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t /*rows*/) noexcept { return 0; }

    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
    static void infer_split(std::span<const T> /*trained*/, std::span<const T> /*collected*/, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> /*scratch*/) noexcept {
        constexpr std::size_t from_head = First < Head ? std::min(Count, Head - First) : 0;
        constexpr std::size_t first_of_tail = First < Head ? 0 : First - Head;
        for (std::size_t i = 0; i < tail.rows(); ++i) {
            const auto rest = std::copy_n(head.begin() + std::min(First, Head), from_head, y.row(i).begin());
            std::copy_n(tail.row(i).begin() + first_of_tail, Count - from_head, rest);
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& /*executor*/) {
        infer<Backend, T>(trained, collected, x, y, memory);
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> /*x*/,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& /*executor*/) {
        for (std::size_t i = 0; i < dx.rows(); ++i) {
            std::fill(dx.row(i).begin(), dx.row(i).end(), T{0});
            std::copy_n(dy.row(i).begin(), Count, dx.row(i).begin() + First);
        }
    }
};

/// Adds up Count vectors of Width numbers that lie one after the other in a row.
template <std::size_t Count, std::size_t Width>
    requires(Count > 0 && Width > 0)
struct AddUp {
    static constexpr const char* name = "AddUp";
    static constexpr std::size_t in = Count * Width;
    static constexpr std::size_t out = Width;
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
            for (std::size_t j = 0; j < Width; ++j) {
                T sum{0};
                for (std::size_t c = 0; c < Count; ++c) {
                    sum += x(i, c * Width + j);
                }
                y(i, j) = sum;
            }
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& /*step*/, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& /*executor*/) {
        infer<Backend, T>(trained, collected, x, y, memory);
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& /*step*/, std::span<const T> /*trained*/, MatrixView<const T> /*x*/,
                         MatrixView<const T> /*y*/, MatrixView<const T> dy, MatrixView<T> dx, std::span<T> /*gradient*/,
                         std::span<T> /*memory*/, E& /*executor*/) {
        for (std::size_t i = 0; i < dx.rows(); ++i) {
            for (std::size_t j = 0; j < in; ++j) {
                dx(i, j) = dy(i, j % Width);
            }
        }
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/row_wise.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

template <std::size_t In, std::size_t First, std::size_t Count>
struct ColumnsRow {
    static constexpr const char* name = "Columns";
    static constexpr std::size_t in = In;
    static constexpr std::size_t out = Count;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        std::copy_n(x.begin() + First, Count, y.begin());
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> /*x*/, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        std::fill(dx.begin(), dx.end(), T{0});
        std::copy_n(dy.begin(), Count, dx.begin() + First);
    }
};

template <std::size_t Count, std::size_t Width>
struct AddUpRow {
    static constexpr const char* name = "AddUp";
    static constexpr std::size_t in = Count * Width;
    static constexpr std::size_t out = Width;

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> x, std::span<T> y) noexcept {
        for (std::size_t j = 0; j < Width; ++j) {
            T sum{0};
            for (std::size_t c = 0; c < Count; ++c) {
                sum += x[c * Width + j];
            }
            y[j] = sum;
        }
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void backward(std::span<const T> /*x*/, std::span<const T> /*y*/, std::span<const T> dy,
                         std::span<T> dx) noexcept {
        for (std::size_t j = 0; j < in; ++j) {
            dx[j] = dy[j % Width];
        }
    }
};

}  // namespace detail

/// The columns First .. First + Count - 1 of rows of In numbers.
template <std::size_t In, std::size_t First, std::size_t Count>
    requires(Count > 0 && First + Count <= In)
struct Columns : detail::RowWise<detail::ColumnsRow<In, First, Count>> {
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
};

/// Adds up Count vectors of Width numbers that lie one after the other in a row.
template <std::size_t Count, std::size_t Width>
    requires(Count > 0 && Width > 0)
struct AddUp : detail::RowWise<detail::AddUpRow<Count, Width>> {};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn::detail {

// How the first step of a frozen network takes rows that all begin with the same Head numbers: share() turns the head
// into numbers that all rows use, and infer_tail() takes the rest of each row. A step that has no such members gets the
// head as it is, and whole rows.

/// Numbers that share() leaves.
template <class Step, std::size_t Head>
[[nodiscard]] constexpr std::size_t shared_numbers() noexcept {
    if constexpr (requires { Step::template shared<Head>(); }) {
        return Step::template shared<Head>();
    } else {
        return Head;
    }
}

/// Numbers of scratch memory that infer_tail() needs for that many rows.
template <class Step, std::size_t Head>
[[nodiscard]] constexpr std::size_t tail_scratch(std::size_t rows) noexcept {
    if constexpr (requires { Step::template tail_scratch<Head>(rows); }) {
        return Step::template tail_scratch<Head>(rows);
    } else {
        return rows * padded_width(Step::in) + Step::scratch(rows);
    }
}

template <kernels::HostBackend Backend, std::size_t Head, class Step>
void share(const Step& step, std::span<const float> head, std::span<float> kept) noexcept {
    if constexpr (requires { step.template share<Backend, Head>(head, kept); }) {
        step.template share<Backend, Head>(head, kept);
    } else {
        std::copy_n(head.begin(), Head, kept.begin());
    }
}

/// Rows that are put together: for each row of the tail, the head and then that row.
template <std::size_t Head>
void join(std::span<const float> head, MatrixView<const float> tail, MatrixView<float> rows) noexcept {
    for (std::size_t i = 0; i < tail.rows(); ++i) {
        const auto rest = std::copy_n(head.begin(), Head, rows.row(i).begin());
        std::copy(tail.row(i).begin(), tail.row(i).end(), rest);
    }
}

template <kernels::HostBackend Backend, std::size_t Head, class Step>
void infer_tail(const Step& step, std::span<const float> kept, MatrixView<const float> tail, MatrixView<float> y,
                std::span<float> scratch) noexcept {
    if constexpr (requires { step.template infer_tail<Backend, Head>(kept, tail, y, scratch); }) {
        step.template infer_tail<Backend, Head>(kept, tail, y, scratch);
    } else {
        const MatrixView<float> rows = take_rows(scratch, tail.rows(), Step::in);
        join<Head>(kept, tail, rows);
        step.template infer<Backend>(rows, y, scratch);
    }
}

}  // namespace nn::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

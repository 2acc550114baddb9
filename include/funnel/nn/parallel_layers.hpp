// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

/// Several layers side by side, whose outputs lie one after the other in a row. If HasSharedInput, all take the whole
/// row, else each takes its own part of it. The parameters are those of the layers, in order; so are the statistics.
template <bool HasSharedInput, Layer... Layers>
struct SideBySide {
    static_assert(sizeof...(Layers) > 0, "nn: there must be at least one layer");
    static constexpr std::size_t count = sizeof...(Layers);
    template <std::size_t I>
    using LayerAt = std::tuple_element_t<I, std::tuple<Layers...>>;
    static_assert(!HasSharedInput || ((Layers::in == LayerAt<0>::in) && ...),
                  "nn: layers that share their input must take rows of the same length");

    static constexpr std::size_t in = HasSharedInput ? LayerAt<0>::in : (Layers::in + ...);
    static constexpr std::size_t out = (Layers::out + ...);
    static constexpr std::size_t parameters = (Layers::parameters + ...);
    static constexpr std::size_t statistics = (Layers::statistics + ...);

    /// The memory of all layers, and for a shared input, the gradient that one layer gives.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return (Layers::memory(rows) + ...) + (HasSharedInput ? rows * padded_width(in) : 0);
    }
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return std::max({Layers::scratch(rows)...});
    }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& random) {
        (Layers::template initialise<T>(take(trained, Layers::parameters), take(collected, Layers::statistics), random),
         ...);
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> scratch) noexcept {
        each([&]<class L, std::size_t I>(Position<L, I>) {
            L::template infer<Backend, T>(trained.subspan(before<I>().parameters, L::parameters),
                                          collected.subspan(before<I>().statistics, L::statistics), input<I>(x),
                                          y.columns_from(before<I>().out, L::out), scratch);
        });
    }

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t rows) noexcept
        requires HasSharedInput
    {
        return std::max({detail::split_scratch<Layers>(rows)...});
    }

    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
        requires HasSharedInput
    static void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
        each([&]<class L, std::size_t I>(Position<L, I>) {
            detail::infer_split<L, Backend, Head, T>(trained.subspan(before<I>().parameters, L::parameters),
                                                     collected.subspan(before<I>().statistics, L::statistics), head,
                                                     tail, y.columns_from(before<I>().out, L::out), scratch);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& step, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        each([&]<class L, std::size_t I>(Position<L, I>) {
            L::template forward<Backend, T>(step.of(I), trained.subspan(before<I>().parameters, L::parameters),
                                            collected.subspan(before<I>().statistics, L::statistics), input<I>(x),
                                            y.columns_from(before<I>().out, L::out), take(memory, L::memory(x.rows())),
                                            executor);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& step, std::span<const T> trained, MatrixView<const T> x, MatrixView<const T> y,
                         MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient, std::span<T> memory,
                         E& executor) {
        std::span<T> rest = memory.subspan((Layers::memory(x.rows()) + ...));
        MatrixView<T> part;
        if constexpr (HasSharedInput) {
            part = take_rows(rest, dx.rows(), in);
        }
        each([&]<class L, std::size_t I>(Position<L, I>) {
            const bool is_added = HasSharedInput && I > 0;
            const MatrixView<T> below = dx.rows() == 0 ? dx : is_added ? part : input<I>(dx);
            L::template backward<Backend, T>(
                step.of(I), trained.subspan(before<I>().parameters, L::parameters), input<I>(x),
                y.columns_from(before<I>().out, L::out), dy.columns_from(before<I>().out, L::out), below,
                gradient.subspan(before<I>().parameters, L::parameters), take(memory, L::memory(x.rows())), executor);
            if (is_added) {
                executor.for_range(dx.rows(), row_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
                    for (std::size_t i = begin; i < end; ++i) {
                        for (std::size_t j = 0; j < in; ++j) {
                            dx(i, j) += part(i, j);
                        }
                    }
                });
            }
        });
    }

    /// Calls visit for each layer: see nn::Layer. The name of a part is its position.
    template <class Visit>
    static void each_part(const Visit& visit) {
        each([&]<class L, std::size_t I>(Position<L, I>) {
            visit.template operator()<L>(std::to_string(I), before<I>().parameters, before<I>().statistics);
        });
    }

private:
    template <class L, std::size_t I>
    struct Position {};

    struct Sizes {
        std::size_t in = 0;
        std::size_t out = 0;
        std::size_t parameters = 0;
        std::size_t statistics = 0;
    };

    // The sums of the sizes of the layers before layer I.
    template <std::size_t I>
    [[nodiscard]] static constexpr Sizes before() noexcept {
        return []<std::size_t... J>(std::index_sequence<J...>) {
            return Sizes{.in = (std::size_t{0} + ... + LayerAt<J>::in),
                         .out = (std::size_t{0} + ... + LayerAt<J>::out),
                         .parameters = (std::size_t{0} + ... + LayerAt<J>::parameters),
                         .statistics = (std::size_t{0} + ... + LayerAt<J>::statistics)};
        }(std::make_index_sequence<I>{});
    }

    template <std::size_t I, class T>
    [[nodiscard]] static MatrixView<T> input(MatrixView<T> x) {
        if constexpr (HasSharedInput) {
            return x;
        } else {
            return x.columns_from(before<I>().in, LayerAt<I>::in);
        }
    }

    template <class Visit>
    static void each(const Visit& visit) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (visit(Position<LayerAt<I>, I>{}), ...);
        }(std::make_index_sequence<count>{});
    }
};

}  // namespace detail

/// Several layers that take the same row; their outputs lie one after the other.
template <Layer... Layers>
struct Parallel : detail::SideBySide<true, Layers...> {
    static constexpr const char* name = "Parallel";
};

/// Several layers that take each its own part of a row, one part after the other; so lie their outputs.
template <Layer... Layers>
struct Blocks : detail::SideBySide<false, Layers...> {
    static constexpr const char* name = "Blocks";
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

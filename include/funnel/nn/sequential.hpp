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

// Two neighbours in a sequence of layers. If their sizes do not match, the message of the compiler names this type, and
// so the position and both layers.
template <std::size_t Position, class Before, class Next>
struct Neighbours {
    static_assert(Before::out == Next::in,
                  "nn: each layer must take as many numbers as the layer before it gives; Neighbours<Position, Before, "
                  "Next> above names the position of the second one and both layers");
    using type = Next;
};

template <class L, std::size_t In>
struct Bound {
    using type = L;
};
template <class L, std::size_t In>
    requires requires { typename L::template bind<In>; }
struct Bound<L, In> {
    using type = typename L::template bind<In>;
};

template <std::size_t Position, class Done, class... Rest>
struct BindLayers {
    using type = Done;
};
template <std::size_t Position, class... Done, class First, class... Rest>
struct BindLayers<Position, std::tuple<Done...>, First, Rest...> {
    using Before = std::tuple_element_t<sizeof...(Done) - 1, std::tuple<Done...>>;
    using Next = typename Bound<First, Before::out>::type;
    using type =
        typename BindLayers<Position + 1, std::tuple<Done..., typename Neighbours<Position, Before, Next>::type>,
                            Rest...>::type;
};

}  // namespace detail

/// Layers one after the other: again a layer. Each takes what the one before it gives. Layers without a size, such as
/// ReLU, take that of the layer before them, so the first one must have a size.
///
/// The parameters are those of the layers, in order; the same holds for the statistics.
template <class First, class... Rest>
struct Sequential {
    static constexpr const char* name = "Sequential";
    static_assert(Layer<First>, "nn: the first layer must have a size, such as Dense<136, 256>; ReLU has none");

    /// The layers with their sizes.
    using Layers = typename detail::BindLayers<1, std::tuple<First>, Rest...>::type;
    static constexpr std::size_t depth = 1 + sizeof...(Rest);
    template <std::size_t I>
    using LayerAt = std::tuple_element_t<I, Layers>;

    static constexpr std::size_t in = First::in;
    static constexpr std::size_t out = LayerAt<depth - 1>::out;

    /// Where the numbers of each layer start; the last element is the count of all.
    static constexpr auto parameter_offsets = []<std::size_t... I>(std::index_sequence<I...>) {
        std::array<std::size_t, depth + 1> offsets{};
        ((offsets[I + 1] = offsets[I] + LayerAt<I>::parameters), ...);
        return offsets;
    }(std::make_index_sequence<depth>{});
    static constexpr auto statistic_offsets = []<std::size_t... I>(std::index_sequence<I...>) {
        std::array<std::size_t, depth + 1> offsets{};
        ((offsets[I + 1] = offsets[I] + LayerAt<I>::statistics), ...);
        return offsets;
    }(std::make_index_sequence<depth>{});
    static constexpr std::size_t parameters = parameter_offsets[depth];
    static constexpr std::size_t statistics = statistic_offsets[depth];

    /// The outputs of all layers but the last, the memory of all layers, and two gradients of the widest row.
    [[nodiscard]] static constexpr std::size_t memory(std::size_t rows) noexcept {
        return each([&](auto... layer) {
            return rows * (detail::padded_width(decltype(layer)::type::out) + ... + 0) +
                   (decltype(layer)::type::memory(rows) + ... + 0) + 2 * rows * widest;
        });
    }

    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return 2 * rows * widest +
               each([&](auto... layer) { return std::max({decltype(layer)::type::scratch(rows)...}); });
    }

    template <std::floating_point T>
    static void initialise(std::span<T> trained, std::span<T> collected, Random& random) {
        each([&](auto... layer) {
            (decltype(layer)::type::initialise(parameters_of<layer.position>(trained),
                                               statistics_of<layer.position>(collected), random),
             ...);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T>
    static void infer(std::span<const T> trained, std::span<const T> collected, MatrixView<const T> x, MatrixView<T> y,
                      std::span<T> scratch) noexcept {
        run<Backend, T>(trained, collected, x.rows(), y, scratch, [&](MatrixView<T> output, std::span<T> rest) {
            First::template infer<Backend, T>(parameters_of<0>(trained), statistics_of<0>(collected), x, output, rest);
        });
    }

    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t rows) noexcept {
        return scratch(rows) + detail::split_scratch<First>(rows);
    }

    template <kernels::HostBackend Backend, std::size_t Head, std::floating_point T>
    static void infer_split(std::span<const T> trained, std::span<const T> collected, std::span<const T> head,
                            MatrixView<const T> tail, MatrixView<T> y, std::span<T> scratch) noexcept {
        run<Backend, T>(trained, collected, tail.rows(), y, scratch, [&](MatrixView<T> output, std::span<T> rest) {
            detail::infer_split<First, Backend, Head, T>(parameters_of<0>(trained), statistics_of<0>(collected), head,
                                                         tail, output, rest);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void forward(const Step& step, std::span<const T> trained, std::span<T> collected, MatrixView<const T> x,
                        MatrixView<T> y, std::span<T> memory, E& executor) {
        each([&](auto... layer) {
            MatrixView<const T> input = x;
            const auto run = [&]<class L, std::size_t I>(Position<L, I>) {
                const MatrixView<T> output = I + 1 == depth ? y : detail::take_rows(memory, x.rows(), L::out);
                L::template forward<Backend, T>(step.of(I), parameters_of<I>(trained), statistics_of<I>(collected),
                                                input, output, detail::take(memory, L::memory(x.rows())), executor);
                input = output;
            };
            (run(layer), ...);
        });
    }

    template <kernels::HostBackend Backend, std::floating_point T, Executor E>
    static void backward(const Step& step, std::span<const T> trained, MatrixView<const T> x, MatrixView<const T> y,
                         MatrixView<const T> dy, MatrixView<T> dx, std::span<T> gradient, std::span<T> memory,
                         E& executor) {
        std::array<MatrixView<const T>, depth + 1> rows_of;  // the input of each layer, then the last output
        std::array<std::span<T>, depth> memory_of;
        rows_of.front() = x;
        rows_of.back() = y;
        each([&](auto... layer) {
            const auto find = [&]<class L, std::size_t I>(Position<L, I>) {
                if constexpr (I + 1 < depth) {
                    rows_of[I + 1] = detail::take_rows(memory, x.rows(), L::out);
                }
                memory_of[I] = detail::take(memory, L::memory(x.rows()));
            };
            (find(layer), ...);
        });
        const std::array<std::span<T>, 2> turns{detail::take(memory, x.rows() * widest),
                                                detail::take(memory, x.rows() * widest)};
        MatrixView<const T> above = dy;
        const auto run = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
            using L = LayerAt<I>;
            std::span<T> turn = turns[I % 2];
            const MatrixView<T> below = I == 0 ? dx : detail::take_rows(turn, x.rows(), L::in);
            L::template backward<Backend, T>(step.of(I), parameters_of<I>(trained), rows_of[I], rows_of[I + 1], above,
                                             below, parameters_of<I>(gradient), memory_of[I], executor);
            above = below;
        };
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (run(std::integral_constant<std::size_t, depth - 1 - I>{}), ...);
        }(std::make_index_sequence<depth>{});
    }

    /// The part of all parameters that belongs to layer I.
    template <std::size_t I, class T>
    [[nodiscard]] static std::span<T> parameters_of(std::span<T> all) noexcept {
        return all.subspan(parameter_offsets[I], LayerAt<I>::parameters);
    }
    template <std::size_t I, class T>
    [[nodiscard]] static std::span<T> statistics_of(std::span<T> all) noexcept {
        return all.subspan(statistic_offsets[I], LayerAt<I>::statistics);
    }

    /// Calls visit for each layer: see nn::Layer. The name of a part is its position, a std::string, as the names of
    /// the parts of PyTorch's nn.Sequential.
    template <class Visit>
    static void each_part(const Visit& visit) {
        const auto visit_layer = [&]<class L, std::size_t I>(Position<L, I>) {
            visit.template operator()<L>(std::to_string(I), parameter_offsets[I], statistic_offsets[I]);
        };
        each([&](auto... layer) { (visit_layer(layer), ...); });
    }

private:
    // Serves all layers; first(output, scratch) is the first one. Outputs take turns in two blocks of memory.
    template <kernels::HostBackend Backend, std::floating_point T, class RunFirst>
    static void run(std::span<const T> trained, std::span<const T> collected, std::size_t rows, MatrixView<T> y,
                    std::span<T> scratch, const RunFirst& first) noexcept {
        const std::array<std::span<T>, 2> turns{detail::take(scratch, rows * widest),
                                                detail::take(scratch, rows * widest)};
        each([&](auto... layer) {
            MatrixView<const T> input;
            const auto run_one = [&]<class L, std::size_t I>(Position<L, I>) {
                std::span<T> turn = turns[I % 2];
                const MatrixView<T> output = I + 1 == depth ? y : detail::take_rows(turn, rows, L::out);
                if constexpr (I == 0) {
                    first(output, scratch);
                } else {
                    L::template infer<Backend, T>(parameters_of<I>(trained), statistics_of<I>(collected), input, output,
                                                  scratch);
                }
                input = output;
            };
            (run_one(layer), ...);
        });
    }

    template <class L, std::size_t I>
    struct Position {
        using type = L;
        static constexpr std::size_t position = I;
    };

    // Calls visit(one Position per layer).
    template <class Visit>
    static constexpr decltype(auto) each(const Visit& visit) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
            return visit(Position<LayerAt<I>, I>{}...);
        }(std::make_index_sequence<depth>{});
    }

    static constexpr std::size_t widest = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::max({detail::padded_width(LayerAt<I>::in)..., detail::padded_width(LayerAt<I>::out)...});
    }(std::make_index_sequence<depth>{});
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

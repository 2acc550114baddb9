// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/frozen_parallel.hpp>
#include <funnel/nn/frozen_split.hpp>
#include <funnel/nn/frozen_steps.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/nn/tower.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// A network for service: what `freeze` makes of a tower. It cannot be trained.
///
/// - Dropout is left out.
/// - BatchNorm becomes a part of the Dense layer before it, or else of the Dense layer after it. If neither is next to
///   it, it stays as a multiplication and an addition. This is computed in double.
/// - ReLU after a Dense layer is applied before the outputs are written.
/// - Weights are packed in the order in which the kernels read them, as Storage. With kernels::BFloat16 they take half
///   of the memory, and they, and on some processors the inputs of the layer, are off by up to 2^-8 of their size
///   (kernels::packed_dense). With kernels::Float16, which reaches 65504, the weights are off by up to 2^-11. With
///   kernels::ScaledInt8 they take a quarter, and inputs are rounded to bytes, too (kernels::int8_dense): only freeze
///   with a QualityGate makes such a network. Sums of floats are floats.
/// - Layers of Parallel and Blocks are frozen one by one.
///
/// Other layers are kept as they are.
///
/// Numbers of 16 bits are only stored weights. Training has none: parameters, gradients, sums and the state of
/// optimisers are floats, which hold gradients down to 1e-38. So there is no loss scaling, which training needs where
/// gradients have 16 bits, 5 of them for the exponent.
///
/// Cost      infer: as Tower, but nothing is rearranged; one row takes little more than reading the weights
template <kernels::StoredWeight Storage, class... Layers>
class Frozen {
public:
    static constexpr std::size_t in = Sequential<Layers...>::in;
    static constexpr std::size_t out = Sequential<Layers...>::out;
    static constexpr std::size_t block_rows = 96;

    /// Freezes a network with these numbers.
    ///
    /// Shapes    parameters, statistics: as of Sequential<Layers...>
    /// Errors    InvalidArgument if there are more or fewer numbers
    Frozen(std::span<const float> parameters, std::span<const float> statistics)
        requires kernels::PackedWeight<Storage>
        : Frozen(detail::Measured{}, parameters, statistics) {}

    // Of any storage: see freeze with a QualityGate.
    Frozen(detail::Measured, std::span<const float> parameters, std::span<const float> statistics)
        : steps_(make_steps(parameters, statistics)) {}

    /// Numbers of scratch memory that infer needs for that many rows.
    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        const std::size_t block = std::min(rows, block_rows);
        return 2 * block * widest + [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::max({std::size_t{0}, Step<I>::scratch(block)...});
        }(each_step);
    }

    /// The outputs for n rows.
    ///
    /// Shapes    x: n x in
    /// Returns   n x out; each row is the same whatever the other rows are
    /// Errors    InvalidArgument if x has another width
    template <kernels::HostBackend Backend = kernels::DefaultBackend>
    [[nodiscard]] Matrix<float> infer(MatrixView<const float> x) const {
        detail::require_width(x.cols(), in, "Frozen::infer: x");
        Matrix<float> result(x.rows(), out);
        detail::Aligned<float> memory(scratch(x.rows()));
        infer<Backend>(x, memory, result.view());
        return result;
    }

    /// The same into memory of the caller.
    ///
    /// Shapes    x: n x in;  memory: scratch(n) or more;  y: n x out, not overlapping x or memory (not checked)
    template <kernels::HostBackend Backend = kernels::DefaultBackend>
    void infer(MatrixView<const float> x, std::span<float> memory, MatrixView<float> y) const noexcept {
        FUNNEL_ASSERT(x.cols() == in && y.cols() == out && x.rows() == y.rows() && memory.size() >= scratch(x.rows()));
        for (std::size_t begin = 0; begin < x.rows(); begin += block_rows) {
            const std::size_t rows = std::min(block_rows, x.rows() - begin);
            run<Backend>(rows, memory, y.rows_from(begin, rows), [&](MatrixView<float> output, std::span<float> rest) {
                if constexpr (step_count == 0) {
                    detail::join<0>({}, x.rows_from(begin, rows), output);
                } else {
                    std::get<0>(steps_).template infer<Backend>(x.rows_from(begin, rows), output, rest);
                }
            });
        }
    }

    /// Numbers of scratch memory that infer_split needs for that many rows.
    template <std::size_t Head>
    [[nodiscard]] static constexpr std::size_t split_scratch(std::size_t rows) noexcept {
        return shared<Head>() + tail_scratch<Head>(rows);
    }

    /// The outputs for rows that all begin with the same numbers, such as the features of a user whose candidates are
    /// scored: the part of the first layers that sees only those is computed once.
    ///
    /// Shapes    head: Head;  tail: n x (in - Head), the rest of each row;  memory: split_scratch<Head>(n) or more;
    ///           y: n x out, not overlapping the others (not checked)
    template <std::size_t Head, kernels::HostBackend Backend = kernels::DefaultBackend>
        requires(Head <= in)
    void infer_split(std::span<const float> head, MatrixView<const float> tail, std::span<float> memory,
                     MatrixView<float> y) const noexcept {
        FUNNEL_ASSERT(head.size() == Head && tail.cols() == in - Head && y.cols() == out && tail.rows() == y.rows());
        FUNNEL_ASSERT(memory.size() >= split_scratch<Head>(tail.rows()));
        const std::span<float> of_head = detail::take(memory, shared<Head>());
        share<Backend, Head>(head, of_head);
        infer_tail<Backend, Head>(of_head, tail, y, memory);
    }

    // The two parts of it, as of a step: see frozen_split.hpp.
    template <std::size_t Head>
    [[nodiscard]] static constexpr std::size_t shared() noexcept {
        if constexpr (step_count == 0) {
            return Head;
        } else {
            return detail::shared_numbers<Step<0>, Head>();
        }
    }
    template <std::size_t Head>
    [[nodiscard]] static constexpr std::size_t tail_scratch(std::size_t rows) noexcept {
        const std::size_t block = std::min(rows, block_rows);
        if constexpr (step_count == 0) {
            return 0;
        } else {
            return scratch(rows) + detail::tail_scratch<Step<0>, Head>(block);
        }
    }
    template <kernels::HostBackend Backend, std::size_t Head>
    void share(std::span<const float> head, std::span<float> kept) const noexcept {
        if constexpr (step_count == 0) {
            std::copy_n(head.begin(), Head, kept.begin());
        } else {
            detail::share<Backend, Head>(std::get<0>(steps_), head, kept);
        }
    }
    template <kernels::HostBackend Backend, std::size_t Head>
    void infer_tail(std::span<const float> kept, MatrixView<const float> tail, MatrixView<float> y,
                    std::span<float> memory) const noexcept {
        for (std::size_t begin = 0; begin < tail.rows(); begin += block_rows) {
            const std::size_t rows = std::min(block_rows, tail.rows() - begin);
            run<Backend>(rows, memory, y.rows_from(begin, rows), [&](MatrixView<float> output, std::span<float> rest) {
                if constexpr (step_count == 0) {
                    detail::join<Head>(kept, tail.rows_from(begin, rows), output);
                } else {
                    detail::infer_tail<Backend, Head>(std::get<0>(steps_), kept, tail.rows_from(begin, rows), output,
                                                      rest);
                }
            });
        }
    }

    /// visit(the steps of the network), for copies of it on other backends: see nn/cuda/freeze.cuh.
    template <class Visit>
    [[nodiscard]] auto with_steps(const Visit& visit) const {
        return std::apply(visit, steps_);
    }

private:
    using FlatLayers = typename detail::Flatten<Sequential<Layers...>>::type;
    using Network = typename detail::SequenceOf<FlatLayers>::type;
    using Roles = detail::Roles<FlatLayers>;
    using Role = detail::Role;
    using Numbers = std::span<const float>;
    template <std::size_t I>
    using LayerAt = typename Network::template LayerAt<I>;

    // The step that begins with layer I: a tuple of one step, or of none if the layer is a part of another step.
    template <std::size_t I>
    [[nodiscard]] static auto make_step(Numbers parameters, Numbers statistics) {
        using L = LayerAt<I>;
        if constexpr (Roles::of[I] == Role::Dense) {
            constexpr auto epilogue = Roles::ends_with_relu(I) ? kernels::Epilogue::ReLU : kernels::Epilogue::Identity;
            const Numbers own = Network::template parameters_of<I>(parameters);
            const Numbers bias = L::bias(own);
            const auto weights = own.first(own.size() - bias.size());
            detail::FoldedDense dense{L::in, L::out, {weights.begin(), weights.end()}, {bias.begin(), bias.end()}};
            if constexpr (I > 0) {
                fold_before<I - 1>(dense, parameters, statistics);
            }
            fold_after<I + 1>(dense, parameters, statistics);
            return std::tuple(detail::PackedStep<L::in, L::out, epilogue, Storage>(dense));
        } else if constexpr (Roles::of[I] == Role::Scale) {
            const auto [scale, shift] = scale_of<I>(parameters, statistics);
            return std::tuple(detail::ScaleStep<L::in>(scale, shift));
        } else if constexpr (Roles::of[I] == Role::Kept && detail::is_side_by_side<L>) {
            return std::tuple(typename detail::ParallelStepOf<Storage, L>::type(
                Network::template parameters_of<I>(parameters), Network::template statistics_of<I>(statistics)));
        } else if constexpr (Roles::of[I] == Role::Kept) {
            return std::tuple(detail::KeptStep<L>(Network::template parameters_of<I>(parameters),
                                                  Network::template statistics_of<I>(statistics)));
        } else {
            return std::tuple<>();
        }
    }

    // From the nearest layer to the furthest one.
    template <std::size_t I>
    static void fold_before(detail::FoldedDense& dense, Numbers parameters, Numbers statistics) {
        if constexpr (Roles::of[I] == Role::FoldedAhead) {
            const auto [scale, shift] = scale_of<I>(parameters, statistics);
            dense.fold_before(scale, shift);
        }
        if constexpr (I > 0 && (Roles::of[I] == Role::FoldedAhead || Roles::of[I] == Role::LeftOut)) {
            fold_before<I - 1>(dense, parameters, statistics);
        }
    }
    template <std::size_t I>
    static void fold_after(detail::FoldedDense& dense, Numbers parameters, Numbers statistics) {
        if constexpr (I < Network::depth) {
            if constexpr (Roles::of[I] == Role::FoldedBack) {
                const auto [scale, shift] = scale_of<I>(parameters, statistics);
                dense.fold_after(scale, shift);
            }
            if constexpr (Roles::of[I] == Role::FoldedBack || Roles::of[I] == Role::LeftOut) {
                fold_after<I + 1>(dense, parameters, statistics);
            }
        }
    }

    template <std::size_t I>
    [[nodiscard]] static std::pair<std::vector<double>, std::vector<double>> scale_of(Numbers parameters,
                                                                                      Numbers statistics) {
        std::vector<double> scale(LayerAt<I>::in);
        std::vector<double> shift(LayerAt<I>::in);
        LayerAt<I>::scale_and_shift(Network::template parameters_of<I>(parameters),
                                    Network::template statistics_of<I>(statistics), std::span(scale), std::span(shift));
        return {std::move(scale), std::move(shift)};
    }

    [[nodiscard]] static auto make_steps(Numbers parameters, Numbers statistics) {
        require(parameters.size() == Network::parameters && statistics.size() == Network::statistics,
                "Frozen: there must be as many parameters and statistics as the layers have");
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
            return std::tuple_cat(make_step<I>(parameters, statistics)...);
        }(std::make_index_sequence<Network::depth>{});
    }

    using Steps = decltype(make_steps({}, {}));
    static constexpr std::size_t step_count = std::tuple_size_v<Steps>;
    static constexpr std::make_index_sequence<step_count> each_step{};
    template <std::size_t I>
    using Step = std::tuple_element_t<I, Steps>;

    static constexpr std::size_t widest = []<std::size_t... I>(std::index_sequence<I...>) {
        return std::max({std::size_t{0}, detail::padded_width(Step<I>::out)...});
    }(each_step);

    // Serves all steps; first(output, memory) is the first one. Outputs take turns in two blocks of memory.
    template <kernels::HostBackend Backend, class RunFirst>
    void run(std::size_t rows, std::span<float> memory, MatrixView<float> y, const RunFirst& first) const noexcept {
        const std::array<std::span<float>, 2> turns{detail::take(memory, rows * widest),
                                                    detail::take(memory, rows * widest)};
        MatrixView<const float> input;
        const auto run_one = [&]<std::size_t I>(std::integral_constant<std::size_t, I>) {
            std::span<float> turn = turns[I % 2];
            const MatrixView<float> output = I + 1 == step_count ? y : detail::take_rows(turn, rows, Step<I>::out);
            if constexpr (I == 0) {
                first(output, memory);
            } else {
                std::get<I>(steps_).template infer<Backend>(input, output, memory);
            }
            input = output;
        };
        if constexpr (step_count == 0) {
            first(y, memory);
        }
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (run_one(std::integral_constant<std::size_t, I>{}), ...);
        }(each_step);
    }

    Steps steps_;
};

/// A network for service with the numbers that a tower has now. See Frozen.
///
///     const auto frozen = freeze(tower);                        // or freeze<kernels::BFloat16>(tower)
///     frozen.infer(rows, memory, vectors);                      // allocates nothing
template <kernels::PackedWeight Storage = float, class... Layers>
[[nodiscard]] Frozen<Storage, Layers...> freeze(const Tower<Layers...>& tower) {
    return Frozen<Storage, Layers...>(tower.parameters(), tower.statistics());
}

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/dense_panels.hpp>
#include <funnel/nn/frozen_steps.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/parallel_layers.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

template <kernels::StoredWeight Storage, class... Layers>
class Frozen;

namespace detail {

/// The step of layers side by side: each of them is frozen by itself. See SideBySide.
template <kernels::StoredWeight Storage, bool HasSharedInput, class... Layers>
class ParallelStep {
    using Parts = std::tuple<Frozen<Storage, Layers>...>;
    template <std::size_t I>
    using Part = std::tuple_element_t<I, Parts>;

public:
    static constexpr std::size_t in = SideBySide<HasSharedInput, Layers...>::in;
    static constexpr std::size_t out = SideBySide<HasSharedInput, Layers...>::out;

    // Braces, because the parts must take their numbers in order.
    ParallelStep(std::span<const float> parameters, std::span<const float> statistics)
        : parts_{Frozen<Storage, Layers>(Measured{}, take(parameters, Layers::parameters),
                                         take(statistics, Layers::statistics))...} {}

    [[nodiscard]] static constexpr std::size_t scratch(std::size_t rows) noexcept {
        return std::max({Frozen<Storage, Layers>::scratch(rows)...});
    }

    template <kernels::HostBackend Backend>
    void infer(MatrixView<const float> x, MatrixView<float> y, std::span<float> scratch) const noexcept {
        each([&]<std::size_t I>(Position<I>) {
            const MatrixView<const float> input = HasSharedInput ? x : x.columns_from(inputs_before[I], Part<I>::in);
            std::get<I>(parts_).template infer<Backend>(input, scratch, outputs_of<I>(y));
        });
    }

    template <std::size_t Head>
        requires HasSharedInput
    [[nodiscard]] static constexpr std::size_t shared() noexcept {
        return shared_before<Head>()[sizeof...(Layers)];
    }
    template <std::size_t Head>
        requires HasSharedInput
    [[nodiscard]] static constexpr std::size_t tail_scratch(std::size_t rows) noexcept {
        return std::max({Frozen<Storage, Layers>::template tail_scratch<Head>(rows)...});
    }

    template <kernels::HostBackend Backend, std::size_t Head>
        requires HasSharedInput
    void share(std::span<const float> head, std::span<float> kept) const noexcept {
        each([&]<std::size_t I>(Position<I>) {
            std::get<I>(parts_).template share<Backend, Head>(head, kept.subspan(shared_before<Head>()[I]));
        });
    }

    template <kernels::HostBackend Backend, std::size_t Head>
        requires HasSharedInput
    void infer_tail(std::span<const float> kept, MatrixView<const float> tail, MatrixView<float> y,
                    std::span<float> scratch) const noexcept {
        each([&]<std::size_t I>(Position<I>) {
            std::get<I>(parts_).template infer_tail<Backend, Head>(kept.subspan(shared_before<Head>()[I]), tail,
                                                                   outputs_of<I>(y), scratch);
        });
    }

    /// visit(the frozen networks), as with_steps of Frozen.
    template <class Visit>
    [[nodiscard]] auto with_parts(const Visit& visit) const {
        return std::apply(visit, parts_);
    }

private:
    template <std::size_t I>
    using Position = std::integral_constant<std::size_t, I>;
    using Offsets = std::array<std::size_t, sizeof...(Layers) + 1>;

    [[nodiscard]] static constexpr Offsets sums(const std::array<std::size_t, sizeof...(Layers)>& sizes) noexcept {
        Offsets offsets{};
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            offsets[i + 1] = offsets[i] + sizes[i];
        }
        return offsets;
    }
    static constexpr Offsets inputs_before = sums({Layers::in...});
    static constexpr Offsets outputs_before = sums({Layers::out...});
    template <std::size_t Head>
    [[nodiscard]] static constexpr Offsets shared_before() noexcept {
        return sums({Frozen<Storage, Layers>::template shared<Head>()...});
    }

    template <std::size_t I>
    [[nodiscard]] static MatrixView<float> outputs_of(MatrixView<float> y) {
        return y.columns_from(outputs_before[I], Part<I>::out);
    }

    template <class Visit>
    static void each(const Visit& visit) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
            (visit(Position<I>{}), ...);
        }(std::index_sequence_for<Layers...>{});
    }

    Parts parts_;
};

/// The step of layers side by side. is_side_by_side says whether L is one of them.
template <kernels::StoredWeight Storage, class L>
struct ParallelStepOf;
template <kernels::StoredWeight Storage, Layer... Layers>
struct ParallelStepOf<Storage, Parallel<Layers...>> {
    using type = ParallelStep<Storage, true, Layers...>;
};
template <kernels::StoredWeight Storage, Layer... Layers>
struct ParallelStepOf<Storage, Blocks<Layers...>> {
    using type = ParallelStep<Storage, false, Layers...>;
};

template <class L>
inline constexpr bool is_side_by_side = false;
template <Layer... Layers>
inline constexpr bool is_side_by_side<Parallel<Layers...>> = true;
template <Layer... Layers>
inline constexpr bool is_side_by_side<Blocks<Layers...>> = true;

}  // namespace detail

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

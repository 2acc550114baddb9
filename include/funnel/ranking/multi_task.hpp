// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/nn/columns.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/gated_experts.hpp>
#include <funnel/nn/layer.hpp>
#include <funnel/nn/parallel_layers.hpp>
#include <funnel/nn/sequential.hpp>
#include <funnel/ranking/field_ranker.hpp>
#include <funnel/ranking/fields.hpp>
#include <funnel/ranking/task_losses.hpp>

#include <cstddef>
#include <tuple>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

// Count times L in a tuple.
template <class L, class Positions>
struct Times;
template <class L, std::size_t... I>
struct Times<L, std::index_sequence<I...>> {
    template <std::size_t>
    using Each = L;
    using type = std::tuple<Each<I>...>;
};
template <class L, std::size_t Count>
using TupleOf = typename Times<L, std::make_index_sequence<Count>>::type;

template <class Tuple>
struct SideBySide;
template <nn::Layer... Layers>
struct SideBySide<std::tuple<Layers...>> {
    using InParallel = nn::Parallel<Layers...>;
    using InBlocks = nn::Blocks<Layers...>;
};

// Layer L on the columns First .. First + L::in - 1 of rows of In numbers.
template <std::size_t In, std::size_t First, nn::Layer L>
struct OnColumns {
    using type = nn::Sequential<nn::Columns<In, First, L::in>, L>;
};
template <std::size_t In, std::size_t First, nn::Layer L>
    requires(In == L::in)
struct OnColumns<In, First, L> {
    using type = L;
};

// One level of experts and gates. The first level reads the row. A later one reads the mixtures of the level before it:
// the experts and the gate of task t its mixture, the shared experts and the shared gate the shared mixture.
template <bool IsFirst, bool IsLast, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Expert>
struct ExpertsLevel {
    static constexpr std::size_t width = Expert::in;
    static constexpr std::size_t in = IsFirst ? width : (Tasks + 1) * width;
    using Mixture = nn::GatedExperts<Expert::out, Tasks, Own, Shared, !IsLast>;

    template <nn::Layer L, std::size_t Reader>
    using Of = typename OnColumns<in, IsFirst ? 0 : Reader * width, L>::type;

    template <class Readers>
    struct Layers;
    template <std::size_t... Task>
    struct Layers<std::index_sequence<Task...>> {
        using Experts =
            decltype(std::tuple_cat(TupleOf<Of<Expert, Task>, Own>{}..., TupleOf<Of<Expert, Tasks>, Shared>{}));
        using Gates = std::tuple<Of<nn::Dense<width, Mixture::of_task>, Task>...>;
        using SharedGate = TupleOf<Of<nn::Dense<width, Mixture::experts>, Tasks>, IsLast ? 0 : 1>;
        using type = decltype(std::tuple_cat(Experts{}, Gates{}, SharedGate{}));
    };
    using type = nn::Sequential<typename SideBySide<typename Layers<std::make_index_sequence<Tasks>>::type>::InParallel,
                                Mixture>;
};

template <bool IsFirst, std::size_t Tasks, std::size_t Own, std::size_t Shared, class Done, nn::Layer... Experts>
struct ExpertLevels;
template <bool IsFirst, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer... Done, nn::Layer Expert,
          nn::Layer... Rest>
struct ExpertLevels<IsFirst, Tasks, Own, Shared, std::tuple<Done...>, Expert, Rest...> {
    using Level = typename ExpertsLevel<IsFirst, sizeof...(Rest) == 0, Tasks, Own, Shared, Expert>::type;
    using type = typename ExpertLevels<false, Tasks, Own, Shared, std::tuple<Done..., Level>, Rest...>::type;
};
template <bool IsFirst, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer... Done>
    requires(sizeof...(Done) > 0)
struct ExpertLevels<IsFirst, Tasks, Own, Shared, std::tuple<Done...>> {
    using type = nn::Sequential<Done...>;
};

template <class Schema, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Tower, nn::Layer... Experts>
struct ExpertsNetwork {
    using Levels = typename ExpertLevels<true, Tasks, Own, Shared, std::tuple<>, Experts...>::type;
    static constexpr std::size_t width = Levels::out / Tasks;
    static_assert(Levels::in == Schema::columns, "MMoE, PLE: an expert must take the rows of the schema");
    static_assert(Tower::in == width && Tower::out == 1,
                  "MMoE, PLE: a tower must take what an expert gives, and give one logit");
    using type = nn::Sequential<Levels, typename SideBySide<TupleOf<Tower, Tasks>>::InBlocks>;
};

template <class Schema, std::size_t Tasks, nn::Layer Bottom, nn::Layer Tower>
struct SharedBottomNetwork {
    static_assert(Bottom::in == Schema::columns, "SharedBottom: the bottom must take the rows of the schema");
    static_assert(Tower::in == Bottom::out && Tower::out == 1,
                  "SharedBottom: a tower must take what the bottom gives, and give one logit");
    using type = nn::Sequential<Bottom, typename SideBySide<TupleOf<Tower, Tasks>>::InParallel>;
};

}  // namespace detail

/// Several tasks, such as click and purchase, on one bottom network with a tower each.
///
///     using Ranker = SharedBottom<Features, 2, nn::HiddenLayers<Features::columns, 64>, nn::MLP<64, 32, 1>>;
///
/// With ESMMLoss as the last argument, the tasks are P(click) and P(purchase | click).
///
/// Source    Caruana, "Multitask learning", Machine Learning 1997
template <class Schema, std::size_t Tasks, nn::Layer Bottom, nn::Layer Tower, class Loss = LoglossPerTask>
using SharedBottom =
    FieldRanker<Schema, typename detail::SharedBottomNetwork<Schema, Tasks, Bottom, Tower>::type, false, Loss>;

/// MMoE: several experts instead of one bottom; a gate per task mixes them, so that tasks which disagree can use
/// different ones.
///
/// Source    Ma et al., "Modeling task relationships in multi-task learning with multi-gate mixture-of-experts", KDD
///           2018
template <class Schema, std::size_t Tasks, std::size_t Experts, nn::Layer Expert, nn::Layer Tower,
          class Loss = LoglossPerTask>
using MMoE =
    FieldRanker<Schema, typename detail::ExpertsNetwork<Schema, Tasks, 0, Experts, Tower, Expert>::type, false, Loss>;

/// PLE with one level (CGC): each task has Own experts that no other task trains, beside Shared ones.
///
/// Source    Tang et al., "Progressive layered extraction (PLE)", RecSys 2020
template <class Schema, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Expert, nn::Layer Tower,
          class Loss = LoglossPerTask>
using PLE =
    FieldRanker<Schema, typename detail::ExpertsNetwork<Schema, Tasks, Own, Shared, Tower, Expert>::type, false, Loss>;

/// PLE with several levels, each an expert that takes what the one before it gives. The experts and the gate of a task
/// read the mixture of this task; the shared experts, and a shared gate, read a mixture of all experts.
///
///     using Expert = nn::HiddenLayers<Features::columns, 64>;
///     using Ranker = ProgressivePLE<Features, 2, 1, 1, nn::MLP<32, 1>, Expert, nn::HiddenLayers<64, 32>>;
///
/// Source    as PLE (section 4.2)
template <class Schema, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Tower, nn::Layer... Levels>
    requires(Own > 0 && Shared > 0 && sizeof...(Levels) > 0)
using ProgressivePLE =
    FieldRanker<Schema, typename detail::ExpertsNetwork<Schema, Tasks, Own, Shared, Tower, Levels...>::type>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

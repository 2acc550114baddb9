// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

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

template <class Schema, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Expert, nn::Layer Tower>
struct ExpertsNetwork {
    static_assert(Expert::in == Schema::columns, "MMoE, PLE: an expert must take the rows of the schema");
    static_assert(Tower::in == Expert::out && Tower::out == 1,
                  "MMoE, PLE: a tower must take what an expert gives, and give one logit");
    using Mixture = nn::GatedExperts<Expert::out, Tasks, Own, Shared>;
    using Gate = nn::Dense<Schema::columns, Mixture::of_task>;
    using All = decltype(std::tuple_cat(TupleOf<Expert, Mixture::experts>{}, TupleOf<Gate, Tasks>{}));
    using type = nn::Sequential<typename SideBySide<All>::InParallel, Mixture,
                                typename SideBySide<TupleOf<Tower, Tasks>>::InBlocks>;
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
    FieldRanker<Schema, typename detail::ExpertsNetwork<Schema, Tasks, 0, Experts, Expert, Tower>::type, false, Loss>;

/// PLE with one level: each task has Own experts that no other task trains, beside Shared ones.
///
/// Source    Tang et al., "Progressive layered extraction (PLE)", RecSys 2020 (the CGC module)
template <class Schema, std::size_t Tasks, std::size_t Own, std::size_t Shared, nn::Layer Expert, nn::Layer Tower,
          class Loss = LoglossPerTask>
using PLE =
    FieldRanker<Schema, typename detail::ExpertsNetwork<Schema, Tasks, Own, Shared, Expert, Tower>::type, false, Loss>;

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/metrics/item_list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// A list of items with their scores, best first, for example std::vector<Scored<>>.
template <class L>
concept ScoredList = ItemList<L> && requires(const L& list) {
    { (*std::begin(list)).id } -> std::convertible_to<std::uint32_t>;
    { (*std::begin(list)).score } -> std::convertible_to<double>;
};

/// A model that can be evaluated: recommend(user, {.k = 10}) returns at most k items, each with an id and a score. The
/// list may be empty for a user that the model does not know. With a multi-threaded executor, recommend() is called
/// from several threads at once. In a pipeline::Funnel, the source of candidates is a pipeline::Retriever instead.
template <class M>
concept Recommender = requires(const M& model, std::uint32_t user, std::size_t k) {
    { model.recommend(user, {.k = k}) } -> ScoredList;
};

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/metrics/item_list.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// A list of items with their scores, best first; std::vector<Scored<>> is one.
template <class L>
concept ScoredList = ItemList<L> && requires(const L& list) {
    { (*std::begin(list)).id } -> std::convertible_to<std::uint32_t>;
    { (*std::begin(list)).score } -> std::convertible_to<double>;
};

/// Whatever can be evaluated: it answers recommend(user, {.k = 10}) with a list of at most k items that have an id and
/// a score. For a user it knows nothing about it may answer with an empty list. With an executor of several threads,
/// recommend() is called by all of them at once.
template <class M>
concept Recommender = requires(const M& model, std::uint32_t user, std::size_t k) {
    { model.recommend(user, {.k = k}) } -> ScoredList;
};

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

struct RecommendOptions {
    std::size_t k = 10;      ///< length of the list
    bool keep_seen = false;  ///< true: the list may contain items of the user's own history, and disliked ones
    std::optional<float> least_score = {};  ///< if set, items with a lower score are left out
};

namespace detail {

// Pushes the items that are not seen and that accept allows. Calls accept only for items that would enter the list.
template <class Accept>
void offer_unseen(TopK<>& best, std::span<const float> scores, std::span<const std::uint32_t> seen,
                  const Accept& accept) {
    FUNNEL_ASSERT(std::is_sorted(seen.begin(), seen.end()));
    const auto offer = [&](std::size_t begin, std::size_t end) {
        for (std::size_t item = begin; item < end; ++item) {
            // Ids ascend and ties go to the smaller id, so an equal score cannot enter a full list.
            if (scores[item] > best.threshold() || !best.is_full()) {
                const auto id = static_cast<std::uint32_t>(item);
                if (accept(id)) {
                    best.push(id, scores[item]);
                }
            }
        }
    };
    std::size_t begin = 0;
    for (const std::uint32_t item : seen) {
        offer(begin, std::min<std::size_t>(item, scores.size()));
        begin = std::size_t{item} + 1;
    }
    offer(begin, scores.size());
}

}  // namespace detail

/// The items with the highest scores, without seen items and without items that the filter rejects.
///
/// Seen items never appear in the list, even if few other items remain or all other scores are negative.
///
/// Shapes    scores: one per item;  seen: item ids, ascending (not checked), unknown ids are ignored;  out: room for k
/// Returns   the filled part of out, best first, ties to the smaller id; shorter than k if fewer items remain
/// Cost      O(n + seen), and O(log k) for each item that enters the list; allocates nothing. The filter is called only
///           for items that would enter
template <ItemFilter Filter = AcceptAll>
std::span<Scored<>> best_unseen(std::span<const float> scores, std::span<const std::uint32_t> seen,
                                std::span<Scored<>> out FUNNEL_LIFETIMEBOUND,
                                const Filter& filter = {}) noexcept(is_nothrow_filter<Filter>) {
    TopK<> best(out);
    detail::offer_unseen(best, scores, seen, filter);
    return best.finish();
}

namespace detail {

// The list for a profile from the scores that score_all wrote. Overwrites the scores if the scorer has
// keep_known_zeros.
template <Scorer S, ItemFilter Filter>
std::span<Scored<>> choose(const S& scorer, const Profile& profile, const RecommendOptions& options,
                           const Filter& filter, std::span<float> scores,
                           std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) noexcept(is_nothrow_filter<Filter>) {
    const auto seen = options.keep_seen ? std::span<const std::uint32_t>{} : profile.history;
    const auto disliked = options.keep_seen ? std::span<const std::uint32_t>{} : profile.disliked;
    const auto accept = [&](std::uint32_t id) noexcept(is_nothrow_filter<Filter>) {
        return !std::binary_search(disliked.begin(), disliked.end(), id) && filter(id);
    };
    TopK<> best(out);
    if constexpr (!TellsZerosApart<S>) {
        offer_unseen(best, scores, seen, accept);
    } else {
        // First only scores other than 0. If positive scores fill the list, no item with a score of 0 can enter, and
        // keep_known_zeros is not needed.
        offer_unseen(best, scores, seen, [&](std::uint32_t id) { return scores[id] != 0.0F && accept(id); });
        if (!best.is_full() || best.threshold() < 0.0F) {
            scorer.keep_known_zeros(profile, scores);
            offer_unseen(best, scores, seen, [&](std::uint32_t id) { return scores[id] == 0.0F && accept(id); });
        }
    }
    std::span<Scored<>> list = best.finish();
    while (options.least_score && !list.empty() && !(list.back().score >= *options.least_score)) {
        list = list.first(list.size() - 1);
    }
    return list;
}

}  // namespace detail

/// Implements recommend() of every model: writes the list for a profile into the caller's memory.
///
/// Shapes    scratch: at least items() elements;  out: at most options.k of its elements are filled
/// Returns   the filled part of out: unseen items with evidence (see Scorer). Empty if scratch is too short, or if the
///           scorer needs a history and the profile has none
/// Cost      one score_all and one best_unseen; about twice that if too few scores above 0 remain to fill out
template <Scorer S, ItemFilter Filter = AcceptAll>
std::span<Scored<>> recommend_for(const S& scorer, const Profile& profile, const RecommendOptions& options,
                                  const Filter& filter, std::span<float> scratch,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) noexcept(is_nothrow_filter<Filter>) {
    const std::size_t items = scorer.items();
    out = out.first(std::min(options.k, out.size()));
    if (out.empty() || scratch.size() < items || (S::needs_history && profile.history.empty())) {
        return {};
    }
    const std::span<float> scores = scratch.first(items);
    scorer.score_all(profile, scores);
    return detail::choose(scorer, profile, options, filter, scores, out);
}

/// As above, but allocates its own memory.
template <Scorer S, ItemFilter Filter = AcceptAll>
[[nodiscard]] std::vector<Scored<>> recommend_for(const S& scorer, const Profile& profile,
                                                  const RecommendOptions& options, const Filter& filter) {
    if (S::needs_history && profile.history.empty()) {
        return {};
    }
    std::vector<float> scratch(scorer.items());
    std::vector<Scored<>> out(std::min(options.k, scratch.size()));
    funnel::detail::keep_first(out, recommend_for(scorer, profile, options, filter, scratch, out).size());
    return out;
}

/// Implements recommend_batch() of every model: the lists for many profiles, each as recommend_for gives it.
///
///     profile_of(i) -> Profile    of the i-th list
///
/// If the scorer has score_range, a few users share each read of a block of items.
///
/// Cost      memory: for each thread, as many floats as 8 x items
template <Scorer S, class ProfileOf, ItemFilter Filter, Executor E>
[[nodiscard]] std::vector<std::vector<Scored<>>> recommend_batch_for(const S& scorer, std::size_t count,
                                                                     const ProfileOf& profile_of,
                                                                     const RecommendOptions& options,
                                                                     const Filter& filter, E& executor) {
    constexpr std::size_t users_together = 8;
    const std::size_t items = scorer.items();
    std::vector<std::vector<Scored<>>> lists(count);
    std::vector<std::vector<float>> scratch(executor.concurrency());
    executor.for_range(count, users_together, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        FUNNEL_ASSERT(worker < scratch.size());
        scratch[worker].resize(users_together * items);
        const auto scores_of = [&](std::size_t i) {
            return std::span(scratch[worker]).subspan((i - begin) * items, items);
        };
        const auto is_scored = [&](std::size_t i) { return !S::needs_history || !profile_of(i).history.empty(); };
        if constexpr (detail::ScoresRanges<S>) {
            constexpr std::size_t block = 512;
            for (std::size_t first = 0; first < items; first += block) {
                for (std::size_t i = begin; i < end; ++i) {
                    if (is_scored(i)) {
                        scorer.score_range(profile_of(i), first,
                                           scores_of(i).subspan(first, std::min(block, items - first)));
                    }
                }
            }
        }
        for (std::size_t i = begin; i < end; ++i) {
            if (is_scored(i)) {
                if constexpr (!detail::ScoresRanges<S>) {
                    scorer.score_all(profile_of(i), scores_of(i));
                }
                lists[i].resize(std::min(options.k, items));
                const auto list = detail::choose(scorer, profile_of(i), options, filter, scores_of(i), lists[i]);
                funnel::detail::keep_first(lists[i], list.size());
            }
        }
    });
    return lists;
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel::inline FUNNEL_ABI::cf {

struct RecommendOptions {
    std::size_t k = 10;      ///< length of the list
    bool keep_seen = false;  ///< true: items of the user's own history may come back
};

/// Says which items may be shown: filter(item) -> bool.
template <class F>
concept ItemFilter = std::predicate<const F&, std::uint32_t>;

/// Lets every item through.
struct AllItems {
    [[nodiscard]] constexpr bool operator()(std::uint32_t) const noexcept { return true; }
};

/// Whether a list can be made without an exception: all else on the way is noexcept.
template <class Filter>
inline constexpr bool filters_quietly = std::is_nothrow_invocable_v<const Filter&, std::uint32_t>;

/// What a scorer goes by when it scores items for a user; each reads the part it needs.
struct Profile {
    std::span<const std::uint32_t> history;  ///< ids of the items the user had to do with, ascending
    std::span<const float> factors = {};     ///< the user's row of a factor model
};

/// What was learned, asked to score items for a profile, whoever the user is. Model makes a recommender of it.
///
///     needs_history                       true: it is not asked about a user without a history
///     score_all(profile, scores)          one score for each of its items
///     score_one(profile, item)            the score of one of its items
///     keep_known_zeros(profile, scores)   optional, noexcept; see below
///
/// Ids must be below items(), and scores must have items() elements (neither is checked).
///
/// An item is recommended only if there is evidence for it. A score other than 0 is evidence. If a score of 0 can mean
/// that nothing is known, the scorer has keep_known_zeros. It gets the scores that score_all wrote: a score that is 0
/// with evidence stays 0, and every other score becomes any number but 0.
template <class S>
concept Scorer = requires(const S& scorer, const Profile& profile, std::span<float> scores, std::uint32_t item) {
    { scorer.items() } -> std::convertible_to<std::size_t>;
    { S::needs_history } -> std::convertible_to<bool>;
    { scorer.score_all(profile, scores) } noexcept;
    { scorer.score_one(profile, item) } noexcept -> std::convertible_to<float>;
};

namespace detail {

template <class S>
concept TellsZerosApart = requires(const S& scorer, const Profile& profile, std::span<float> scores) {
    { scorer.keep_known_zeros(profile, scores) } noexcept;
};

// Pushes the items that are neither seen nor rejected by accept, which is asked only about those that would enter.
template <class Accept>
void offer_unseen(TopK<>& best, std::span<const float> scores, std::span<const std::uint32_t> seen,
                  const Accept& accept) {
    FUNNEL_ASSERT(std::is_sorted(seen.begin(), seen.end()));
    const auto offer = [&](std::size_t begin, std::size_t end) {
        for (std::size_t item = begin; item < end; ++item) {
            // Ids ascend, so an equal score comes too late once the list is full.
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

/// The best items by dense scores, without those that were seen or that the filter rejects.
///
/// A seen item is taken out, not marked down: it cannot come back where good items are few, and neither can it where
/// the scores of all others are negative.
///
/// Shapes    scores: one for each item;  seen: item ids, ascending (not checked), unknown ones are passed over;
///           out: room for k
/// Returns   the filled part of out, best first, ties to the smaller id; shorter than k if fewer items are left
/// Cost      O(n + seen) and the heap of TopK; allocates nothing. The filter is asked only about items that would enter
template <ItemFilter Filter = AllItems>
std::span<Scored<>> best_unseen(std::span<const float> scores, std::span<const std::uint32_t> seen,
                                std::span<Scored<>> out FUNNEL_LIFETIMEBOUND,
                                const Filter& filter = {}) noexcept(filters_quietly<Filter>) {
    TopK<> best(out);
    detail::offer_unseen(best, scores, seen, filter);
    return best.finish();
}

/// recommend() of every model: the list for a profile, in memory of the caller.
///
/// Shapes    scratch: at least items() elements;  out: at most options.k of its elements are filled
/// Returns   the filled part of out: unseen items that there is evidence for (see Scorer). Empty if scratch is too
///           short, or for a profile without a history if the scorer needs one
/// Cost      one score_all and one best_unseen; again about as much if they do not fill out with scores above 0
template <Scorer S, ItemFilter Filter = AllItems>
std::span<Scored<>> recommend_for(const S& scorer, const Profile& profile, const RecommendOptions& options,
                                  const Filter& filter, std::span<float> scratch,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) noexcept(filters_quietly<Filter>) {
    const std::size_t items = scorer.items();
    out = out.first(std::min(options.k, out.size()));
    if (out.empty() || scratch.size() < items || (S::needs_history && profile.history.empty())) {
        return {};
    }
    const std::span<float> scores = scratch.first(items);
    const auto seen = options.keep_seen ? std::span<const std::uint32_t>{} : profile.history;
    scorer.score_all(profile, scores);
    if constexpr (!detail::TellsZerosApart<S>) {
        return best_unseen(scores, seen, out, filter);
    } else {
        // Zeros come last. Most lists are full of better items by then, and need not ask which zeros are known.
        TopK<> best(out);
        detail::offer_unseen(best, scores, seen, [&](std::uint32_t id) { return scores[id] != 0.0F && filter(id); });
        if (!best.is_full() || best.threshold() < 0.0F) {
            scorer.keep_known_zeros(profile, scores);
            detail::offer_unseen(best, scores, seen,
                                 [&](std::uint32_t id) { return scores[id] == 0.0F && filter(id); });
        }
        return best.finish();
    }
}

/// The same with memory of its own.
template <Scorer S, ItemFilter Filter = AllItems>
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

/// score() of every model: one score for each of the given items, in their order. A scorer that knows a cheaper way
/// than one by one has score_some(profile, items, scores), which gives the same bits.
///
/// Returns   zeros for a profile without a history if the scorer needs one
/// Errors    InvalidArgument if an item is unknown
template <Scorer S>
[[nodiscard]] std::vector<float> score_for(const S& scorer, const Profile& profile,
                                           std::span<const std::uint32_t> items) {
    const auto known = [&](std::uint32_t item) { return item < scorer.items(); };
    require(std::all_of(items.begin(), items.end(), known), "score: every item must be below items()");
    std::vector<float> scores(items.size());
    if (S::needs_history && profile.history.empty()) {
        return scores;
    }
    if constexpr (requires { scorer.score_some(profile, items, scores); }) {
        scorer.score_some(profile, items, scores);
    } else {
        for (std::size_t i = 0; i < items.size(); ++i) {
            scores[i] = scorer.score_one(profile, items[i]);
        }
    }
    return scores;
}

/// explain() of every model that has it: the k items of a history with the largest shares; those of 0 are left out.
///
/// share(item) -> float    what an item of the history adds to the score
template <class Share>
[[nodiscard]] std::vector<Scored<>> largest_shares(std::span<const std::uint32_t> history, std::size_t k,
                                                   const Share& share) {
    std::vector<Scored<>> shares(std::min(k, history.size()));
    TopK<> best(shares);
    for (const std::uint32_t item : history) {
        if (const float s = share(item); s != 0.0F) {
            best.push(item, s);
        }
    }
    funnel::detail::keep_first(shares, best.finish().size());
    return shares;
}

/// A history as the models keep it: ascending.
///
/// Errors    InvalidArgument if an item is unknown or named twice
[[nodiscard]] inline std::vector<std::uint32_t> checked_history(std::span<const std::uint32_t> history,
                                                                std::size_t items) {
    std::vector<std::uint32_t> sorted(history.begin(), history.end());
    std::sort(sorted.begin(), sorted.end());
    require(sorted.empty() || sorted.back() < items, "fold_in: every item of the history must be below items()");
    require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
            "fold_in: an item may be in the history only once");
    return sorted;
}

}  // namespace funnel::cf

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
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

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

}  // namespace detail

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

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

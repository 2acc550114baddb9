// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>
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

/// What a scorer knows about a user. Each scorer reads the part it needs.
///
/// A value > 0 in the log means that the user likes the item, and a larger value says so with more confidence. A value
/// <= 0 means that the user saw the item and does not like it. By default, a scorer gets only the liked items, as a
/// set; nothing is learned from the others, and they are not recommended. A scorer with reads_values gets all items and
/// their values, and its comment says what it makes of them. Models of ratings take every value as a rating.
struct Profile {
    std::span<const std::uint32_t> history;        ///< ids of the user's items, ascending (not in the order of time)
    std::span<const float> factors = {};           ///< the user's row of a factor model
    std::span<const float> values = {};            ///< one per item of the history, if the scorer has reads_values
    std::span<const std::uint32_t> disliked = {};  ///< ids of items with a value <= 0, ascending, if it has not
    SparseRow<float> neighbours = {};              ///< similar users and how similar they are, if the scorer knows them
};

/// The learned part of a model: scores items for a profile. Model turns a scorer into a recommender.
///
///     needs_history                       true: users without a history are not scored
///     score_all(profile, scores)          writes one score per item
///     score_one(profile, item)            the score of one item
///     score_some(profile, items, scores)  optional: the scores of some items, with the same bits as score_one
///     score_range(profile, first, scores) optional: of the items first, first + 1, ..., with the bits of score_all
///     keep_known_zeros(profile, scores)   optional, noexcept; see below
///     reads_values                        optional: the scorer uses Profile::values
///
/// Ids must be below items(), and scores must have items() elements (neither is checked). items() of a moved-from
/// scorer is 0; containers such as Matrix and std::vector see to that, a stored number does not.
///
/// An item is recommended only if there is evidence for it. A score other than 0 is evidence. Without keep_known_zeros,
/// a score of 0 is evidence too, so all items are recommended. Add keep_known_zeros if a score of 0 can mean "no
/// evidence". It receives the scores that score_all wrote. Afterwards, exactly the items with evidence and a score of 0
/// have the value 0; the values of all other items are any numbers but 0. If no score of 0 is evidence, as in
/// Popularity, it fills scores with 1.
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

template <class S>
concept ScoresRanges = requires(const S& scorer, const Profile& profile, std::span<float> scores) {
    { scorer.score_range(profile, std::size_t{0}, scores) } noexcept;
};

template <class S>
concept ReadsValues = requires { S::reads_values; };

}  // namespace detail

/// Implements score() of every model: one score per given item, in the given order. Uses score_some if the scorer has
/// it, which is cheaper than one score_one per item.
///
/// Returns   the scores; zeros if the scorer needs a history and the profile has none
/// Errors    InvalidArgument if an item is unknown
template <Scorer S>
[[nodiscard]] std::vector<float> score_for(const S& scorer, const Profile& profile,
                                           std::span<const std::uint32_t> items) {
    for (const std::uint32_t item : items) {
        require_below(item, scorer.items(), "score: every item");
    }
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

/// The value of an item of the history. The item is in it (not checked).
[[nodiscard]] inline float value_in_history(const Profile& profile, std::uint32_t item) noexcept {
    const auto at = std::lower_bound(profile.history.begin(), profile.history.end(), item);
    return profile.values[static_cast<std::size_t>(at - profile.history.begin())];
}

/// Implements explain(): the k items of a history with the largest shares in a score. Shares of 0 are left out.
///
///     share(item) -> float    what an item of the history adds to the score
///
/// Returns   at most k items and their shares, largest share first, ties to the smaller id; negative shares come last
/// Cost      one share per item of the history, and O(log k) for each that enters the list
/// Errors    InvalidArgument if a share is not finite
template <class Share>
[[nodiscard]] std::vector<Scored<>> largest_shares(std::span<const std::uint32_t> history, std::size_t k,
                                                   const Share& share) {
    std::vector<Scored<>> shares(std::min(k, history.size()));
    TopK<> best(shares);
    for (const std::uint32_t item : history) {
        const float s = share(item);
        require(math::is_finite(s), "explain: every share must be finite: a value is too large");
        if (s != 0.0F) {
            best.push(item, s);
        }
    }
    funnel::detail::keep_first(shares, best.finish().size());
    return shares;
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/histories.hpp>
#include <funnel/cf/recommend.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/top_k.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::cf {

/// Item x item weights: how strongly an item of the history speaks for another.
template <class W>
concept ItemWeights = requires(const W& weights, std::uint32_t from, std::uint32_t to, std::span<float> scores) {
    { weights.items() } noexcept -> std::convertible_to<std::size_t>;
    { weights.weight(from, to) } noexcept -> std::convertible_to<float>;
    { weights.add_row(from, scores) } noexcept;  // scores[to] += weight(from, to), for all items
};

/// What the linear item models (EASE, ItemKNN) have in common once their weights are learned.
///
///     score(u, i) = sum over items j of u's history of weight(j, i)
///
/// All items are candidates, also those with score 0; a user without a history gets an empty list. The history is the
/// set of items in the training log: neither values nor repetitions matter.
///
/// Cost      recommend: |history| rows of weights, and O(items) for the list
template <ItemWeights Weights>
class LinearModel {
public:
    static constexpr bool needs_history = true;

    [[nodiscard]] std::size_t users() const noexcept { return histories_.users(); }
    [[nodiscard]] std::size_t items() const noexcept { return histories_.items(); }
    [[nodiscard]] const Weights& weights() const noexcept { return weights_; }

    /// The best items for a user, best first.
    ///
    /// Errors    InvalidArgument if there is no such user
    template <ItemFilter Filter = AllItems>
    [[nodiscard]] std::vector<Scored<>> recommend(std::size_t user, const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(*this, {histories_.of(user)}, options, filter);
    }

    /// The same for a user < users() (not checked), in memory of the caller: see recommend_for.
    template <ItemFilter Filter = AllItems>
    std::span<Scored<>> recommend(std::size_t user, const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out, const Filter& filter = {}) const
        noexcept(filters_quietly<Filter>) {
        return recommend_for(*this, {histories_.of_known(user)}, options, filter, scratch, out);
    }

    /// One score for each of the given items.
    ///
    /// Errors    InvalidArgument if there is no such user or item
    [[nodiscard]] std::vector<float> score(std::size_t user, std::span<const std::uint32_t> items) const {
        return score_for(*this, {histories_.of(user)}, items);
    }

    /// A user who was not there in training: gets exactly what a training user with this history gets.
    ///
    /// Errors    InvalidArgument if an item is unknown or named twice
    [[nodiscard]] FoldedUser<LinearModel> fold_in(std::span<const std::uint32_t> history) const {
        return {*this, checked_history(history, items())};
    }

    /// Why the item has its score: the k items of the user's history with the largest share in it.
    ///
    /// Returns   history items and their weights, largest first. All of them sum up to the score; those of weight 0 are
    /// left out, and a negative share speaks against the item
    /// Errors    InvalidArgument if there is no such user or item
    [[nodiscard]] std::vector<Scored<>> explain(std::size_t user, std::uint32_t item, std::size_t k) const {
        return explain_for({histories_.of(user)}, item, k);
    }

    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require(item < items(), "explain: item must be below items()");
        std::vector<Scored<>> shares(std::min(k, profile.history.size()));
        TopK<> best(shares);
        for (const std::uint32_t from : profile.history) {
            if (const float share = weights_.weight(from, item); share != 0.0F) {
                best.push(from, share);
            }
        }
        funnel::detail::keep_first(shares, best.finish().size());
        return shares;
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        std::fill(out.begin(), out.end(), 0.0F);
        for (const std::uint32_t from : profile.history) {
            weights_.add_row(from, out);
        }
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        float score = 0.0F;
        for (const std::uint32_t from : profile.history) {
            score += weights_.weight(from, item);
        }
        return score;
    }

protected:
    LinearModel(Weights weights, Histories histories) : weights_(std::move(weights)), histories_(std::move(histories)) {
        FUNNEL_ASSERT(weights_.items() == histories_.items());
    }

    [[nodiscard]] const Histories& histories() const noexcept { return histories_; }

private:
    Weights weights_;
    Histories histories_;
};

}  // namespace funnel::cf

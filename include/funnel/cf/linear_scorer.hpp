// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/scorer.hpp>
#include <funnel/cf/similar.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Item x item weights: how much an item of the history adds to the score of another item.
///
///     add_row(from, scores)           scores[to] += weight(from, to) for all items
///     clear_row(from, mark, scores)   scores[to] = 0 where scores[to] is mark and weight(from, to) is not 0
///     mean_row()                      average number of weights that add_row adds
///     lookup_cost                     number of weights that add_row adds in the time of one weight()
template <class W>
concept ItemWeights =
    requires(const W& weights, std::uint32_t from, std::uint32_t to, std::span<float> scores, float mark) {
        { weights.items() } noexcept -> std::convertible_to<std::size_t>;
        { weights.weight(from, to) } noexcept -> std::convertible_to<float>;
        { weights.add_row(from, scores) } noexcept;
        { weights.clear_row(from, mark, scores) } noexcept;
        { weights.mean_row() } noexcept -> std::convertible_to<std::size_t>;
        { W::lookup_cost } -> std::convertible_to<std::size_t>;
    };

/// Base class of scorers that use item-to-item weights, such as EASE and ItemKNN.
///
///     score(u, i) = sum over items j of u's history of weight(j, i)
///
/// An item is a candidate if some item of the history has a nonzero weight for it, even if the weights sum to 0 or
/// less. A user without a history gets an empty list. The history is the set of the items that the user likes in
/// the training log: how large a value > 0 is, and repetitions, are ignored.
///
/// A model adds kind, Options, learn and read (see LearnedScorer); cf/ease.hpp is an example.
///
/// Cost      recommend: |history| rows of weights, and O(items) for the list;  score: at most that, for any number of
///           items
template <ItemWeights W>
class LinearScorer {
public:
    using Weights = W;
    static constexpr bool needs_history = true;

    explicit LinearScorer(Weights weights) : weights_(std::move(weights)) {}

    [[nodiscard]] std::size_t items() const noexcept { return weights_.items(); }
    [[nodiscard]] const Weights& weights() const& noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    void weights() const&& = delete;

    /// Returns   the k history items with the largest weights for the item, and these weights, largest first. Weights
    ///           of 0 are left out; a negative weight lowers the score. With k >= |history|, they sum to the score
    /// Errors    InvalidArgument if the item is unknown
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require_below(item, items(), "explain: item");
        return largest_shares(profile.history, k, [&](std::uint32_t from) { return weights_.weight(from, item); });
    }

    /// The k items to whose scores the item adds most: the other items with the largest weights above 0.
    [[nodiscard]] std::vector<Scored<>> similar_items_for(std::uint32_t item, std::size_t k) const {
        std::vector<float> row(items());
        weights_.add_row(item, row);
        return most_similar(row, item, k);
    }

    void score_all(const Profile& profile, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == items());
        std::fill(out.begin(), out.end(), 0.0F);
        for (const std::uint32_t from : profile.history) {
            weights_.add_row(from, out);
        }
    }
    void keep_known_zeros(const Profile& profile, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(scores.size() == items());
        constexpr float unexplained = 1.0F;
        constexpr float other = 2.0F;
        std::size_t zeros = 0;
        for (float& score : scores) {
            zeros += score == 0.0F ? 1 : 0;
            score = score == 0.0F ? unexplained : other;
        }
        if (Weights::lookup_cost * zeros < weights_.mean_row()) {
            for (std::size_t item = 0; item < scores.size(); ++item) {
                if (scores[item] == unexplained && has_weight(profile, static_cast<std::uint32_t>(item))) {
                    scores[item] = 0.0F;
                }
            }
        } else {
            for (const std::uint32_t from : profile.history) {
                weights_.clear_row(from, unexplained, scores);
            }
        }
    }
    [[nodiscard]] float score_one(const Profile& profile, std::uint32_t item) const noexcept {
        float score = 0.0F;
        for (const std::uint32_t from : profile.history) {
            score += weights_.weight(from, item);
        }
        return score;
    }

    /// As score_one, for many items. Adds whole rows if that is cheaper than looking up each weight.
    ///
    /// Shapes    wanted: ids below items();  out: one score per id (neither is checked)
    void score_some(const Profile& profile, std::span<const std::uint32_t> wanted, std::span<float> out) const {
        FUNNEL_ASSERT(out.size() == wanted.size());
        const std::size_t rows = profile.history.size();
        if (Weights::lookup_cost * rows * wanted.size() < rows * weights_.mean_row() + items()) {
            std::transform(wanted.begin(), wanted.end(), out.begin(),
                           [&](std::uint32_t item) { return score_one(profile, item); });
        } else {
            std::vector<float> all(items());
            score_all(profile, all);
            std::transform(wanted.begin(), wanted.end(), out.begin(), [&](std::uint32_t item) { return all[item]; });
        }
    }

    template <class Writer>
    void write(Writer& file) const {
        weights_.write(file);
    }

private:
    [[nodiscard]] bool has_weight(const Profile& profile, std::uint32_t item) const noexcept {
        return std::any_of(profile.history.begin(), profile.history.end(),
                           [&](std::uint32_t from) { return weights_.weight(from, item) != 0.0F; });
    }

    Weights weights_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

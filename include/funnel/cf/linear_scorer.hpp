// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
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

/// Item x item weights: how strongly an item of the history speaks for another.
template <class W>
concept ItemWeights =
    requires(const W& weights, std::uint32_t from, std::uint32_t to, std::span<float> scores, float mark) {
        { weights.items() } noexcept -> std::convertible_to<std::size_t>;
        { weights.weight(from, to) } noexcept -> std::convertible_to<float>;
        { weights.add_row(from, scores) } noexcept;  // scores[to] += weight(from, to), for all items
        {
            weights.clear_row(from, mark, scores)
        } noexcept;  // scores[to] = 0 where it is mark and weight(from, to) is not 0
        { weights.mean_row() } noexcept -> std::convertible_to<std::size_t>;  // how many weights add_row adds
        { W::lookup_cost } -> std::convertible_to<std::size_t>;  // how many it adds in the time of a weight()
    };

/// The base of scorers that score by weights between items, such as EASE and ItemKNN.
///
///     score(u, i) = sum over items j of u's history of weight(j, i)
///
/// Candidates are the items for which the history has a weight other than 0, also if its weights cancel out to a score
/// of 0 or less; a user without a history gets an empty list. The history is the set of items in the training log:
/// values and repetitions do not matter.
///
/// A model adds kind, Options, learn and read (see LearnedScorer); cf/ease.hpp is an example.
///
/// Cost      recommend: |history| rows of weights, and O(items) for the list;  score: no more than that, however many
///           items are to be scored
template <ItemWeights W>
class LinearScorer {
public:
    using Weights = W;
    static constexpr bool needs_history = true;

    explicit LinearScorer(Weights weights) : weights_(std::move(weights)) {}

    [[nodiscard]] std::size_t items() const noexcept { return weights_.items(); }
    [[nodiscard]] const Weights& weights() const& noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    void weights() const&& = delete;

    /// Returns   history items and their weights, largest first. All of them sum up to the score; those of weight 0 are
    ///           left out, and a negative share speaks against the item
    /// Errors    InvalidArgument if there is no such item
    [[nodiscard]] std::vector<Scored<>> explain_for(const Profile& profile, std::uint32_t item, std::size_t k) const {
        require(item < items(), "explain: item must be below items()");
        return largest_shares(profile.history, k, [&](std::uint32_t from) { return weights_.weight(from, item); });
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
                if (scores[item] == unexplained && speaks_for(profile, static_cast<std::uint32_t>(item))) {
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

    /// As score_one, for many items: by whole rows, where that is less work than looking up every weight.
    ///
    /// Shapes    wanted: items below items();  out: one score for each of them (neither is checked)
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
    [[nodiscard]] bool speaks_for(const Profile& profile, std::uint32_t item) const noexcept {
        return std::any_of(profile.history.begin(), profile.history.end(),
                           [&](std::uint32_t from) { return weights_.weight(from, item) != 0.0F; });
    }

    Weights weights_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/recommend.hpp>
#include <funnel/cf/scorer.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/item_filter.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// A history in the form that models use: sorted by ascending id.
///
/// Errors    InvalidArgument if an item is unknown or occurs twice
[[nodiscard]] inline std::vector<std::uint32_t> checked_history(std::span<const std::uint32_t> history,
                                                                std::size_t items) {
    std::vector<std::uint32_t> sorted(history.begin(), history.end());
    std::sort(sorted.begin(), sorted.end());
    if (!sorted.empty()) {
        require_below(sorted.back(), items, "fold_in: every item of the history");
    }
    require(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(),
            "fold_in: every item must occur at most once in the history");
    return sorted;
}

/// The history of a user who is not in the training log: what Profile refers to, in memory of its own.
struct FoldedHistory {
    std::vector<std::uint32_t> items;            ///< Profile::history, ascending
    std::vector<float> values = {};              ///< Profile::values
    std::vector<std::uint32_t> disliked = {};    ///< Profile::disliked, ascending
    std::vector<std::uint32_t> neighbours = {};  ///< Profile::neighbours, ascending
    std::vector<float> similarities = {};        ///< one per neighbour

    void keep_neighbours(std::span<const Scored<>> similar) {
        for (const Scored<>& user : similar) {
            neighbours.push_back(user.id);
            similarities.push_back(user.score);
        }
    }
};

/// A user who is not in the training log; fold_in returns it. It refers to the model, which must outlive it. If the
/// model was a temporary, it owns the model.
template <Scorer S>
class FoldedUser {
public:
    /// Shapes    history: item ids, ascending;  factors: as many as a row of user_factors(), or none if the scorer has
    ///           no factors
    /// Errors    InvalidArgument if a shape does not match, ids do not ascend, or an item is unknown
    FoldedUser(const S& scorer FUNNEL_LIFETIMEBOUND, FoldedHistory history, std::vector<float> factors = {})
        : scorer_(&scorer), history_(std::move(history)), factors_(std::move(factors)) {
        require_fit();
    }
    FoldedUser(S&& scorer, FoldedHistory history, std::vector<float> factors = {})
        : kept_(std::make_shared<const S>(std::move(scorer))),
          scorer_(kept_.get()),
          history_(std::move(history)),
          factors_(std::move(factors)) {
        require_fit();
    }

    // A move is a copy, so that a moved-from object still refers to a valid scorer.
    FoldedUser(const FoldedUser&) = default;
    FoldedUser& operator=(const FoldedUser& other) {  // strong guarantee
        FoldedUser copy(other);
        kept_ = std::move(copy.kept_);
        scorer_ = copy.scorer_;
        std::swap(history_, copy.history_);
        factors_.swap(copy.factors_);
        return *this;
    }
    ~FoldedUser() = default;

    [[nodiscard]] Profile profile() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {.history = {history_.items.data(), history_.items.size()},
                .factors = {factors_.data(), factors_.size()},
                .values = {history_.values.data(), history_.values.size()},
                .disliked = {history_.disliked.data(), history_.disliked.size()},
                .neighbours = {{history_.neighbours.data(), history_.neighbours.size()},
                               {history_.similarities.data(), history_.similarities.size()}}};
    }
    void profile() const&& = delete;

    template <ItemFilter Filter = AcceptAll>
    [[nodiscard]] std::vector<Scored<>> recommend(const RecommendOptions& options = {},
                                                  const Filter& filter = {}) const {
        return recommend_for(*scorer_, profile(), options, filter);
    }

    /// The same in the caller's memory: see recommend_for. Allocates nothing.
    template <ItemFilter Filter = AcceptAll>
    std::span<Scored<>> recommend(const RecommendOptions& options, std::span<float> scratch,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND, const Filter& filter = {}) const
        noexcept(is_nothrow_filter<Filter>) {
        return recommend_for(*scorer_, profile(), options, filter, scratch, out);
    }

    [[nodiscard]] std::vector<float> score(std::span<const std::uint32_t> items) const {
        return score_for(*scorer_, profile(), items);
    }

    /// As explain() of the model, if the model has it.
    [[nodiscard]] std::vector<Scored<>> explain(std::uint32_t item, std::size_t k) const
        requires requires(const S& scorer, const Profile& profile) { scorer.explain_for(profile, item, k); }
    {
        return scorer_->explain_for(profile(), item, k);
    }

private:
    void require_fit() const {
        const auto are_ascending_ids = [&](const std::vector<std::uint32_t>& ids) {
            const bool ascends = std::adjacent_find(ids.begin(), ids.end(), std::greater_equal<>{}) == ids.end();
            return ascends && (ids.empty() || ids.back() < scorer_->items());
        };
        require(are_ascending_ids(history_.items) && are_ascending_ids(history_.disliked),
                "FoldedUser: history must be ascending item ids below items()");
        require_equal(history_.values.size(), detail::ReadsValues<S> ? history_.items.size() : 0,
                      "FoldedUser: number of values");
        std::size_t known = 0;
        if constexpr (requires { scorer_->neighbours().rows(); }) {
            known = scorer_->neighbours().rows();
        }
        require(history_.similarities.size() == history_.neighbours.size() &&
                    std::ranges::all_of(history_.neighbours, [&](std::uint32_t user) { return user < known; }),
                "FoldedUser: neighbours must be users of the model, with one similarity each");
        if constexpr (requires { scorer_->user_factors().cols(); }) {
            require_equal(factors_.size(), scorer_->user_factors().cols(), "FoldedUser: number of factors");
        } else {
            require(factors_.empty(), "FoldedUser: factors must be empty for a model without factors");
        }
    }

    std::shared_ptr<const S> kept_;  // set if the scorer was a temporary
    const S* scorer_;
    FoldedHistory history_;
    std::vector<float> factors_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

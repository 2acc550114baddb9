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

/// A user who is not in the training log; fold_in returns it. It refers to the model, which must outlive it. If the
/// model was a temporary, it owns the model.
template <Scorer S>
class FoldedUser {
public:
    /// Shapes    history: item ids, ascending;  factors: as many as a row of user_factors(), or none if the scorer has
    ///           no factors
    /// Errors    InvalidArgument if a shape does not match, or history does not ascend or has an unknown item
    FoldedUser(const S& scorer FUNNEL_LIFETIMEBOUND, std::vector<std::uint32_t> history,
               std::vector<float> factors = {})
        : scorer_(&scorer), history_(std::move(history)), factors_(std::move(factors)) {
        require_fit();
    }
    FoldedUser(S&& scorer, std::vector<std::uint32_t> history, std::vector<float> factors = {})
        : kept_(std::make_shared<const S>(std::move(scorer))),
          scorer_(kept_.get()),
          history_(std::move(history)),
          factors_(std::move(factors)) {
        require_fit();
    }

    // A move is a copy, so that a moved-from object still refers to a valid scorer.
    FoldedUser(const FoldedUser&) = default;
    FoldedUser& operator=(FoldedUser other) noexcept {
        kept_ = other.kept_;
        scorer_ = other.scorer_;
        history_.swap(other.history_);
        factors_.swap(other.factors_);
        return *this;
    }
    ~FoldedUser() = default;

    [[nodiscard]] Profile profile() const& noexcept FUNNEL_LIFETIMEBOUND {
        return {{history_.data(), history_.size()}, {factors_.data(), factors_.size()}};
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
        const bool ascends =
            std::adjacent_find(history_.begin(), history_.end(), std::greater_equal<>{}) == history_.end();
        require(ascends && (history_.empty() || history_.back() < scorer_->items()),
                "FoldedUser: history must be ascending item ids below items()");
        if constexpr (requires { scorer_->user_factors().cols(); }) {
            require_equal(factors_.size(), scorer_->user_factors().cols(), "FoldedUser: number of factors");
        } else {
            require(factors_.empty(), "FoldedUser: factors must be empty for a model without factors");
        }
    }

    std::shared_ptr<const S> kept_;  // set if the scorer was a temporary
    const S* scorer_;
    std::vector<std::uint32_t> history_;
    std::vector<float> factors_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/pick_window.hpp>
#include <funnel/rerank/similarities.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct WindowDPPOptions {
    std::size_t k = 10;                         ///< length of the slate
    std::size_t window = 10;                    ///< >= 1; a pick is compared with the window - 1 picks before it
    float theta = 0.7F;                         ///< in [0, 1): the weight of relevance; 0 uses only diversity
    std::optional<float> alpha = {};            ///< if set, replaces theta: quality = exp(alpha * relevance)
    std::optional<double> time_budget_ms = {};  ///< if set, the slate ends early when this time is spent
};

namespace detail {

// The candidates of a sliding-window DPP, by falling relevance.
template <kernels::HostBackend Backend>
class WindowSearch {
public:
    WindowSearch(std::span<const float> relevance, FeatureRows features, double alpha, std::size_t memory)
        : features_(features),
          window_(memory, features.rows.cols()),
          levels_(relevance.size()),
          residuals_(relevance.size()),
          as_of_(relevance.size(), unknown) {
        const double highest =
            relevance.empty() ? 0.0 : static_cast<double>(*std::max_element(relevance.begin(), relevance.end()));
        highest_level_ = 2.0 * alpha * highest;
        for (std::size_t i = 0; i < relevance.size(); ++i) {
            levels_[i] = 2.0 * alpha * (static_cast<double>(relevance[i]) - highest);
            if (features.lengths[i] > 0.0) {
                order_.push_back(i);
            }
        }
        std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
            return levels_[a] != levels_[b] ? levels_[a] > levels_[b] : a < b;
        });
    }

    // The candidate with the highest score that is allowed and new, with relevance and diversity.
    template <SlateRule Rule>
    [[nodiscard]] std::optional<SlatePick> best(const Rule& rule) {
        constexpr double nothing = std::numeric_limits<double>::lowest();
        double best_score = nothing;
        scored_.clear();
        for (const std::size_t i : order_) {
            if (levels_[i] < best_score - tie) {
                break;  // no score is above its level
            }
            if (rule.allows(i) && is_new(i)) {
                scored_.push_back(i);
                best_score = std::max(best_score, score(i));
            }
        }
        std::size_t pick = levels_.size();
        for (const std::size_t i : scored_) {
            pick = score(i) >= best_score - tie ? std::min(pick, i) : pick;
        }
        if (scored_.empty()) {
            return std::nullopt;
        }
        const double diversity = score(pick) - levels_[pick];
        const double relevance = highest_level_ + levels_[pick];
        return SlatePick{
            .position = pick, .score = relevance + diversity, .relevance = relevance, .diversity = diversity};
    }

    [[nodiscard]] bool is_any_new() {
        return std::any_of(order_.begin(), order_.end(), [this](std::size_t i) { return is_new(i); });
    }

    void pick(std::size_t i) {
        order_.erase(std::find(order_.begin(), order_.end(), i));
        if (window_.capacity() > 0) {
            window_.push(features_.rows.row(i), features_.lengths[i]);
        }
        ++time_;
    }

private:
    static constexpr double tie = 1e-9;
    static constexpr std::uint32_t unknown = std::numeric_limits<std::uint32_t>::max();

    [[nodiscard]] double score(std::size_t i) const noexcept {
        return levels_[i] + math::log(std::min(residuals_[i], 1.0));
    }

    // Brings the residual up to date. It is added up over at most 32 changes, so that rounding errors stay small.
    [[nodiscard]] bool is_new(std::size_t i) noexcept {
        const std::span<const float> row = features_.rows.row(i);
        const double length = features_.lengths[i];
        if (as_of_[i] != time_) {
            residuals_[i] = as_of_[i] + 1 == time_ && time_ % 32 != 0 && window_.size() > 2
                                ? window_.residual_after_change(residuals_[i], row, length)
                                : window_.residual(row, length);
            as_of_[i] = time_;
        }
        return residuals_[i] > direction_tolerance(features_);
    }

    FeatureRows features_;
    PickWindow<Backend> window_;
    std::vector<double> levels_;  // 2 alpha relevance, less the highest of them: differences keep their digits
    double highest_level_ = 0.0;
    std::vector<double> residuals_;     // squared distances from the span of the window
    std::vector<std::uint32_t> as_of_;  // the number of picks when the residual was computed
    std::vector<std::size_t> order_;
    std::vector<std::size_t> scored_;
    std::uint32_t time_ = 0;
};

}  // namespace detail

/// Greedy DPP for a list that is scrolled: each pick is relevant and far from the picks on the same screen. Older picks
/// do not count, so a topic may return, and the list does not end where the picks span the space.
///
///     score(i) = 2 alpha relevance(i) + log(squared distance of i from the span of the last window - 1 picks)
///              = log det L(window + i) - log det L(window),  L as in dpp
///
/// With window >= k, the picks are those of dpp. With window 1, they are sorted by relevance. Scores equal up to 1e-9
/// tie, and ties go to the smaller position. A candidate whose squared distance is below 4 d 2^-23 cannot take the
/// place: a duplicate of a pick in the window, or any candidate if the window spans the space. Choose window <= d.
///
/// Shapes    relevance: n;  embeddings: n x d, of any lengths; a row of zeros is never picked
/// Returns   the picks with their reasons; nearest: the pick in the window with the largest |cosine|
/// Cost      O(n d k window) time at most; O(n d k) while each candidate is compared at each place; usually a fraction,
///           because a candidate is compared only while its relevance alone may win. Memory: O(n + window (d + window))
/// Errors    InvalidArgument as dpp, or if window is 0
/// Source    Chen, Zhang & Zhou, "Fast greedy MAP inference for determinantal point process", NeurIPS 2018 (section 4)
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate window_dpp(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                               const WindowDPPOptions& options = {}, Rule&& rule = {}) {
    detail::check_dpp(relevance, options, "window_dpp");
    detail::require_one_row_each(relevance, candidates.size(), "window_dpp");
    detail::require_rule_of(rule, candidates.size(), "window_dpp");
    require(options.window >= 1, "window_dpp: window must be at least 1, got 0");
    const detail::Deadline deadline(options.time_budget_ms);
    const detail::FeatureRows features = candidates.features();
    const std::size_t k = std::min(options.k, relevance.size());
    const std::size_t memory = std::min({options.window - 1, k, features.rows.cols()});
    detail::WindowSearch<Backend> search(relevance, features, detail::alpha_of(options), memory);
    const auto cosine = detail::cosine_of<Backend>(features);
    Slate slate;
    while (slate.picks.size() < k) {
        if (deadline.has_passed()) {
            slate.end = SlateEnd::OutOfTime;
            break;
        }
        auto pick = search.best(std::as_const(rule));
        if (!pick) {
            slate.end = search.is_any_new() ? SlateEnd::NoCandidateAllowed : SlateEnd::NothingNew;
            break;
        }
        const auto recent = std::span(slate.picks).last(std::min(options.window - 1, slate.picks.size()));
        detail::set_nearest_direction(*pick, recent, cosine);
        slate.picks.push_back(*pick);
        rule.place(pick->position);
        search.pick(pick->position);
    }
    return slate;
}

template <kernels::HostBackend Backend = kernels::DefaultBackend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate window_dpp(std::span<const float> relevance, MatrixView<const float> embeddings,
                               const WindowDPPOptions& options = {}, Rule&& rule = {}) {
    detail::require_one_row_each(relevance, embeddings.rows(), "window_dpp");
    return window_dpp(relevance, SlateCandidates<Backend>(embeddings), options, rule);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

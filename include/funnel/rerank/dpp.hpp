// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/rerank/greedy.hpp>
#include <funnel/rerank/similarities.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_rule.hpp>
#include <funnel/rerank/slate_scratch.hpp>
#include <funnel/rerank/volume_measure.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

struct DPPOptions {
    std::size_t k = 10;                         ///< length of the slate
    float theta = 0.7F;                         ///< in [0, 1): the weight of relevance; 0 uses only diversity
    std::optional<float> alpha = {};            ///< if set, replaces theta: quality = exp(alpha * relevance)
    bool only_gains = false;                    ///< ends before a pick that would not raise the determinant
    std::optional<double> time_budget_ms = {};  ///< if set, the slate ends early when this time is spent
};

namespace detail {

template <class Options>
[[nodiscard]] double alpha_of(const Options& options) noexcept {
    const auto theta = static_cast<double>(options.theta);
    return options.alpha ? static_cast<double>(*options.alpha) : theta / (2.0 * (1.0 - theta));
}

template <class Options>
void check_dpp(std::span<const float> relevance, const Options& options, const char* function) {
    const std::string name(function);
    if (!math::is_finite(options.theta) || options.theta < 0.0F || options.theta >= 1.0F) {
        raise<InvalidArgument>(name + ": theta must lie in [0, 1), got " + std::to_string(options.theta));
    }
    require_not_negative(options.alpha.value_or(0.0F), (name + ": alpha").c_str());
    require_not_negative(options.time_budget_ms.value_or(0.0), (name + ": time_budget_ms").c_str());
    require_finite_relevance(relevance, function);
}

// Names the earlier pick with the largest |similarity|: the one that takes most from the volume of the pick.
template <class Similarity>
void set_nearest_direction(SlatePick& pick, std::span<const SlatePick> earlier, const Similarity& similarity) {
    for (const SlatePick& other : earlier) {
        const double alike = similarity(pick.position, other.position);
        if (!pick.nearest || math::abs(alike) > math::abs(pick.similarity)) {
            pick.nearest = other.position;
            pick.similarity = alike;
        }
    }
}

template <kernels::HostBackend Backend, SlateRule Rule>
[[nodiscard]] SlateCount select_features_by_dpp(std::span<const float> relevance, FeatureRows features,
                                                const DPPOptions& options, GreedyMemory& memory,
                                                std::span<std::size_t> out, Rule& rule) {
    const Deadline deadline(options.time_budget_ms);
    const std::size_t k = std::min({options.k, relevance.size(), out.size()});
    if (k == 0) {
        return {};
    }
    const double alpha = alpha_of(options);
    const auto highest = static_cast<double>(*std::max_element(relevance.begin(), relevance.end()));
    VolumeMeasure<Backend> measure(features, alpha, highest, memory);
    BlockGreedy<Backend, VolumeMeasure<Backend>> greedy(features, relevance, measure, memory);
    for (std::size_t t = 0; t < k; ++t) {
        if (deadline.has_passed()) {
            return {t, SlateEnd::OutOfTime};
        }
        if (t == features.rows.cols()) {
            return {t, SlateEnd::NothingNew};  // the picks span the space
        }
        const auto next = greedy.next(t, std::as_const(rule));
        if (!next) {
            return {t, greedy.alive() > 0 ? SlateEnd::NoCandidateAllowed : SlateEnd::NothingNew};
        }
        const std::size_t candidate = memory.order[*next];
        if (options.only_gains && 2.0 * alpha * static_cast<double>(relevance[candidate]) + memory.gains[t] < 0.0) {
            return {t, SlateEnd::NoGain};
        }
        out[t] = candidate;
        rule.place(candidate);
        greedy.drop(*next);
    }
    return {k, SlateEnd::Complete};
}

// The picks; their gains, log(residual), are left in the memory.
template <kernels::HostBackend Backend, SlateRule Rule>
[[nodiscard]] std::pair<std::vector<std::size_t>, SlateEnd> dpp_of_features(std::span<const float> relevance,
                                                                            FeatureRows features,
                                                                            const DPPOptions& options,
                                                                            GreedyMemory& memory, Rule& rule) {
    const std::size_t k = std::min(options.k, relevance.size());
    memory.reserve(relevance.size(), features.rows.cols(), std::min(k, features.rows.cols()));
    std::vector<std::size_t> slate(k);
    const SlateCount count = select_features_by_dpp<Backend>(relevance, features, options, memory, slate, rule);
    slate.resize(count.picks);
    return {std::move(slate), count.end};
}

}  // namespace detail

/// Greedy MAP of a determinantal point process: picks that are relevant and span a large volume, so that no pick is
/// close to a combination of others.
///
///     L = Diag(q) S Diag(q),  S: cosines,  q = exp(alpha * relevance),  alpha = theta / (2 (1 - theta))
///     each pick maximises det L of the picks: 2 alpha relevance(i) + log(squared distance from the span of the picks)
///
/// L is never formed. The picks are those of scores in double, on every backend; scores whose ratio is 1 up to
/// rounding (1e-9) tie, and ties go to the smaller position. A candidate whose unit vector has a squared distance below
/// 4 d 2^-23 from the span of the picks is never picked: a duplicate, or any candidate once the rank is reached. That
/// holds under a rule too: the slate ends where a rule asks for such a candidate, such as a pin, or for no other. Give
/// the rule NearDuplicates where copies may occur.
///
/// Shapes    relevance: n;  embeddings: n x d, of any lengths; a row of zeros is never picked
/// Returns   positions, in the order of the picks: at most min(k, n, rank); fewer if the rule forbids all that remain
/// Cost      O(n d k + d k^2) time at most; usually a fraction, because the residual of a candidate is computed only
///           while it may be the best. Memory: up to n x d floats
/// Errors    InvalidArgument if theta lies outside [0, 1), alpha is negative, a relevance is not finite, there is not
///           one row per candidate, a row is not finite or has a norm above 1.8e19, or the rule is about another number
///           of candidates
/// Source    Chen, Zhang & Zhou, "Fast greedy MAP inference for determinantal point process", NeurIPS 2018
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> dpp(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                                           const DPPOptions& options = {}, Rule&& rule = {}) {
    detail::check_dpp(relevance, options, "dpp");
    detail::require_one_row_each(relevance, candidates.size(), "dpp");
    detail::require_rule_of(rule, candidates.size(), "dpp");
    detail::GreedyMemory memory;
    return detail::dpp_of_features<Backend>(relevance, candidates.features(), options, memory, rule).first;
}

template <kernels::HostBackend Backend = kernels::DefaultBackend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> dpp(std::span<const float> relevance, MatrixView<const float> embeddings,
                                           const DPPOptions& options = {}, Rule&& rule = {}) {
    detail::check_dpp(relevance, options, "dpp");
    detail::require_one_row_each(relevance, embeddings.rows(), "dpp");
    detail::require_rule_of(rule, embeddings.rows(), "dpp");
    std::vector<double> lengths(embeddings.rows());
    detail::lengths_of_rows<Backend>(embeddings, lengths, "dpp");
    detail::GreedyMemory memory;
    return detail::dpp_of_features<Backend>(relevance, {embeddings, lengths}, options, memory, rule).first;
}

/// As above, with the reasons of each pick: relevance is 2 alpha relevance(i), the logarithm of its squared quality;
/// diversity is log(squared distance from the span of earlier picks), the volume that remains, 0 at most; their sums
/// over all picks give log det L. nearest is the earlier pick with the largest |cosine|.
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_dpp(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                                const DPPOptions& options = {}, Rule&& rule = {}) {
    detail::check_dpp(relevance, options, "explain_dpp");
    detail::require_one_row_each(relevance, candidates.size(), "explain_dpp");
    detail::require_rule_of(rule, candidates.size(), "explain_dpp");
    detail::GreedyMemory memory;
    const auto [positions, end] =
        detail::dpp_of_features<Backend>(relevance, candidates.features(), options, memory, rule);
    const double alpha = detail::alpha_of(options);
    const auto cosine = detail::cosine_of<Backend>(candidates.features());
    Slate slate{.picks = {}, .end = end, .witness = {}};
    for (std::size_t t = 0; t < positions.size(); ++t) {
        SlatePick pick{.position = positions[t]};
        pick.relevance = 2.0 * alpha * static_cast<double>(relevance[pick.position]);
        pick.diversity = std::min(memory.gains[t], 0.0);
        pick.score = pick.relevance + pick.diversity;
        detail::set_nearest_direction(pick, slate.picks, cosine);
        slate.picks.push_back(pick);
    }
    return slate;
}

template <kernels::HostBackend Backend = kernels::DefaultBackend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_dpp(std::span<const float> relevance, MatrixView<const float> embeddings,
                                const DPPOptions& options = {}, Rule&& rule = {}) {
    detail::require_one_row_each(relevance, embeddings.rows(), "explain_dpp");
    return explain_dpp(relevance, SlateCandidates<Backend>(embeddings), options, rule);
}

/// As above, in the caller's memory: fills out with the picks, at most min(k, n, out.size()). For hot paths.
///
/// Not checked: that relevance is finite and has candidates.size() elements, that the options are valid, and that
/// scratch.holds(candidates.size(), candidates.dimension(), options.k). The rule must be about these candidates, and
/// must not throw.
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] SlateCount dpp(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                             SlateScratch& scratch, std::span<std::size_t> out, const DPPOptions& options = {},
                             Rule&& rule = {}) noexcept {
    FUNNEL_ASSERT(relevance.size() == candidates.size());
    FUNNEL_ASSERT(scratch.holds(candidates.size(), candidates.dimension(), options.k));
    return detail::select_features_by_dpp<Backend>(relevance, candidates.features(), options, scratch.memory(), out,
                                                   rule);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/reduce.hpp>
#include <funnel/rerank/greedy.hpp>
#include <funnel/rerank/redundancy_measure.hpp>
#include <funnel/rerank/relevance_scale.hpp>
#include <funnel/rerank/similarities.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_candidates.hpp>
#include <funnel/rerank/slate_rule.hpp>
#include <funnel/rerank/slate_scratch.hpp>

#include <algorithm>
#include <cstddef>
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

struct MMROptions {
    std::size_t k = 10;                          ///< length of the slate
    float lambda = 0.7F;                         ///< in [0, 1]; 1 uses only relevance, 0 only dissimilarity
    RelevanceScale scale = RelevanceScale::Raw;  ///< how relevance is brought to the scale of similarity
    std::optional<double> time_budget_ms = {};   ///< if set, the slate ends early when this time is spent
};

namespace detail {

inline void check_mmr(std::span<const float> relevance, const MMROptions& options) {
    require_between(options.lambda, 0.0, 1.0, "mmr: lambda");
    require_finite_relevance(relevance, "mmr");
    require_not_negative(options.time_budget_ms.value_or(0.0), "mmr: time_budget_ms");
}

// The greedy loop for similarities. fill_similarities(pick, remaining, similarities) writes the similarity of the
// newest pick to each remaining candidate. It is called for every pick but the last.
template <class FillSimilarities, SlateRule Rule>
[[nodiscard]] std::vector<std::size_t> select_by_mmr(std::span<const float> given, const MMROptions& options,
                                                     const FillSimilarities& fill_similarities, Rule& rule,
                                                     SlateEnd& end) {
    check_mmr(given, options);
    require_rule_of(rule, given.size(), "mmr");
    const Deadline deadline(options.time_budget_ms);
    std::vector<float> scaled;
    const std::span<const float> relevance = scaled_relevance(given, options.scale, scaled);
    const std::size_t slate_size = std::min(options.k, relevance.size());
    std::vector<std::size_t> slate;
    slate.reserve(slate_size);

    // Per remaining candidate: position, score, and similarity to the most similar pick so far.
    std::vector<std::size_t> remaining(relevance.size());
    std::iota(remaining.begin(), remaining.end(), std::size_t{0});
    std::vector<float> scores(relevance.begin(), relevance.end());  // of the first pick: relevance only
    std::vector<float> redundancies(relevance.size(), std::numeric_limits<float>::lowest());
    std::vector<float> similarities(relevance.size());

    end = SlateEnd::Complete;
    while (slate.size() < slate_size) {
        if (deadline.has_passed()) {
            end = SlateEnd::OutOfTime;
            break;
        }
        // Ties go to the smaller position: remaining ascends, and the first maximum wins.
        std::size_t best = remaining.size();
        for (std::size_t at = 0; at < remaining.size(); ++at) {
            if ((best == remaining.size() || scores[at] > scores[best]) && std::as_const(rule).allows(remaining[at])) {
                best = at;
            }
        }
        if (best == remaining.size()) {
            end = SlateEnd::NoCandidateAllowed;
            break;
        }
        const std::size_t pick = remaining[best];
        rule.place(pick);
        slate.push_back(pick);
        if (slate.size() == slate_size) {
            break;
        }
        const auto offset = static_cast<std::ptrdiff_t>(best);
        remaining.erase(remaining.begin() + offset);
        redundancies.erase(redundancies.begin() + offset);
        scores.pop_back();
        similarities.pop_back();

        fill_similarities(pick, std::span<const std::size_t>(remaining), std::span<float>(similarities));
        require(math::all_finite(similarities), "mmr: similarities must be finite");
        for (std::size_t at = 0; at < remaining.size(); ++at) {
            redundancies[at] = std::max(redundancies[at], similarities[at]);
            scores[at] = options.lambda * relevance[remaining[at]] - (1.0F - options.lambda) * redundancies[at];
        }
    }
    return slate;
}

// Fills out with up to out.size() picks.
template <kernels::HostBackend Backend, SlateRule Rule>
[[nodiscard]] SlateCount select_features_by_mmr(std::span<const float> given, FeatureRows features,
                                                const MMROptions& options, GreedyMemory& memory,
                                                std::span<std::size_t> out, Rule& rule) {
    const Deadline deadline(options.time_budget_ms);
    const std::size_t n = given.size();
    std::span<const float> relevance = given;
    if (options.scale != RelevanceScale::Raw) {
        const std::span<float> scaled = std::span(memory.scaled).first(n);
        scale_relevance(given, options.scale, std::span(memory.order).first(n), scaled);
        relevance = scaled;
    }
    const std::size_t k = std::min({options.k, n, out.size()});
    if (k == 0) {
        return {};
    }
    if (deadline.has_passed()) {
        return {0, SlateEnd::OutOfTime};
    }
    // The first pick is by relevance only. Ties go to the smaller position.
    std::size_t first = kernels::argmax<Backend>(relevance);
    if (!std::as_const(rule).allows(first)) {
        first = n;
        for (std::size_t i = 0; i < n; ++i) {
            if ((first == n || relevance[i] > relevance[first]) && std::as_const(rule).allows(i)) {
                first = i;
            }
        }
    }
    if (first == n) {
        return {0, SlateEnd::NoCandidateAllowed};
    }
    rule.place(first);
    out[0] = first;
    if (k == 1) {
        return {1, SlateEnd::Complete};
    }
    RedundancyMeasure<Backend> measure(features, options.lambda, memory);
    BlockGreedy<Backend, RedundancyMeasure<Backend>> greedy(features, relevance, measure, memory);
    const auto order = std::span(memory.order).first(n);
    const auto slot = static_cast<std::size_t>(std::find(order.begin(), order.end(), first) - order.begin());
    (void)measure.take(slot);
    greedy.drop(slot);
    for (std::size_t t = 1; t < k; ++t) {
        if (deadline.has_passed()) {
            return {t, SlateEnd::OutOfTime};
        }
        const auto next = greedy.next(t, std::as_const(rule));
        if (!next) {
            return {t, SlateEnd::NoCandidateAllowed};
        }
        out[t] = memory.order[*next];
        rule.place(out[t]);
        greedy.drop(*next);
    }
    return {k, SlateEnd::Complete};
}

// The picks of select_by_mmr or select_features_by_mmr with their reasons. similarity(i, p) as for the selection.
template <class Similarity>
[[nodiscard]] Slate explained_mmr(std::span<const float> given, const MMROptions& options,
                                  std::span<const std::size_t> positions, SlateEnd end, const Similarity& similarity) {
    std::vector<float> scaled;
    const std::span<const float> relevance = scaled_relevance(given, options.scale, scaled);
    Slate slate{.picks = {}, .end = end, .witness = {}};
    for (const std::size_t position : positions) {
        SlatePick pick{.position = position};
        for (const SlatePick& earlier : slate.picks) {
            const auto alike = static_cast<double>(similarity(position, earlier.position));
            if (!pick.nearest || alike > pick.similarity) {
                pick.nearest = earlier.position;
                pick.similarity = alike;
            }
        }
        const double lambda = pick.nearest ? static_cast<double>(options.lambda) : 1.0;
        pick.relevance = lambda * static_cast<double>(relevance[position]);
        pick.diversity = -(1.0 - lambda) * pick.similarity;
        pick.score = pick.relevance + pick.diversity;
        slate.picks.push_back(pick);
    }
    return slate;
}

template <class S>
[[nodiscard]] auto filled_by(const S& similarity) {
    return [&similarity](std::size_t pick, std::span<const std::size_t> remaining, std::span<float> out) {
        for (std::size_t at = 0; at < out.size(); ++at) {
            out[at] = static_cast<float>(similarity(remaining[at], pick));
        }
    };
}

template <kernels::HostBackend Backend, SlateRule Rule>
[[nodiscard]] std::pair<std::vector<std::size_t>, SlateEnd> mmr_of_features(std::span<const float> relevance,
                                                                            FeatureRows features,
                                                                            const MMROptions& options, Rule& rule) {
    GreedyMemory memory;
    memory.reserve(relevance.size(), features.rows.cols(), options.k);
    std::vector<std::size_t> slate(std::min(options.k, relevance.size()));
    const SlateCount count = select_features_by_mmr<Backend>(relevance, features, options, memory, slate, rule);
    slate.resize(count.picks);
    return {std::move(slate), count.end};
}

}  // namespace detail

/// Maximal marginal relevance: repeatedly picks the candidate that is relevant and dissimilar to the picks so far.
///
///     score(i) = lambda * relevance(i) - (1 - lambda) * max over picks p of similarity(i, p)
///
/// The first pick is the most relevant candidate. Ties go to the smaller position. The effect of lambda depends on the
/// scales of relevance and similarity: bring both to the same scale, such as [0, 1], yourself or by `scale`.
///
/// A rule may forbid candidates at a place; see SlateRule. The picks approximate the best slate under the sum of their
/// scores, which MMR does not guarantee to find.
///
/// Shapes    relevance: n;  similarity: callable on [0, n) x [0, n)
/// Returns   the positions of min(k, n) candidates, in the order of the picks; fewer if the rule forbids all that
///           remain, or if the time is spent
/// Cost      O(n k) time with fewer than n k calls of similarity, O(n) memory
/// Errors    InvalidArgument if lambda lies outside [0, 1], a relevance or a similarity is not finite, or the rule is
///           about another number of candidates
/// Source    Carbonell & Goldstein, "The use of MMR, diversity-based reranking", SIGIR 1998
template <PairSimilarity S, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, const S& similarity,
                                           const MMROptions& options = {}, Rule&& rule = {}) {
    SlateEnd end{};
    return detail::select_by_mmr(relevance, options, detail::filled_by(similarity), rule, end);
}

/// As above, with the reasons of each pick.
template <PairSimilarity S, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_mmr(std::span<const float> relevance, const S& similarity, const MMROptions& options = {},
                                Rule&& rule = {}) {
    SlateEnd end{};
    const auto positions = detail::select_by_mmr(relevance, options, detail::filled_by(similarity), rule, end);
    return detail::explained_mmr(relevance, options, positions, end, similarity);
}

/// As mmr above, with a matrix of similarities: similarity(i, p) is values(i, p). Reads only elements the formula
/// needs.
///
/// Shapes    relevance: n;  similarities.values: n x n
/// Cost      O(n k) time, O(n) memory
/// Errors    InvalidArgument as above, or if the matrix is not n x n
template <class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, Similarities similarities,
                                           const MMROptions& options = {}, Rule&& rule = {}) {
    detail::require_square(relevance, similarities.values, "mmr");
    return mmr(relevance, detail::element_of(similarities), options, rule);
}

template <class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_mmr(std::span<const float> relevance, Similarities similarities,
                                const MMROptions& options = {}, Rule&& rule = {}) {
    detail::require_square(relevance, similarities.values, "mmr");
    return explain_mmr(relevance, detail::element_of(similarities), options, rule);
}

/// As above, with the cosine of embeddings as similarity. The rows need not be unit vectors. A row of zeros has cosine
/// 0 with every row. So has a row with a norm below 1e-18, whose square is too small for a float.
///
/// A matrix always holds embeddings, even if square; for similarities, call mmr(relevance, Similarities{matrix}).
/// The picks are those of scores in double, on every backend; scores equal up to rounding (1e-12) tie.
///
/// Shapes    relevance: n;  embeddings: n x d, from Matrix<float>, MatrixView, or a row-major Eigen matrix of floats
/// Cost      O(n d k) time at most; usually a fraction, because a candidate is compared with new picks only while it
///           may be the best. Memory: O(n + k d); rows are read in place
/// Errors    InvalidArgument as above, or if there is not one row per candidate, or a row is not finite or has a norm
///           above 1.8e19, whose square exceeds the range of float
template <kernels::HostBackend Backend = kernels::DefaultBackend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, MatrixView<const float> embeddings,
                                           const MMROptions& options = {}, Rule&& rule = {}) {
    detail::check_mmr(relevance, options);
    detail::require_one_row_each(relevance, embeddings.rows(), "mmr");
    detail::require_rule_of(rule, embeddings.rows(), "mmr");
    std::vector<double> lengths(embeddings.rows());
    detail::lengths_of_rows<Backend>(embeddings, lengths, "mmr");
    return detail::mmr_of_features<Backend>(relevance, {embeddings, lengths}, options, rule).first;
}

/// As above, with embeddings that have been checked before.
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] std::vector<std::size_t> mmr(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                                           const MMROptions& options = {}, Rule&& rule = {}) {
    detail::check_mmr(relevance, options);
    detail::require_one_row_each(relevance, candidates.size(), "mmr");
    detail::require_rule_of(rule, candidates.size(), "mmr");
    return detail::mmr_of_features<Backend>(relevance, candidates.features(), options, rule).first;
}

/// As above, with the reasons of each pick.
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_mmr(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                                const MMROptions& options = {}, Rule&& rule = {}) {
    detail::check_mmr(relevance, options);
    detail::require_one_row_each(relevance, candidates.size(), "mmr");
    detail::require_rule_of(rule, candidates.size(), "mmr");
    const auto [positions, end] = detail::mmr_of_features<Backend>(relevance, candidates.features(), options, rule);
    return detail::explained_mmr(relevance, options, positions, end, detail::cosine_of<Backend>(candidates.features()));
}

template <kernels::HostBackend Backend = kernels::DefaultBackend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate explain_mmr(std::span<const float> relevance, MatrixView<const float> embeddings,
                                const MMROptions& options = {}, Rule&& rule = {}) {
    detail::require_one_row_each(relevance, embeddings.rows(), "mmr");
    return explain_mmr(relevance, SlateCandidates<Backend>(embeddings), options, rule);
}

/// As above, in the caller's memory: fills out with the picks, at most min(k, n, out.size()). For hot paths.
///
/// Not checked: that relevance is finite and has candidates.size() elements, that lambda lies in [0, 1], and that
/// scratch.holds(candidates.size(), candidates.dimension(), options.k). The rule must be about these candidates, and
/// must not throw.
template <kernels::HostBackend Backend, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] SlateCount mmr(std::span<const float> relevance, const SlateCandidates<Backend>& candidates,
                             SlateScratch& scratch, std::span<std::size_t> out, const MMROptions& options = {},
                             Rule&& rule = {}) noexcept {
    FUNNEL_ASSERT(relevance.size() == candidates.size());
    FUNNEL_ASSERT(scratch.holds(candidates.size(), candidates.dimension(), options.k));
    return detail::select_features_by_mmr<Backend>(relevance, candidates.features(), options, scratch.memory(), out,
                                                   rule);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

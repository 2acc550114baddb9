// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/similarities.hpp>
#include <funnel/rerank/slate.hpp>
#include <funnel/rerank/slate_rule.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace rerank {

/// A callable that writes row j of a symmetric kernel matrix: out[i] = L(j, i) for all candidates i.
template <class F>
concept KernelRow = std::invocable<const F&, std::size_t, std::span<double>>;

struct KernelDPPOptions {
    std::size_t k = 10;                         ///< length of the slate
    bool only_gains = false;                    ///< ends before a pick that would not raise the determinant
    std::optional<double> time_budget_ms = {};  ///< if set, the slate ends early when this time is spent
};

namespace detail {

// kernel_dpp for the kernel exp((levels_i + levels_j) / 2) K_ij, with the diagonal and the rows of K. Levels are added
// to logarithms, so that they cannot underflow; empty: all are 0.
template <KernelRow Row, SlateRule Rule>
[[nodiscard]] Slate select_from_kernel(std::span<const double> diagonal, std::span<const double> levels, const Row& row,
                                       const KernelDPPOptions& options, Rule& rule) {
    require_not_negative(options.time_budget_ms.value_or(0.0), "kernel_dpp: time_budget_ms");
    require_rule_of(rule, diagonal.size(), "kernel_dpp");
    constexpr double tolerance = 3e-5;
    const std::size_t n = diagonal.size();
    const std::size_t k = std::min(options.k, n);
    const Deadline deadline(options.time_budget_ms);
    Slate slate;
    for (std::size_t i = 0; i < n; ++i) {
        require(math::is_finite(diagonal[i]), "kernel_dpp: the diagonal must be finite");
        if (diagonal[i] < 0.0) {
            slate.end = SlateEnd::NotPositiveSemidefinite;
            slate.witness = {i};
            return slate;
        }
    }
    const auto level = [&](std::size_t i) { return levels.empty() ? 0.0 : levels[i]; };
    const auto not_a_kernel = [&](SlateEnd why, std::vector<std::size_t> witness) {
        slate.end = why;
        slate.witness = std::move(witness);
        return slate;
    };

    std::vector<double> left(diagonal.begin(), diagonal.end());  // d2
    std::vector<std::uint8_t> taken(n, 0);
    std::vector<std::vector<double>> factors;  // of the Cholesky factor, per pick: d2(i) = L(i, i) - sum of squares
    while (slate.picks.size() < k) {
        if (deadline.has_passed()) {
            slate.end = SlateEnd::OutOfTime;
            return slate;
        }
        double best_score = std::numeric_limits<double>::lowest();
        bool is_any_allowed = false;
        bool is_any_new = false;
        for (std::size_t i = 0; i < n; ++i) {
            if (taken[i] == 0) {
                const bool is_new = left[i] > tolerance * diagonal[i];
                const bool is_allowed = is_new && std::as_const(rule).allows(i);
                is_any_new = is_any_new || is_new;
                is_any_allowed = is_any_allowed || is_allowed;
                best_score = is_allowed ? std::max(best_score, level(i) + math::log(left[i])) : best_score;
            }
        }
        if (!is_any_allowed) {
            slate.end = is_any_new ? SlateEnd::NoCandidateAllowed : SlateEnd::NothingNew;
            break;
        }
        std::size_t pick = 0;
        while (taken[pick] != 0 || !(left[pick] > tolerance * diagonal[pick]) ||
               level(pick) + math::log(left[pick]) < best_score - 1e-9 || !std::as_const(rule).allows(pick)) {
            ++pick;
        }
        const double score = level(pick) + math::log(left[pick]);
        if (options.only_gains && score < 0.0) {
            slate.end = SlateEnd::NoGain;
            return slate;
        }
        std::vector<double> values(n);
        row(pick, std::span<double>(values));
        SlatePick reasons{.position = pick, .score = score, .relevance = level(pick) + math::log(diagonal[pick])};
        reasons.diversity = reasons.score - reasons.relevance;
        for (const SlatePick& earlier : slate.picks) {
            const double alike =
                values[earlier.position] / math::sqrt(diagonal[pick]) / math::sqrt(diagonal[earlier.position]);
            if (!reasons.nearest || math::abs(alike) > math::abs(reasons.similarity)) {
                reasons.nearest = earlier.position;
                reasons.similarity = alike;
            }
        }
        for (const double& value : values) {
            require(math::is_finite(value), "kernel_dpp: rows must be finite");
        }
        for (std::size_t p = 0; p < factors.size(); ++p) {
            // L(p, pick), as read with the row of p: the product of two columns of the factor.
            const std::size_t earlier = slate.picks[p].position;
            double mirrored = 0.0;
            for (std::size_t q = 0; q <= p; ++q) {
                mirrored += factors[q][earlier] * factors[q][pick];
            }
            const double limit = tolerance * math::sqrt(diagonal[pick]) * math::sqrt(diagonal[earlier]);
            if (math::abs(values[earlier] - mirrored) > limit) {
                return not_a_kernel(SlateEnd::NotSymmetric, {earlier, pick});
            }
        }
        std::vector<double> factor = std::move(values);
        for (const std::vector<double>& earlier : factors) {
            const double at_pick = earlier[pick];
            for (std::size_t i = 0; i < n; ++i) {
                factor[i] -= at_pick * earlier[i];
            }
        }
        const double inverse = 1.0 / math::sqrt(left[pick]);
        taken[pick] = 1;
        slate.picks.push_back(reasons);
        rule.place(pick);
        std::size_t lowest = n;
        for (std::size_t i = 0; i < n; ++i) {
            factor[i] *= inverse;
            left[i] -= factor[i] * factor[i];
            if (taken[i] == 0 && left[i] < -tolerance * diagonal[i] && (lowest == n || left[i] < left[lowest])) {
                lowest = i;
            }
        }
        if (lowest < n) {
            std::vector<std::size_t> witness = slate.positions();
            witness.push_back(lowest);
            return not_a_kernel(SlateEnd::NotPositiveSemidefinite, std::move(witness));
        }
        factors.push_back(std::move(factor));
    }
    // A candidate with L(i, i) = 0 needs a row of zeros; nothing else would show that the kernel is invalid.
    if (slate.end == SlateEnd::NothingNew) {
        const auto zero = std::find(diagonal.begin(), diagonal.end(), 0.0);
        if (zero != diagonal.end()) {
            const auto i = static_cast<std::size_t>(zero - diagonal.begin());
            std::vector<double> values(n);
            row(i, std::span<double>(values));
            for (std::size_t j = 0; j < n; ++j) {
                if (values[j] != 0.0 && j != i) {
                    return not_a_kernel(SlateEnd::NotPositiveSemidefinite, {i, j});
                }
            }
        }
    }
    return slate;
}

}  // namespace detail

/// Greedy MAP of a determinantal point process with a kernel of your own, of which only the rows of picks are read.
///
///     each pick maximises det L of the picks:  log d2(i), where d2(i) = det L(picks + i) / det L(picks)
///
/// Where you have embeddings, call dpp: its kernel is valid by construction. Many similarities are not: 1 - cosine,
/// max(0, cosine), |cosine|, rounded or thresholded cosines. If a determinant turns out negative, the selection ends
/// with NotPositiveSemidefinite, and `witness` names candidates whose submatrix has a negative determinant. The test
/// is one-sided: a matrix that passes may still be invalid. If L(i, j) and L(j, i) differ for two picks by more than
/// 3e-5 sqrt(L(i, i) L(j, j)), the selection ends with NotSymmetric, and `witness` names the two.
///
/// A candidate with d2 below 3e-5 L(i, i) is never picked: it is a combination of the picks up to the rounding of
/// floats. Scores are relative to L(i, i), so that scaling L changes nothing. Ties (1e-9) go to the smaller position.
///
/// Shapes    diagonal: n, L(i, i);  row: callable on [0, n)
/// Returns   the picks, with score log d2 = relevance + diversity, relevance log L(i, i); nearest: the earlier pick
///           with the largest L(i, p)^2 / (L(i, i) L(p, p)), whose signed root is the similarity
/// Cost      O(n k^2) time, k rows, n k doubles
/// Errors    InvalidArgument if a value is not finite
/// Source    Chen, Zhang & Zhou, "Fast greedy MAP inference for determinantal point process", NeurIPS 2018
template <KernelRow Row, class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate kernel_dpp(std::span<const double> diagonal, const Row& row, const KernelDPPOptions& options = {},
                               Rule&& rule = {}) {
    return detail::select_from_kernel(diagonal, {}, row, options, rule);
}

/// As dpp, with a matrix of similarities instead of embeddings: L = Diag(q) S Diag(q). See kernel_dpp for the result.
///
/// Shapes    relevance: n;  similarities.values: n x n, symmetric (checked for picks), S(i, i) as it is
/// Errors    InvalidArgument as dpp, or if the matrix is not n x n
template <class Rule = AnyCandidate>
    requires SlateRule<std::remove_reference_t<Rule>>
[[nodiscard]] Slate kernel_dpp(std::span<const float> relevance, Similarities similarities,
                               const DPPOptions& options = {}, Rule&& rule = {}) {
    detail::check_dpp(relevance, options, "kernel_dpp");
    detail::require_square(relevance, similarities.values, "kernel_dpp");
    const MatrixView<const float> values = similarities.values;
    const double alpha = detail::alpha_of(options);
    std::vector<double> levels(relevance.size());
    std::vector<double> diagonal(relevance.size());
    for (std::size_t i = 0; i < relevance.size(); ++i) {
        levels[i] = 2.0 * alpha * static_cast<double>(relevance[i]);
        diagonal[i] = static_cast<double>(values(i, i));
    }
    const auto row = [&](std::size_t j, std::span<double> out) {
        std::copy(values.row(j).begin(), values.row(j).end(), out.begin());
    };
    return detail::select_from_kernel(
        diagonal, levels, row,
        {.k = options.k, .only_gains = options.only_gains, .time_budget_ms = options.time_budget_ms}, rule);
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

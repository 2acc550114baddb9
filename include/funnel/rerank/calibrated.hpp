// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/rerank/slate_rule.hpp>

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

struct CalibratedOptions {
    std::size_t k = 10;       ///< length of the slate
    double weight = 0.5;      ///< in [0, 1]; weight of calibration: 0 uses only relevance, 1 only calibration
    double smoothing = 0.01;  ///< in [1e-9, 1]; share of the target in q~, which keeps the divergence finite
};

/// A calibrated slate: its genres occur in the proportions that the user likes.
///
///     maximize (1 - weight) * sum over slate of relevance - weight * KL(target || q~)
///     q~(g) = (1 - smoothing) * q(g) + smoothing * target(g),   q(g) = sum over slate of shares(i, g) / k
///
/// The divisor is the length of the finished slate from the first pick on: with it, the objective is a sum of concave
/// functions of sums, monotone and submodular if relevance is >= 0, and each pick takes the largest gain. Without a
/// rule, the slate then has at least 1 - 1/e of the best gain over an empty one. Gains only fall, so most of them need
/// not be computed again. Ties go to the higher relevance, then to the smaller position.
///
/// Shapes    relevance: n;  shares: n x G, each row >= 0 and 0 or 1 in sum, such as 1/3 for each of three genres;
///           target: G, >= 0, 1 in sum: the genres of the user's history;  rule: as in fill_slate
/// Returns   positions, in the order of the picks: min(k, n), or fewer if the rule allows no candidate at a place
/// Cost      O(n G) for the first pick, then O(G) for each gain that is computed again, at most n k
/// Errors    InvalidArgument if the shapes differ, an option is out of range, a relevance is not finite, or a share or
///           the target is negative or has a wrong sum
/// Source    Steck, "Calibrated recommendations", RecSys 2018, with a fixed divisor
template <class R = AnyCandidate>
    requires SlateRule<std::remove_cvref_t<R>>
[[nodiscard]] std::vector<std::size_t> calibrated(std::span<const float> relevance, MatrixView<const float> shares,
                                                  std::span<const float> target, const CalibratedOptions& options = {},
                                                  R&& rule = {}) {
    require_between(options.weight, 0.0, 1.0, "calibrated: weight");
    require_between(options.smoothing, 1e-9, 1.0, "calibrated: smoothing");
    require_equal(shares.rows(), relevance.size(), "calibrated: rows of shares");
    require_equal(shares.cols(), target.size(), "calibrated: columns of shares");
    detail::require_rule_of(rule, relevance.size(), "calibrated");
    const auto sum_of = [](std::span<const float> values) {
        double sum = 0.0;
        for (const float value : values) {
            require_not_negative(value, "calibrated: a share");
            sum += static_cast<double>(value);
        }
        return sum;
    };
    constexpr double tolerance = 1e-4;  // sums of floats
    require(target.empty() || math::abs(sum_of(target) - 1.0) <= tolerance, "calibrated: target must have the sum 1");
    for (std::size_t i = 0; i < relevance.size(); ++i) {
        require_finite(relevance[i], "calibrated: relevance");
        const double sum = sum_of(shares.row(i));
        if (sum != 0.0 && math::abs(sum - 1.0) > tolerance) {
            raise<InvalidArgument>("calibrated: row " + std::to_string(i) +
                                   " of shares must have the sum 0 or 1, got " + std::to_string(sum));
        }
    }

    const std::size_t slate_size = std::min(options.k, relevance.size());
    std::vector<std::size_t> slate;
    std::vector<double> q(target.size(), 0.0);  // as if the slate were finished
    const auto divisor = static_cast<double>(slate_size);
    // By how much a candidate lowers the divergence. Only the genres of the candidate change.
    const auto gain_of = [&](std::size_t i) {
        double gain = 0.0;
        for (std::size_t g = 0; g < target.size(); ++g) {
            const double share = shares(i, g);
            const double p = target[g];
            if (share > 0.0 && p > 0.0) {
                const double before = (1.0 - options.smoothing) * q[g] + options.smoothing * p;
                gain += p * math::log1p((1.0 - options.smoothing) * share / divisor / before);
            }
        }
        return gain;
    };

    // A heap by an upper bound of the score: a gain of now or of an earlier pick.
    struct Candidate {
        double score;
        std::size_t position;
        std::size_t computed_at;  // length of the slate
    };
    const auto candidate_of = [&](std::size_t i) {
        const double score = (1.0 - options.weight) * static_cast<double>(relevance[i]) + options.weight * gain_of(i);
        return Candidate{score, i, slate.size()};
    };
    const auto is_worse = [&](const Candidate& a, const Candidate& b) {
        if (a.score != b.score) {
            return a.score < b.score;
        }
        const float mine = relevance[a.position];
        const float theirs = relevance[b.position];
        return mine != theirs ? mine < theirs : a.position > b.position;
    };
    std::vector<Candidate> heap;
    for (std::size_t i = 0; slate_size > 0 && i < relevance.size(); ++i) {
        heap.push_back(candidate_of(i));
    }
    std::make_heap(heap.begin(), heap.end(), is_worse);

    std::vector<Candidate> others;  // taken from the heap for this pick, and not picked
    while (slate.size() < slate_size) {
        std::optional<Candidate> best;
        // The bound of a gain is that of an earlier pick, which rounding may have made too small.
        while (!heap.empty() && (!best || heap.front().score + 1e-12 * (1.0 + math::abs(best->score)) >= best->score)) {
            std::pop_heap(heap.begin(), heap.end(), is_worse);
            Candidate next = heap.back();
            heap.pop_back();
            const bool is_allowed = static_cast<bool>(std::as_const(rule).allows(next.position));
            if (is_allowed && next.computed_at != slate.size()) {
                next = candidate_of(next.position);
            }
            if (!is_allowed || (best && is_worse(next, *best))) {
                others.push_back(next);
            } else {
                if (best) {
                    others.push_back(*best);
                }
                best = next;
            }
        }
        if (!best) {
            break;
        }
        rule.place(best->position);
        slate.push_back(best->position);
        for (std::size_t g = 0; g < q.size(); ++g) {
            q[g] += static_cast<double>(shares(best->position, g)) / divisor;
        }
        for (const Candidate& other : others) {
            heap.push_back(other);
            std::push_heap(heap.begin(), heap.end(), is_worse);
        }
        others.clear();
    }
    return slate;
}

}  // namespace rerank
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/scan_ids.hpp>
#include <funnel/ann/select_best.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/top_k.hpp>
#include <funnel/kernels/backend.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Scores candidates again, exactly, and keeps the best: what an index does with candidates that were found by codes.
///
/// Shapes    query: prepared, d;  rows: n x d, prepared;  candidates: ids < n, each once (not checked)
/// Returns   the filled part of out, best first; ties go to the smaller id
template <Metric M, kernels::HostBackend Backend>
std::span<Scored<>> refine(std::span<const float> query, MatrixView<const float> rows,
                           std::span<const Scored<>> candidates, std::span<Scored<>> out FUNNEL_LIFETIMEBOUND) {
    IdScan<M, Backend> scan(query, rows, out);
    for (const Scored<>& candidate : candidates) {
        scan.push(candidate.id);
    }
    return scan.finish();
}

/// What exact scores are likely at most, given the scores of codes: the line through some pairs of both with the least
/// squared error, raised by three standard deviations of that error. Pairs may be chosen by their codes.
///
/// It does not depend on the order of pairs: scores are rounded down to 4,096 steps, so that no sum is rounded.
class LikelyScores {
public:
    /// Shapes    candidates: n >= 1, with the scores of their codes;  exact: n (not checked)
    LikelyScores(std::span<const Scored<>> candidates, std::span<const float> exact) noexcept {
        FUNNEL_ASSERT(!candidates.empty() && exact.size() == candidates.size());
        const auto n = static_cast<double>(exact.size());
        const auto code_of = [&](std::size_t i) { return static_cast<double>(candidates[i].score); };
        const auto exact_of = [&](std::size_t i) { return static_cast<double>(exact[i]); };
        const Steps codes(exact.size(), code_of);
        const Steps scores(exact.size(), exact_of);
        double x = 0.0, y = 0.0, xx = 0.0, xy = 0.0, yy = 0.0;
        for (std::size_t i = 0; i < exact.size(); ++i) {
            const double code = codes.of(code_of(i));
            const double score = scores.of(exact_of(i));
            x += code;
            y += score;
            xx += code * code;
            xy += code * score;
            yy += score * score;
        }
        x /= n;
        y /= n;
        const double codes_variance = (xx / n - x * x) * codes.size * codes.size;
        const double covariance = (xy / n - x * y) * codes.size * scores.size;
        const double scores_variance = (yy / n - y * y) * scores.size * scores.size;
        // Errors that depend on nothing else neither turn the order of scores around nor spread them.
        slope_ = codes_variance > 0.0 ? std::clamp(covariance / codes_variance, 0.0, 1.0) : 0.0;
        const double variance = scores_variance - 2.0 * slope_ * covariance + slope_ * slope_ * codes_variance;
        constant_ = scores.least + (y + 1.0) * scores.size - slope_ * (codes.least + (x - 1.0) * codes.size) +
                    3.0 * math::sqrt(std::max(variance, 0.0));
    }

    [[nodiscard]] double at(float code) const noexcept { return constant_ + slope_ * static_cast<double>(code); }

private:
    struct Steps {
        double least = std::numeric_limits<double>::infinity();
        double size = 0.0;

        template <class Score>
        Steps(std::size_t n, const Score& score) noexcept {
            double largest = -least;
            for (std::size_t i = 0; i < n; ++i) {
                least = std::min(least, score(i));
                largest = std::max(largest, score(i));
            }
            size = (largest - least) / 4096.0;
        }
        [[nodiscard]] double of(double score) const noexcept {
            return size > 0.0 ? math::floor((score - least) / size) : 0.0;
        }
    };

    double slope_ = 0.0;
    double constant_ = 0.0;
};

/// As refine, but for candidates that are unlikely to be hits. It scores about a third first, with the best codes. Of
/// the rest, it scores those that may reach the k-th hit, see LikelyScores. The smaller the errors of codes are, the
/// fewer vectors it reads.
///
/// Shapes    as refine;  candidates: n, with the scores of their codes; their order is lost;  exact: n, scratch memory
/// Returns   as refine;  scored gains the number of candidates that were scored
template <Metric M, kernels::HostBackend Backend>
std::span<Scored<>> refine_likely(std::span<const float> query, MatrixView<const float> rows,
                                  std::span<Scored<>> candidates, std::span<float> exact,
                                  std::span<Scored<>> out FUNNEL_LIFETIMEBOUND, std::size_t& scored) {
    constexpr std::size_t fewest = 32;  // say enough about errors
    FUNNEL_ASSERT(exact.size() >= candidates.size());
    TopK<> best(out);
    const auto score = [&](std::span<const Scored<>> some) {
        score_ids<typename M::Stored, Backend>(
            query, rows, some.size(), [&](std::size_t i) { return some[i].id; },
            [&](std::size_t i, float unbounded) {
                exact[i] = bounded<M>(unbounded);
                best.push(some[i].id, exact[i]);
            });
        scored += some.size();
    };

    const std::size_t least = std::max({fewest, candidates.size() / 4, out.size()});
    const std::size_t most = std::max(least, candidates.size() / 2);
    const auto reached = least < candidates.size() ? score_reached_by(candidates, least, most) : std::nullopt;
    if (!reached) {
        score(candidates);
        return best.finish();
    }
    std::size_t first = 0;
    for (Scored<>& candidate : candidates) {  // without a branch, which could not be predicted
        std::swap(candidate, candidates[first]);
        first += candidates[first].score >= *reached ? 1U : 0U;
    }
    score(candidates.first(first));
    const LikelyScores likely(candidates.first(first), exact.first(first));
    const auto kth = static_cast<double>(best.threshold());
    std::size_t kept = first;
    for (const Scored<> candidate : candidates.subspan(first)) {
        candidates[kept] = candidate;
        kept += likely.at(candidate.score) < kth ? 0U : 1U;
    }
    score(candidates.subspan(first, kept - first));
    return best.finish();
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

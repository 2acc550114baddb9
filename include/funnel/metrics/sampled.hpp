// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/metrics/ndcg.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

// A relevant item is often ranked among a sample of other items instead of all. Metrics of such ranks are other
// metrics: they can reverse the order of two systems. The names here say "sampled". Rank all items instead where you
// can; evaluate() does.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// The rank of a relevant item among itself and m others that are drawn without replacement from the rest of a
/// catalogue of n items.
struct SampledRank {
    std::size_t rank;    ///< 1 .. sample + 1
    std::size_t sample;  ///< m, below items
    std::size_t items;   ///< n
};

namespace detail {

inline void require_sampled(const SampledRank& sampled, const char* function) {
    const bool is_valid =
        sampled.sample > 0 && sampled.sample < sampled.items && sampled.rank >= 1 && sampled.rank <= sampled.sample + 1;
    if (!is_valid) {
        raise<InvalidArgument>(std::string(function) +
                               ": rank must lie in 1 .. sample + 1, and sample in 1 .. items - 1");
    }
}

// Probability of each sampled rank 1 .. m + 1 of an item with this true rank: hypergeometric.
inline std::vector<double> sampled_rank_probabilities(std::size_t rank, std::size_t sample, std::size_t items) {
    const auto better = static_cast<double>(rank - 1);
    const auto worse = static_cast<double>(items - rank);
    const auto m = static_cast<double>(sample);
    std::vector<double> p(sample + 1, 0.0);
    // From the most likely number outwards, by ratios of neighbours, and normalised: nothing overflows.
    const double first = std::max(0.0, m - worse);
    const double last = std::min(m, better);
    const double mode = std::clamp(math::floor((m + 1.0) * (better + 1.0) / (better + worse + 2.0)), first, last);
    p[static_cast<std::size_t>(mode)] = 1.0;
    double sum = 1.0;
    double weight = 1.0;
    for (double x = mode; x < last; x += 1.0) {
        weight *= (better - x) * (m - x) / ((x + 1.0) * (worse - m + x + 1.0));
        p[static_cast<std::size_t>(x) + 1] = weight;
        sum += weight;
    }
    weight = 1.0;
    for (double x = mode; x > first; x -= 1.0) {
        weight *= x * (worse - m + x) / ((better - x + 1.0) * (m - x + 1.0));
        p[static_cast<std::size_t>(x) - 1] = weight;
        sum += weight;
    }
    for (double& probability : p) {
        probability /= sum;
    }
    return p;
}

}  // namespace detail

/// The true rank that has this sampled rank in the mean. It is unbiased for the rank, not for a metric of it.
///
///     1 + (n - 1) (sampled rank - 1) / m
///
/// Errors    InvalidArgument if the rank is not in 1 .. m + 1, or m not in 1 .. n - 1
/// Source    Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020
[[nodiscard]] inline double estimated_rank(const SampledRank& sampled) {
    detail::require_sampled(sampled, "estimated_rank");
    return 1.0 + static_cast<double>(sampled.items - 1) * static_cast<double>(sampled.rank - 1) /
                     static_cast<double>(sampled.sample);
}

/// 1 if the sampled rank is at most k. Not comparable with hit_rate.
[[nodiscard]] inline double sampled_hit_rate(const SampledRank& sampled, std::size_t k) {
    detail::require_sampled(sampled, "sampled_hit_rate");
    return sampled.rank <= k ? 1.0 : 0.0;
}

/// NDCG of a single relevant item at its sampled rank. Not comparable with ndcg.
[[nodiscard]] inline double sampled_ndcg(const SampledRank& sampled, std::size_t k) {
    detail::require_sampled(sampled, "sampled_ndcg");
    return sampled.rank <= k ? discount(sampled.rank) : 0.0;
}

/// 1 / sampled rank. Not comparable with reciprocal_rank.
[[nodiscard]] inline double sampled_reciprocal_rank(const SampledRank& sampled) {
    detail::require_sampled(sampled, "sampled_reciprocal_rank");
    return 1.0 / static_cast<double>(sampled.rank);
}

/// AUC of a single relevant item. Its mean over samples is the true AUC: the only metric that sampling leaves as it is.
[[nodiscard]] inline double sampled_auc(const SampledRank& sampled) {
    detail::require_sampled(sampled, "sampled_auc");
    return static_cast<double>(sampled.sample + 1 - sampled.rank) / static_cast<double>(sampled.sample);
}

/// The mean of a metric of the sampled rank, over all samples, for an item whose true rank is known.
///
/// Shapes    metric: a function of the rank, such as [](std::size_t rank) { return rank <= 10 ? 1.0 : 0.0; }
/// Cost      O(m)
/// Errors    InvalidArgument if the rank is not in 1 .. n, or m not in 1 .. n - 1
template <std::invocable<std::size_t> RankMetric>
[[nodiscard]] double expected_sampled(std::size_t rank, std::size_t sample, std::size_t items,
                                      const RankMetric& metric) {
    require_between(rank, 1, items, "expected_sampled: rank");
    detail::require_sampled({1, sample, items}, "expected_sampled");
    const std::vector<double> p = detail::sampled_rank_probabilities(rank, sample, items);
    double sum = 0.0;
    for (std::size_t i = 0; i < p.size(); ++i) {
        sum += p[i] * metric(i + 1);
    }
    return sum;
}

/// A corrected metric: what a system with this sampled rank earns, so that the mean over users estimates the mean of
/// the metric of true ranks.
///
/// The values minimise, over all true ranks alike, the squared bias plus gamma times the variance (a ridge regression).
/// A gamma close to 0 gives the least bias, and a variance that needs very many users; gamma = 1 the least squared
/// error of a single user.
///
/// Shapes    metric: a function of the true rank
/// Returns   m + 1 values, for sampled ranks 1 .. m + 1; compute them once, then average values[rank - 1] over users
/// Cost      O(n m + m^2 n + m^3) time, O(m^2) memory
/// Errors    InvalidArgument if m is not in 1 .. n - 1, or gamma is not in (0, 1]
/// Source    Krichene & Rendle, "On sampled metrics for item recommendation", KDD 2020 (trade-off of bias and variance)
template <std::invocable<std::size_t> RankMetric>
[[nodiscard]] std::vector<double> corrected_metric(std::size_t sample, std::size_t items, const RankMetric& metric,
                                                   double gamma = 0.1) {
    detail::require_sampled({1, sample, items}, "corrected_metric");
    require(gamma > 0.0 && gamma <= 1.0, "corrected_metric: gamma must lie in (0, 1]");
    const std::size_t size = sample + 1;
    // Normal equations: ((1 - gamma) A'A + gamma diag(column sums of A)) x = A'b, A the probabilities by true rank.
    std::vector<double> matrix(size * size, 0.0);
    std::vector<double> x(size, 0.0);
    for (std::size_t rank = 1; rank <= items; ++rank) {
        const std::vector<double> p = detail::sampled_rank_probabilities(rank, sample, items);
        const double value = metric(rank);
        for (std::size_t i = 0; i < size; ++i) {
            if (p[i] <= 0.0) {
                continue;
            }
            x[i] += p[i] * value;
            matrix[i * size + i] += gamma * p[i];
            for (std::size_t j = 0; j <= i; ++j) {
                matrix[i * size + j] += (1.0 - gamma) * p[i] * p[j];
            }
        }
    }
    // Cholesky factor in place, then both substitutions.
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j <= i; ++j) {
            double sum = matrix[i * size + j];
            for (std::size_t at = 0; at < j; ++at) {
                sum -= matrix[i * size + at] * matrix[j * size + at];
            }
            matrix[i * size + j] = i == j ? math::sqrt(sum) : sum / matrix[j * size + j];
        }
    }
    for (std::size_t i = 0; i < size; ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            x[i] -= matrix[i * size + j] * x[j];
        }
        x[i] /= matrix[i * size + i];
    }
    for (std::size_t i = size; i-- > 0;) {
        for (std::size_t j = i + 1; j < size; ++j) {
            x[i] -= matrix[j * size + i] * x[j];
        }
        x[i] /= matrix[i * size + i];
    }
    return x;
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/ndcg_gain.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <numeric>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

/// log(sum of exp(x)), for at least one x.
template <class T>
[[nodiscard]] double log_sum_exp(std::span<const T> values) noexcept {
    const auto largest = static_cast<double>(*std::max_element(values.begin(), values.end()));
    double sum = 0.0;
    for (const T& x : values) {
        sum += math::exp(static_cast<double>(x) - largest);
    }
    return largest + math::log(sum);
}

/// The cross-entropy of the softmax of the scores. target(i) is the probability of item i; they sum to 1.
template <class Target>
double softmax_cross_entropy(const LossList& list, const Target& target) {
    const double log_sum = log_sum_exp(list.scores);
    double value = 0.0;
    for (std::size_t i = 0; i < list.scores.size(); ++i) {
        const double p = math::exp(list.scores[i] - log_sum);
        const double q = target(i);
        value += q > 0.0 ? q * (log_sum - list.scores[i]) : 0.0;
        list.gradient[i] = p - q;
        if (!list.hessian.empty()) {
            list.hessian[i] = p * (1.0 - p);
        }
    }
    return value;
}

}  // namespace detail

/// ListNet: the softmax of the scores should be that of the labels.
///
///     loss = - sum over items of softmax(y)_i log softmax(s)_i;   gradient = softmax(s) - softmax(y)
///
/// Cost      O(n) per list of n items
/// Source    Cao et al., "Learning to rank: from pairwise approach to listwise approach", ICML 2007 (top one)
struct ListNet {
    static constexpr const char* name = "ListNet";
    static constexpr const char* label_rule = "must be finite";
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y); }

    double operator()(const LossList& list, LossScratch& /*scratch*/) const {
        const double log_sum = detail::log_sum_exp(list.labels);
        return detail::softmax_cross_entropy(
            list, [&](std::size_t i) { return math::exp(static_cast<double>(list.labels[i]) - log_sum); });
    }
};

/// XE-NDCG: ListNet with randomly perturbed gains as targets. Its minimum bounds NDCG, unlike that of ListNet.
///
///     loss = - sum over items of q_i log softmax(s)_i,   q_i = (2^y_i - u_i) / sum over j of (2^y_j - u_j)
///
/// u_i is uniform in (0, 1), drawn for each epoch, list and item. The second derivatives are those of each score alone.
/// If `corrects` is set, the gradient has two more terms, which make up for the scores of a list that change together
/// in a Newton step; it is then not that of the value. Boosted trees, also those of LightGBM, use it.
///
/// Cost      O(n) per list of n items
/// Source    Bruch, "An alternative cross entropy loss for learning-to-rank", WWW 2021
struct XENDCG {
    std::uint64_t seed = 1;   ///< of the perturbations
    std::uint64_t epoch = 0;  ///< another number gives other perturbations
    bool corrects = false;    ///< for Newton steps, see above

    static constexpr const char* name = "XENDCG";
    static constexpr const char* label_rule = detail::gain_label_rule;
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return detail::is_gain_label(y); }

    double operator()(const LossList& list, LossScratch& scratch) const {
        Random random(seed, stream("xe_ndcg.noise").substream(epoch), list.number);
        const auto targets = detail::first_of(scratch.numbers, list.scores.size());
        double sum = 0.0;
        for (std::size_t i = 0; i < targets.size(); ++i) {
            targets[i] = detail::gain(list.labels[i]) + 1.0 - random.uniform();
            sum += targets[i];
        }
        const double value = detail::softmax_cross_entropy(list, [&](std::size_t i) { return targets[i] / sum; });
        if (corrects && list.scores.size() > 1) {
            correct(list, targets);
        }
        return value;
    }

private:
    // Twice: each item gets its probability times the sum of the last terms of all others, each over 1 - probability.
    static void correct(const LossList& list, std::span<double> terms) {
        constexpr double least = 1e-15;  // of 1 - probability
        const double log_sum = detail::log_sum_exp(list.scores);
        const auto probability = [&](std::size_t i) { return math::exp(list.scores[i] - log_sum); };
        double sum = 0.0;
        for (std::size_t i = 0; i < terms.size(); ++i) {
            terms[i] = list.gradient[i] / std::max(1.0 - probability(i), least);
            sum += terms[i];
        }
        double next_sum = 0.0;
        for (std::size_t i = 0; i < terms.size(); ++i) {
            const double term = probability(i) * (sum - terms[i]);
            list.gradient[i] += term;
            terms[i] = term / std::max(1.0 - probability(i), least);
            next_sum += terms[i];
        }
        for (std::size_t i = 0; i < terms.size(); ++i) {
            list.gradient[i] += probability(i) * (next_sum - terms[i]);
        }
    }
};

/// ListMLE: the likelihood of the order of the labels, if each next item is drawn from the softmax of those left.
///
///     loss = sum over positions r of log(sum over positions t >= r of exp(s at t)) - s at r
///
/// Positions are those of the items by descending label. Items with equal labels are put into a random order, drawn for
/// each epoch and list: without that, the model would learn the order of the input.
///
/// Cost      O(n log n) per list of n items
/// Source    Xia et al., "Listwise approach to learning to rank", ICML 2008
struct ListMLE {
    std::uint64_t seed = 1;   ///< of the order of ties
    std::uint64_t epoch = 0;  ///< another number gives another order of ties

    static constexpr const char* name = "ListMLE";
    static constexpr const char* label_rule = "must be finite";
    static constexpr bool has_hessian = false;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y); }

    double operator()(const LossList& list, LossScratch& scratch) const {
        const std::size_t n = list.scores.size();
        // The second half holds random ranks, which decide between equal labels.
        const auto positions = detail::first_of(scratch.positions, 2 * n);
        const auto order = positions.first(n);
        const auto lots = positions.last(n);
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::iota(lots.begin(), lots.end(), std::size_t{0});
        Random(seed, stream("list_mle.ties").substream(epoch), list.number).shuffle(lots);
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return list.labels[a] != list.labels[b] ? list.labels[a] > list.labels[b] : lots[a] < lots[b];
        });

        // All sums of exponentials are kept as logarithms, so that no score is too large or too small.
        const auto tails = detail::first_of(scratch.numbers, n);  // log of the sum from this position on
        double value = 0.0;
        for (std::size_t r = n; r-- > 0;) {
            const double s = list.scores[order[r]];
            tails[r] = r + 1 < n ? detail::log_add(tails[r + 1], s) : s;
            value += tails[r] - s;
        }
        double heads = -tails[0];  // log of the sum of 1 / exp(tail) up to this position
        for (std::size_t r = 0; r < n; ++r) {
            heads = r > 0 ? detail::log_add(heads, -tails[r]) : heads;
            list.gradient[order[r]] = math::exp(list.scores[order[r]] + heads) - 1.0;
        }
        return value;
    }
};

/// ApproxNDCG: 1 - NDCG with smooth ranks, so that it has a gradient.
///
///     loss = 1 - sum over items of (2^y_i - 1) / log2(1 + rank_i) / DCG of the best order
///     rank_i = 1 + sum over other items j of sigmoid((s_j - s_i) / temperature)
///
/// A list without a label above 0 has loss 0.
///
/// Cost      O(n^2) per list of n items
/// Source    Qin et al., "A general approximation framework for direct optimization of IR measures", IR 2010
struct ApproxNDCG {
    double temperature = 0.1;  ///< > 0; a smaller one is nearer to NDCG, and flatter

    static constexpr const char* name = "ApproxNDCG";
    static constexpr const char* label_rule = detail::gain_label_rule;
    static constexpr bool has_hessian = false;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return detail::is_gain_label(y); }

    /// Errors    InvalidArgument if temperature is out of range
    double operator()(const LossList& list, LossScratch& scratch) const {
        require_positive(temperature, "ApproxNDCG: temperature");
        std::fill(list.gradient.begin(), list.gradient.end(), 0.0);
        const std::size_t n = list.scores.size();
        const auto numbers = detail::first_of(scratch.numbers, 2 * n);
        const auto gains = numbers.first(n);
        std::transform(list.labels.begin(), list.labels.end(), gains.begin(), detail::gain);
        const double best = detail::best_dcg(gains, n, numbers.last(n));
        if (!(best > 0.0)) {
            return 0.0;
        }
        double value = 1.0;
        for (std::size_t i = 0; i < n; ++i) {
            const auto ahead = [&](std::size_t j) {
                return detail::sigmoid((list.scores[j] - list.scores[i]) / temperature);
            };
            double rank = 1.0;
            for (std::size_t j = 0; j < n; ++j) {
                rank += j != i ? ahead(j) : 0.0;
            }
            const double log_rank = math::log(1.0 + rank);
            value -= gains[i] / best * std::numbers::ln2 / log_rank;
            const double slope = gains[i] / best * std::numbers::ln2 / ((1.0 + rank) * log_rank * log_rank);
            for (std::size_t j = 0; j < n; ++j) {
                const double p = ahead(j);
                const double pull = slope * p * (1.0 - p) / temperature;
                list.gradient[j] += pull;  // for j = i, the two cancel
                list.gradient[i] -= pull;
            }
        }
        return value;
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

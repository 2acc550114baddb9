// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/nn/loss.hpp>
#include <funnel/nn/ndcg_gain.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

namespace detail {

// Plain arithmetic to about 1e-15, in place of the C library: compilers turn loops of it into SIMD code.

/// c[0] + c[1] x + c[2] x^2 + ...
template <std::size_t N>
[[nodiscard]] inline double series(const std::array<double, N>& c, double x) noexcept {
    double sum = c[N - 1];
    // Unrolled here, since compilers vectorize only the loop around.
    [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((sum = sum * x + c[N - 2 - I]), ...);
    }(std::make_index_sequence<N - 1>{});
    return sum;
}

/// exp(x) for x in [-700, 0] (not checked).
[[nodiscard]] inline double exp_of_negative(double x) noexcept {
    constexpr std::array c{
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,      1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600};
    const auto k = static_cast<std::int32_t>(x * std::numbers::log2e - 0.5);  // rounds: x is not positive
    const auto whole = static_cast<double>(k);
    // NOLINTNEXTLINE(modernize-use-std-numbers): not the constant, but its first digits
    const double r = (x - whole * 0x1.62e42fefa38p-1) - whole * 0x1.ef35793c7673p-45;  // log 2, in two parts
    return series(c, r) * std::bit_cast<double>(std::uint64_t{static_cast<std::uint32_t>(k + 1023)} << 52U);
}

/// log(1 + x) for x in [0, 1] (not checked).
[[nodiscard]] inline double log1p_of_share(double x) noexcept {
    constexpr std::array c{1.0,      1.0 / 3,  1.0 / 5,  1.0 / 7,  1.0 / 9,  1.0 / 11, 1.0 / 13, 1.0 / 15,
                           1.0 / 17, 1.0 / 19, 1.0 / 21, 1.0 / 23, 1.0 / 25, 1.0 / 27, 1.0 / 29, 1.0 / 31};
    const double s = x / (2.0 + x);  // 2 (s + s^3/3 + s^5/5 + ...), s <= 1/3
    return 2.0 * s * series(c, s * s);
}

}  // namespace detail

/// RankNet: in each pair of items of a list with different labels, the better item should score higher. With labels 0
/// and 1 this is BPR.
///
///     loss = sum over pairs with y_i > y_j of softplus(-(s_i - s_j))
///
/// Cost      O(n^2) per list of n items
/// Source    Burges et al., "Learning to rank using gradient descent", ICML 2005;  Rendle et al., "BPR", UAI 2009
struct RankNet {
    static constexpr const char* name = "RankNet";
    static constexpr const char* label_rule = "must be finite";
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return math::is_finite(y); }

    double operator()(const LossList& list, LossScratch& /*scratch*/) const noexcept {
        std::fill(list.gradient.begin(), list.gradient.end(), 0.0);
        std::fill(list.hessian.begin(), list.hessian.end(), 0.0);
        double value = 0.0;
        for (std::size_t i = 0; i < list.scores.size(); ++i) {
            for (std::size_t j = 0; j < list.scores.size(); ++j) {
                if (list.labels[i] > list.labels[j]) {
                    const double lead = list.scores[i] - list.scores[j];
                    const double p = detail::sigmoid(-lead);
                    value += detail::softplus(-lead);
                    list.gradient[i] -= p;
                    list.gradient[j] += p;
                    if (!list.hessian.empty()) {
                        list.hessian[i] += p * (1.0 - p);
                        list.hessian[j] += p * (1.0 - p);
                    }
                }
            }
        }
        return value;
    }
};

/// LambdaRank: RankNet with each pair weighted by how much NDCG changes if the two items change places. Its gradients
/// and second derivatives are those of LightGBM.
///
///     loss = sum over pairs with y_i > y_j of delta_ij softplus(-sigma (s_i - s_j))
///     delta_ij = (2^y_i - 2^y_j) |d(rank_i) - d(rank_j)| / DCG of the best order,   d(r) = 1 / log2(1 + r)
///
/// A pair counts if one of its items is among the first `truncation`. The weights delta are taken as constants: the
/// gradient is that of the loss at the present ranks. If `normalize` is set, delta_ij is divided by 0.01 + |s_i - s_j|
/// (unless all scores are equal), and a list with S = sum of 2 |lambda| over its pairs is scaled by log2(1 + S) / S.
///
/// Gains other than 2^y - 1 (label_gain of LightGBM): pass y = log2(1 + gain) as the label.
///
/// Cost      O(min(n, truncation) n) per list of n items
/// Source    Burges, "From RankNet to LambdaRank to LambdaMART", 2010; normalization: LightGBM, pull request 2331
struct LambdaRank {
    std::size_t truncation = 30;  ///< ranks that count, > 0
    double sigma = 1.0;           ///< steepness of the sigmoid, > 0
    bool normalize = true;        ///< see above

    static constexpr const char* name = "LambdaRank";
    static constexpr const char* label_rule = detail::gain_label_rule;
    static constexpr bool has_hessian = true;

    [[nodiscard]] static bool is_label(const float& y) noexcept { return detail::is_gain_label(y); }

    /// Errors    InvalidArgument if a setting is out of range
    double operator()(const LossList& list, LossScratch& scratch) const {
        require_at_least(truncation, 1, "LambdaRank: truncation");
        require_positive(sigma, "LambdaRank: sigma");
        std::fill(list.gradient.begin(), list.gradient.end(), 0.0);
        std::fill(list.hessian.begin(), list.hessian.end(), 0.0);
        const std::size_t n = list.scores.size();
        const auto order = detail::first_of(scratch.positions, n);
        // All in the order of the scores. Padded, so that a block of pairs may end behind the list.
        const std::size_t padded = n + block;
        const auto numbers = detail::first_of(scratch.numbers, 5 * padded);
        const auto scores = numbers.first(padded);
        const auto gains = numbers.subspan(padded, padded);
        const auto discounts = numbers.subspan(2 * padded, padded);
        const auto pulls = numbers.subspan(3 * padded, padded);
        const auto curvatures = numbers.last(padded);
        std::fill(numbers.begin(), numbers.end(), 0.0);
        std::transform(list.labels.begin(), list.labels.end(), pulls.begin(), detail::gain);
        const double best = detail::best_dcg(pulls.first(n), truncation, discounts);
        if (!(best > 0.0)) {
            return 0.0;
        }
        detail::order_by_score(list.scores, order);
        for (std::size_t i = 0; i < n; ++i) {
            scores[i] = list.scores[order[i]];
            gains[i] = pulls[order[i]] / best;
            discounts[i] = detail::discount(i);
        }
        std::fill(scores.begin() + static_cast<std::ptrdiff_t>(n), scores.end(), scores[n - 1]);
        std::fill(pulls.begin(), pulls.end(), 0.0);

        const bool is_scaled = normalize && scores[0] != scores[n - 1];
        double value = 0.0;
        double sum = 0.0;
        for (std::size_t i = 0; i < std::min(n, truncation); ++i) {
            for (std::size_t begin = i + 1; begin < n; begin += block) {
                const Pairs pairs = is_scaled ? with_block<true>(i, begin, scores, gains, discounts)
                                              : with_block<false>(i, begin, scores, gains, discounts);
                for (std::size_t k = 0; k < std::min(block, n - begin); ++k) {
                    value += pairs.value[k];
                    sum += 2.0 * math::abs(pairs.pull[k]);
                    pulls[i] -= pairs.pull[k];
                    pulls[begin + k] += pairs.pull[k];
                    curvatures[i] += pairs.curvature[k];
                    curvatures[begin + k] += pairs.curvature[k];
                }
            }
        }
        const double factor = normalize && sum > 0.0 ? math::log2(1.0 + sum) / sum : 1.0;
        for (std::size_t i = 0; i < n; ++i) {
            list.gradient[order[i]] = pulls[i] * factor;
            if (!list.hessian.empty()) {
                list.hessian[order[i]] = curvatures[i] * factor;
            }
        }
        return value * factor;
    }

private:
    static constexpr std::size_t block = 16;

    // Of the pairs of one item with `block` items.
    struct Pairs {
        std::array<double, block> value;
        std::array<double, block> pull;  // the gradient of the second item
        std::array<double, block> curvature;
    };

    // The item at rank i with those from rank `begin` on. Without branches, so that compilers turn it into SIMD code.
    template <bool IsScaled>
    [[nodiscard]] Pairs with_block(std::size_t i, std::size_t begin, std::span<const double> scores,
                                   std::span<const double> gains, std::span<const double> discounts) const noexcept {
        const auto other_scores = scores.subspan(begin);
        const auto other_gains = gains.subspan(begin);
        const auto other_discounts = discounts.subspan(begin);
        std::array<double, block> exponents;
        std::array<double, block> is_first;
        for (std::size_t k = 0; k < block; ++k) {
            exponents[k] = std::max(-sigma * (scores[i] - other_scores[k]), -700.0);
            is_first[k] = gains[i] > other_gains[k] ? 1.0 : 0.0;
        }
        Pairs pairs;
        for (std::size_t k = 0; k < block; ++k) {
            const double distance = scores[i] - other_scores[k];
            double delta = math::abs(gains[i] - other_gains[k]) * (discounts[i] - other_discounts[k]);
            if constexpr (IsScaled) {
                delta /= 0.01 + distance;
            }
            // The better item leads by distance if it is the first of the two, else by -distance.
            const double e = detail::exp_of_negative(exponents[k]);
            const double p = 1.0 / (1.0 + e);
            const double lambda = sigma * delta * p;
            pairs.value[k] = delta * (detail::log1p_of_share(e) + (1.0 - is_first[k]) * (sigma * distance));
            pairs.pull[k] = is_first[k] * (lambda * e) - (1.0 - is_first[k]) * lambda;
            pairs.curvature[k] = sigma * lambda * e * p;
        }
        return pairs;
    }
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

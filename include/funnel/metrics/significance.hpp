// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/metrics/distributions.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

// Tests whether two systems differ, from one value per user of each: Report::per_user(). All tests are paired and
// two-sided. A p-value is the probability of a difference as large as the one observed, if the systems were equal.
namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// Result of a paired test of a against b.
struct PairedTest {
    double mean_difference;  ///< of a - b
    double statistic;        ///< see the test
    double p_value;          ///< two-sided; NaN if the test says nothing about so few users
    std::size_t pairs;       ///< number of pairs that the test used
};

namespace detail {

// The differences of the pairs. A pair with a NaN (the novelty of an empty list) has none, and is left out.
inline std::vector<double> differences(std::span<const double> a, std::span<const double> b, const char* function) {
    require_equal(b.size(), a.size(), function);
    std::vector<double> found;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!math::is_nan(a[i]) && !math::is_nan(b[i])) {
            found.push_back(a[i] - b[i]);
        }
    }
    require(math::all_finite(std::span<const double>(found)), "significance: values must be finite or NaN");
    return found;
}

inline double mean(std::span<const double> values) {
    return values.empty() ? std::numeric_limits<double>::quiet_NaN()
                          : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace detail

/// Paired t-test: is the mean of a - b zero? Exact for normal differences, and a good approximation for 30 users or
/// more.
///
///     t = mean(d) / (deviation(d) / sqrt(n)),    d = a - b
///
/// Shapes    a, b: one value per user, in the same order; pairs with a NaN are left out
/// Returns   the statistic t. If all differences are equal, t is the largest double and p is 0; if all are 0, p is 1.
///           Below two pairs, p is NaN.
/// Cost      O(n)
/// Errors    InvalidArgument if the sizes differ, or a value is infinite
/// Source    Student, "The probable error of a mean", Biometrika 1908
[[nodiscard]] inline PairedTest paired_t(std::span<const double> a, std::span<const double> b) {
    const std::vector<double> d = detail::differences(a, b, "paired_t: number of values of b");
    constexpr double none = std::numeric_limits<double>::quiet_NaN();
    const double mean = detail::mean(d);
    if (d.size() < 2) {
        return {mean, none, none, d.size()};
    }
    double squares = 0.0;
    for (const double x : d) {
        squares += (x - mean) * (x - mean);
    }
    const auto n = static_cast<double>(d.size());
    const double error = math::sqrt(squares / (n - 1.0) / n);
    if (!(error > 0.0)) {
        const double infinite = mean > 0.0 ? std::numeric_limits<double>::max() : std::numeric_limits<double>::lowest();
        return mean == 0.0 ? PairedTest{0.0, 0.0, 1.0, d.size()} : PairedTest{mean, infinite, 0.0, d.size()};
    }
    const double t = mean / error;
    return {mean, t, detail::student_two_sided(t, n - 1.0), d.size()};
}

struct PermutationOptions {
    std::size_t resamples = 10'000;  ///< random sign patterns, if there are more than exact_up_to pairs
    std::size_t exact_up_to = 16;    ///< most pairs that differ for which all 2^n patterns are counted, at most 30
    std::uint64_t seed = 1;          ///< of the random patterns
};

/// Paired permutation test (Fisher's randomization test): if the systems are equal, each difference could as well have
/// the other sign. It assumes nothing else.
///
///     p = patterns of signs whose |sum| is at least the observed one / patterns        all 2^n patterns, or
///     p = (c + 1) / (resamples + 1)                                                    c of the random patterns
///
/// The observed pattern is one of them, so p is never 0.
///
/// Shapes    a, b: one value per user, in the same order; pairs with a NaN are left out
/// Returns   the statistic mean(a - b); the same bits for any number of threads
/// Cost      O(n resamples), or O(2^n) for n pairs that differ
/// Errors    InvalidArgument if the sizes differ, a value is infinite, resamples is 0, or exact_up_to is above 30
/// Source    Smucker, Allan & Carterette, "A comparison of statistical significance tests for information retrieval
///           evaluation", CIKM 2007; Phipson & Smyth, "Permutation p-values should never be zero", 2010
template <Executor E = Serial>
[[nodiscard]] PairedTest permutation_test(std::span<const double> a, std::span<const double> b,
                                          const PermutationOptions& options = {}, E&& executor = E{}) {
    require_at_least(options.resamples, 1, "permutation_test: resamples");
    require_between(options.exact_up_to, 0, 30, "permutation_test: exact_up_to");
    std::vector<double> d = detail::differences(a, b, "permutation_test: number of values of b");
    const std::size_t pairs = d.size();
    const double mean = detail::mean(d);
    if (pairs == 0) {
        return {mean, mean, std::numeric_limits<double>::quiet_NaN(), 0};
    }
    std::erase(d, 0.0);  // the sign of 0 changes nothing
    double sum = 0.0;
    double magnitude = 0.0;
    for (const double x : d) {
        sum += x;
        magnitude += math::abs(x);
    }
    const double bound = math::abs(sum) - 1e-12 * magnitude;  // sums in another order are rounded otherwise
    const bool is_exact = d.size() <= options.exact_up_to;
    const std::size_t patterns = is_exact ? std::size_t{1} << d.size() : options.resamples;

    constexpr std::size_t grain = 256;
    std::vector<std::size_t> extreme(patterns / grain + 1, 0);  // by chunk
    executor.for_range(patterns, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        for (std::size_t pattern = begin; pattern < end; ++pattern) {
            Random random(options.seed, stream("significance.signs"), pattern);
            std::uint64_t signs = pattern;
            double flipped = 0.0;
            for (std::size_t i = 0; i < d.size(); ++i) {
                if (!is_exact && i % 32 == 0) {
                    signs = random();
                }
                flipped += (signs >> (i % 32) & 1U) != 0 ? d[i] : -d[i];
            }
            extreme[begin / grain] += math::abs(flipped) >= bound ? 1U : 0U;
        }
    });
    const auto count = static_cast<double>(std::accumulate(extreme.begin(), extreme.end(), std::size_t{0}));
    const auto all = static_cast<double>(patterns);
    return {mean, mean, is_exact ? count / all : (count + 1.0) / (all + 1.0), pairs};
}

/// Wilcoxon signed-rank test: do the differences lie symmetrically around zero? It looks at ranks, so a few users with
/// huge differences do not decide.
///
/// Differences of 0 are left out; equal magnitudes share their mean rank. Up to 50 differences, p is exact, also with
/// equal magnitudes. Above, it comes from the normal approximation with the correction for ties, without a continuity
/// correction.
///
/// Shapes    a, b: one value per user, in the same order; pairs with a NaN are left out
/// Returns   the statistic min(W+, W-), the smaller sum of ranks; p is 1 if there is no difference
/// Cost      O(n log n); O(n^3) up to 50 differences
/// Errors    InvalidArgument if the sizes differ, or a value is infinite
/// Source    Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1945; Pratt & Gibbons,
///           "Concepts of nonparametric theory", 1981
[[nodiscard]] inline PairedTest wilcoxon_signed_rank(std::span<const double> a, std::span<const double> b) {
    std::vector<double> d = detail::differences(a, b, "wilcoxon_signed_rank: number of values of b");
    const double mean = detail::mean(d);
    std::erase(d, 0.0);
    const std::size_t n = d.size();
    if (n == 0) {
        return {mean, 0.0, 1.0, 0};
    }
    std::sort(d.begin(), d.end(), [](double x, double y) { return math::abs(x) < math::abs(y); });
    // Ranks are doubled, so that the mean rank of a tie is a whole number.
    std::vector<std::size_t> doubled(n);
    double ties = 0.0;  // sum of t^3 - t over groups of t equal magnitudes
    for (std::size_t begin = 0, end = 0; begin < n; begin = end) {
        while (end < n && math::abs(d[end]) == math::abs(d[begin])) {
            ++end;
        }
        std::fill(doubled.begin() + static_cast<std::ptrdiff_t>(begin),
                  doubled.begin() + static_cast<std::ptrdiff_t>(end), begin + end + 1);
        const auto size = static_cast<double>(end - begin);
        ties += size * size * size - size;
    }
    std::size_t positive = 0;
    for (std::size_t i = 0; i < n; ++i) {
        positive += d[i] > 0.0 ? doubled[i] : 0;
    }
    const std::size_t total = n * (n + 1);
    const std::size_t smaller = std::min(positive, total - positive);
    const double statistic = static_cast<double>(smaller) / 2.0;

    constexpr std::size_t exact_up_to = 50;
    if (n > exact_up_to) {
        const auto count = static_cast<double>(n);
        const double variance = count * (count + 1.0) * (2.0 * count + 1.0) / 24.0 - ties / 48.0;
        const double z = (statistic - count * (count + 1.0) / 4.0) / math::sqrt(variance);
        return {mean, statistic, std::min(1.0, 2.0 * detail::normal_cdf(z)), n};
    }
    std::vector<double> ways(total + 1, 0.0);  // probability of each doubled sum of ranks
    ways[0] = 1.0;
    for (const std::size_t rank : doubled) {
        for (std::size_t sum = total + 1; sum-- > 0;) {
            ways[sum] = 0.5 * (ways[sum] + (sum >= rank ? ways[sum - rank] : 0.0));
        }
    }
    const double tail = std::accumulate(ways.begin(), ways.begin() + static_cast<std::ptrdiff_t>(smaller) + 1, 0.0);
    return {mean, statistic, std::min(1.0, 2.0 * tail), n};
}

struct BootstrapOptions {
    double confidence = 0.95;        ///< of the interval, in (0, 1)
    std::size_t resamples = 10'000;  ///< samples of the users, with replacement
    std::uint64_t seed = 1;
};

struct Interval {
    double low;
    double high;
};

/// Confidence interval of a mean over users, by the bootstrap with bias correction and acceleration (BCa). Pass the
/// differences of two systems for an interval of their difference.
///
/// Shapes    values: one per user; NaNs are left out
/// Returns   the same bits for any number of threads; NaN below two users; both ends equal if all values are equal
/// Cost      O(n resamples) time, O(n + resamples) memory
/// Errors    InvalidArgument if a value is infinite, confidence is not in (0, 1), or resamples is 0
/// Source    Efron, "Better bootstrap confidence intervals", JASA 1987
template <Executor E = Serial>
[[nodiscard]] Interval bootstrap_mean(std::span<const double> values, const BootstrapOptions& options = {},
                                      E&& executor = E{}) {
    require_inside(options.confidence, 0.0, 1.0, "bootstrap_mean: confidence");
    require_at_least(options.resamples, 1, "bootstrap_mean: resamples");
    const std::vector<double> zeros(values.size(), 0.0);
    const std::vector<double> x = detail::differences(values, zeros, "bootstrap_mean");
    const std::size_t n = x.size();
    if (n < 2) {
        constexpr double none = std::numeric_limits<double>::quiet_NaN();
        return {none, none};
    }
    const double mean = detail::mean(x);
    double squares = 0.0;
    double cubes = 0.0;
    for (const double value : x) {
        squares += (value - mean) * (value - mean);
        cubes += (value - mean) * (value - mean) * (value - mean);
    }
    if (!(squares > 0.0)) {
        return {mean, mean};
    }
    std::vector<double> means(options.resamples);
    parallel_for(executor, means.size(), 16, [&](std::size_t resample) {
        Random random(options.seed, stream("significance.bootstrap"), resample);
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += x[random.below(n)];
        }
        means[resample] = sum / static_cast<double>(n);
    });
    std::sort(means.begin(), means.end());

    const auto lower = std::lower_bound(means.begin(), means.end(), mean) - means.begin();
    const auto upper = std::upper_bound(means.begin(), means.end(), mean) - means.begin();
    const auto count = static_cast<double>(means.size());
    const double below = static_cast<double>(lower + upper) / 2.0 / count;  // a resample at the mean counts half
    const double bias = funnel::detail::normal_quantile(std::clamp(below, 0.5 / count, 1.0 - 0.5 / count));
    const double acceleration = cubes / (6.0 * squares * math::sqrt(squares));
    const auto end = [&](double level) {
        const double z = bias + funnel::detail::normal_quantile(level);
        const double adjusted = detail::normal_cdf(bias + z / (1.0 - acceleration * z));
        const double at = adjusted * (count - 1.0);
        const auto first = std::min(static_cast<std::size_t>(at), means.size() - 1);
        const double share = at - static_cast<double>(first);
        return means[first] + share * (means[std::min(first + 1, means.size() - 1)] - means[first]);
    };
    return {end((1.0 - options.confidence) / 2.0), end((1.0 + options.confidence) / 2.0)};
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/significance.hpp>

#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/metrics/distributions.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Threads;
using namespace funnel::metrics;

namespace {

using Values = std::vector<double>;

const Values a{.42, .31, .55, .18, .73, .29, .64, .11, .38, .47, .52, .26};
const Values b{.35, .33, .41, .18, .60, .31, .50, .15, .30, .36, .49, .20};
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
constexpr double infinity = std::numeric_limits<double>::infinity();

Values zeros(const Values& like) {
    return Values(like.size(), 0.0);
}

}  // namespace

TEST_CASE("student_two_sided, normal_cdf: values of scipy 1.17") {
    // 2 * scipy.stats.t.sf(t, df)
    CHECK(detail::student_two_sided(2.0, 1) == Approx(0.2951672353008665).epsilon(1e-13));
    CHECK(detail::student_two_sided(-0.5, 3) == Approx(0.651447964848151).epsilon(1e-13));
    CHECK(detail::student_two_sided(5.0, 999) == Approx(6.768361895801103e-07).epsilon(1e-11));
    CHECK(detail::student_two_sided(30, 10) == Approx(3.961792342031325e-11).epsilon(1e-12));
    CHECK(detail::student_two_sided(1e-3, 5) == Approx(0.9992407867721976).epsilon(1e-13));
    CHECK(detail::student_two_sided(1.96, 1e6) == Approx(0.04999606758526985).epsilon(1e-8));
    CHECK(detail::student_two_sided(0.0, 7) == 1.0);
    // scipy.stats.norm.cdf(z)
    CHECK(detail::normal_cdf(-8) == Approx(6.22096057427174e-16).epsilon(1e-12));
    CHECK(detail::normal_cdf(-2) == Approx(0.022750131948179195).epsilon(1e-14));
    CHECK(detail::normal_cdf(0) == 0.5);
    CHECK(detail::normal_cdf(1.5) == Approx(0.9331927987311419).epsilon(1e-14));
}

TEST_CASE("paired_t: scipy.stats.ttest_rel(a, b)") {
    const PairedTest test = paired_t(a, b);
    CHECK(test.statistic == Approx(2.9757609452613325).epsilon(1e-13));
    CHECK(test.p_value == Approx(0.012614749847354183).epsilon(1e-12));
    CHECK(test.pairs == 12);
    CHECK(test.mean_difference == Approx(0.68 / 12));
    CHECK(paired_t(b, a).statistic == -test.statistic);
    CHECK(paired_t(b, a).p_value == test.p_value);
}

TEST_CASE("permutation_test: all sign patterns, as scipy.stats.permutation_test with permutation_type='samples'") {
    // 0.017578125 = 36 / 2048: one of the twelve differences is 0.
    CHECK(permutation_test(a, b).p_value == 0.017578125);
    CHECK(permutation_test(b, a).p_value == 0.017578125);
    // By hand: of the sums of +-1 +-2 +-4, only +-7 are as large as 7.
    CHECK(permutation_test(Values{1, 2, 4}, Values{0, 0, 0}).p_value == 0.25);
}

TEST_CASE("permutation_test: sums that are equal before rounding count as equal") {
    // -.1 - .2 + .3 + .5 is rounded to less than .5. Beside .5, five of eight sums of .1, .2, .3 are at least 0.
    CHECK(permutation_test(Values{.1, .2, -.3, .5}, Values(4, 0.0)).p_value == 0.625);
    CHECK(permutation_test(Values{.3, .1, .2}, Values(3, 0.0)).p_value == 0.25);
}

TEST_CASE("permutation_test: random patterns come close to all patterns, and p is never 0") {
    const PairedTest random = permutation_test(a, b, {.resamples = 100'000, .exact_up_to = 0});
    CHECK(random.p_value == Approx(0.017578125).epsilon(0.1));  // 4 deviations of 0.0004
    Values large(60, 1.0);
    CHECK(permutation_test(large, zeros(large), {.resamples = 999}).p_value == 0.001);  // ranx gives 0
}

TEST_CASE("wilcoxon_signed_rank: scipy.stats.wilcoxon") {
    const Values d{1, -2, 3, 4, -5, 6, 7, 8, 9, 10.5};
    CHECK(wilcoxon_signed_rank(d, zeros(d)).statistic == 7.0);
    CHECK(wilcoxon_signed_rank(d, zeros(d)).p_value == 0.037109375);
    // With ties: wilcoxon(d[d != 0], method=PermutationMethod(n_resamples=inf))
    const Values tied{1, -1, 2, 2, -3, 4, 4, 5, 5, 5, 0};
    CHECK(wilcoxon_signed_rank(tied, zeros(tied)).statistic == 6.5);
    CHECK(wilcoxon_signed_rank(tied, zeros(tied)).p_value == 0.033203125);
    CHECK(wilcoxon_signed_rank(tied, zeros(tied)).pairs == 10);
    // wilcoxon(d, method='asymptotic', correction=False)
    Values many;
    for (int k = 1; k <= 80; ++k) {
        many.push_back((k * 37 % 101) / 10.0 - 4.0);
    }
    const PairedTest test = wilcoxon_signed_rank(many, zeros(many));
    CHECK(test.pairs == 79);
    CHECK(test.statistic == 989.0);
    CHECK(test.p_value == Approx(0.0038728628414857807).epsilon(1e-11));
}

TEST_CASE("bootstrap_mean: scipy.stats.bootstrap(method='BCa') with two million resamples") {
    const Interval interval = bootstrap_mean(a, {.resamples = 100'000});
    CHECK(interval.low == Approx(0.3075).epsilon(0.01));
    CHECK(interval.high == Approx(0.50833).epsilon(0.01));
    const Values skewed{0, 0, 0, 0, 0, 0, .1, .2, .4, 1, 0, .05};
    const Interval wide = bootstrap_mean(skewed, {.resamples = 100'000});
    CHECK(wide.low == Approx(0.041667).epsilon(0.03));
    CHECK(wide.high == Approx(0.429167).epsilon(0.02));
}

TEST_CASE("bootstrap_mean: an interval of 80 % contains the true mean four times out of five") {
    int inside = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Random random(seed);
        Values values(40);
        for (double& value : values) {
            value = -std::log(random.uniform());  // exponential, mean 1
        }
        const Interval interval = bootstrap_mean(values, {.confidence = 0.8, .resamples = 400, .seed = seed});
        inside += interval.low <= 1.0 && 1.0 <= interval.high ? 1 : 0;
    }
    CHECK(inside > 215);  // 240 expected, deviation 7
    CHECK(inside < 262);
}

TEST_CASE("permutation_test, bootstrap_mean: the number of threads changes no bit, another seed does") {
    Values x(200);
    Random random(1);
    for (double& value : x) {
        value = random.normal() + 0.1;
    }
    const double p = permutation_test(x, zeros(x), {.seed = 3}).p_value;
    const Interval interval = bootstrap_mean(x, {.resamples = 1000, .seed = 3});
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(permutation_test(x, zeros(x), {.seed = 3}, pool).p_value == p);
        CHECK(bootstrap_mean(x, {.resamples = 1000, .seed = 3}, pool).low == interval.low);
        CHECK(bootstrap_mean(x, {.resamples = 1000, .seed = 3}, pool).high == interval.high);
    }
    CHECK(permutation_test(x, zeros(x), {.seed = 4}).p_value != p);
    CHECK(bootstrap_mean(x, {.resamples = 1000, .seed = 4}).low != interval.low);
}

TEST_CASE("paired_t, permutation_test, wilcoxon_signed_rank: equal systems, few pairs, missing values") {
    CHECK(paired_t(a, a).p_value == 1.0);
    CHECK(permutation_test(a, a).p_value == 1.0);
    CHECK(wilcoxon_signed_rank(a, a).p_value == 1.0);
    CHECK(paired_t(Values{2, 3}, Values{1, 2}).p_value == 0.0);
#ifndef __FAST_MATH__
    CHECK(std::isnan(paired_t(Values{}, Values{}).p_value));
    CHECK(std::isnan(paired_t(Values{1}, Values{2}).p_value));
    CHECK(std::isnan(permutation_test(Values{}, Values{}).p_value));
    CHECK(std::isnan(bootstrap_mean(Values{1}).low));
    CHECK(paired_t(Values{not_a_number, 2, 5, 1}, Values{1, 2, not_a_number, 0}).pairs == 2);
#endif
    CHECK(permutation_test(Values{1}, Values{2}).p_value == 1.0);
    CHECK(wilcoxon_signed_rank(Values{1}, Values{2}).p_value == 1.0);
    CHECK(bootstrap_mean(Values{1, 1, 1}).low == 1.0);
    CHECK(bootstrap_mean(Values{1, 1, 1}).high == 1.0);
}

TEST_CASE("paired_t, permutation_test, wilcoxon_signed_rank, bootstrap_mean: reject bad input") {
    CHECK_THROWS_AS(static_cast<void>(paired_t(a, Values{1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(paired_t(Values{infinity, 1}, Values{1, 1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(permutation_test(a, Values{1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(permutation_test(a, b, {.resamples = 0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(permutation_test(a, b, {.exact_up_to = 31})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(wilcoxon_signed_rank(a, Values{1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(bootstrap_mean(a, {.confidence = 1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(bootstrap_mean(a, {.resamples = 0})), InvalidArgument);
}

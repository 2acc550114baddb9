// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/split_search.hpp>

#include <doctest/doctest.h>

#include <vector>

using doctest::Approx;
using funnel::ranking::detail::best_split;
using funnel::ranking::detail::FeatureBins;
using funnel::ranking::detail::GradientSum;
using funnel::ranking::detail::SplitRules;

namespace {

constexpr SplitRules no_rules{.min_rows = 1, .min_hessian = 0.0, .l2 = 0.0, .min_gain = 0.0};

GradientSum sum_of(const std::vector<GradientSum>& histogram) {
    GradientSum sum;
    for (const GradientSum& bin : histogram) {
        sum += bin;
    }
    return sum;
}

}  // namespace

TEST_CASE("best_split: worked by hand") {
    // Three bins of two rows each, gradients -4, -2, 6. After the first bin: 16/2 + 16/4 - 0 = 12; after the second:
    // 36/4 + 36/2 = 27.
    const FeatureBins bins{.bounds = {0.5, 1.5}, .has_missing = false};
    const std::vector<GradientSum> histogram{{-4, 2}, {-2, 2}, {6, 2}};
    const auto split = best_split(bins, histogram, sum_of(histogram), 6, no_rules);
    CHECK(split.gain == 27.0);
    CHECK(split.bin == 1);
    CHECK(split.left.gradient == -6.0);
    CHECK(split.left.hessian == 4.0);
    // With l2 = 2: 36/6 + 36/4 - 0 = 15.
    CHECK(best_split(bins, histogram, sum_of(histogram), 6, {1, 0.0, 2.0, 0.0}).gain == 15.0);
}

TEST_CASE("best_split: missing values go to either side, or stay alone") {
    const FeatureBins bins{.bounds = {0.5}, .has_missing = true};
    // Missing rows are like those of the first bin: they go left.
    const std::vector<GradientSum> left{{-3, 1}, {6, 2}, {-3, 1}};
    CHECK(best_split(bins, left, sum_of(left), 4, no_rules).missing_goes_left);
    // Like those of the second bin: right.
    const std::vector<GradientSum> right{{-6, 2}, {3, 1}, {3, 1}};
    const auto split = best_split(bins, right, sum_of(right), 4, no_rules);
    CHECK_FALSE(split.missing_goes_left);
    CHECK(split.bin == 0);
    // Like none: all values are on the left, up to the last bin.
    const std::vector<GradientSum> alone{{-2, 1}, {-2, 1}, {4, 1}};
    CHECK(best_split(bins, alone, sum_of(alone), 3, no_rules).bin == 1);
}

TEST_CASE("best_split: rules hold on both sides") {
    const FeatureBins bins{.bounds = {0.5, 1.5}, .has_missing = false};
    const std::vector<GradientSum> histogram{{-4, 1}, {-2, 4}, {6, 5}};
    const GradientSum sum = sum_of(histogram);
    CHECK(best_split(bins, histogram, sum, 10, {5, 0.0, 0.0, 0.0}).bin == 1);
    CHECK(best_split(bins, histogram, sum, 10, {6, 0.0, 0.0, 0.0}).gain == 0.0);
    CHECK(best_split(bins, histogram, sum, 10, {1, 5.5, 0.0, 0.0}).gain == 0.0);
    CHECK(best_split(bins, histogram, sum, 10, {1, 0.0, 0.0, 1e9}).gain == 0.0);
    // 20 rows: each unit of the second derivative stands for two.
    CHECK(best_split(bins, histogram, sum, 20, {10, 0.0, 0.0, 0.0}).bin == 1);
}

TEST_CASE("best_split: equal gains go to the lower bin, no gain is no split") {
    const FeatureBins bins{.bounds = {0.5, 1.5}, .has_missing = false};
    const std::vector<GradientSum> symmetric{{-1, 1}, {0, 1}, {1, 1}};
    CHECK(best_split(bins, symmetric, sum_of(symmetric), 3, no_rules).bin == 0);
    const std::vector<GradientSum> flat{{1, 1}, {1, 1}, {1, 1}};
    CHECK(best_split(bins, flat, sum_of(flat), 3, no_rules).gain == Approx(0.0));
    const std::vector<GradientSum> nothing{{0, 0}, {0, 0}, {0, 0}};
    CHECK(best_split(bins, nothing, sum_of(nothing), 3, no_rules).gain == 0.0);
}

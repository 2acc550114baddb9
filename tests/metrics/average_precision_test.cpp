// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/average_precision.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/metrics/precision_recall.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::metrics::APDenominator;
using funnel::metrics::average_precision;
using funnel::metrics::precision;
using funnel::metrics::reciprocal_rank;

namespace {

using Labels = std::vector<float>;

constexpr double six_digits = 1e-6;  // the published values are printed with six

}  // namespace

TEST_CASE("average_precision: worked by hand, with each denominator") {
    const Labels shown{1, 0, 1, 0, 0};
    const Labels judged{1, 1, 1};
    // Precision 1/1 at rank 1 and 2/3 at rank 3: the sum is 1 up to k = 2, 5/3 up to k = 5.
    CHECK(average_precision(shown, judged, {.k = 2}) == 0.5);
    CHECK(average_precision(shown, judged, {.k = 5}) == Approx(0.555556).epsilon(six_digits));

    const auto over = [&](std::size_t k, APDenominator denominator) {
        return average_precision(shown, judged, {.k = k, .denominator = denominator});
    };
    CHECK(over(2, APDenominator::Possible) == 0.5);
    CHECK(over(2, APDenominator::Relevant) == Approx(0.333333).epsilon(six_digits));
    CHECK(over(2, APDenominator::Cutoff) == 0.5);
    CHECK(over(2, APDenominator::Hits) == 1.0);
    CHECK(over(5, APDenominator::Possible) == Approx(0.555556).epsilon(six_digits));
    CHECK(over(5, APDenominator::Relevant) == Approx(0.555556).epsilon(six_digits));
    CHECK(over(5, APDenominator::Cutoff) == Approx(0.333333).epsilon(six_digits));
    CHECK(over(5, APDenominator::Hits) == Approx(0.833333).epsilon(six_digits));
}

TEST_CASE("average_precision: is the mean of precision at the hits, on random lists") {
    Random random(11);
    for (int round = 0; round < 100; ++round) {
        Labels shown(random.below(15));
        for (float& label : shown) {
            label = random.below(3) == 0 ? 1.0F : 0.0F;
        }
        const auto hits = static_cast<std::size_t>(std::count(shown.begin(), shown.end(), 1.0F));
        const Labels judged(hits + random.below(4), 1.0F);
        const std::size_t k = 1 + random.below(15);
        if (judged.empty()) {
            continue;
        }
        double sum = 0.0;
        for (std::size_t rank = 1; rank <= std::min(k, shown.size()); ++rank) {
            sum += shown[rank - 1] > 0.0F ? precision(shown, judged, {.k = rank}) : 0.0;
        }
        CHECK(average_precision(shown, judged, {.k = k}) ==
              Approx(sum / static_cast<double>(std::min(judged.size(), k))).epsilon(1e-12));
    }
}

TEST_CASE("average_precision: graded labels, as trec_eval computes it") {
    const Labels shown{3, 0, 2, 0, 2};
    const Labels judged{3, 2, 0, 1, 2};
    // trec_eval divides by R: map 0.5667, map_cut_3 0.4167.
    CHECK(average_precision(shown, judged, {.k = 5, .denominator = APDenominator::Relevant}) ==
          Approx(0.5667).epsilon(1e-4));
    CHECK(average_precision(shown, judged, {.k = 3, .denominator = APDenominator::Relevant}) ==
          Approx(0.4167).epsilon(1e-4));
    CHECK(average_precision(shown, judged, {.k = 3}) == Approx((1.0 + 2.0 / 3.0) / 3.0));
    // Relevant from grade 2 on: map 0.7556.
    CHECK(average_precision(Labels{2, 0, 1, 0, 1}, Labels{2, 1, 0, 0, 1}) == Approx(0.7556).epsilon(1e-4));
    // Relevant items with scores 0.9 and 0.5, others with 0.5 and 0.1: scikit-learn takes equal scores as one group and
    // has 0.833333, the value of the tie decided against us.
    CHECK(average_precision(Labels{1, 0, 1, 0}, Labels{1, 1}) == Approx(0.833333).epsilon(six_digits));
}

TEST_CASE("average_precision: a hit moved up gains, one moved down loses, the order of the judged is nothing") {
    const Labels judged{0, 1, 1};
    const Labels shown{0, 1, 0, 1};
    const double value = average_precision(shown, judged);
    CHECK(average_precision(shown, Labels{1, 0, 1}) == value);
    CHECK(average_precision(Labels{1, 0, 0, 1}, judged) > value);
    CHECK(average_precision(Labels{0, 0, 1, 1}, judged) < value);
    CHECK(average_precision(Labels{1, 1, 0, 0}, judged) == 1.0);
}

TEST_CASE("reciprocal_rank: one over the rank of the first hit within k") {
    const Labels judged{1, 1};
    CHECK(reciprocal_rank(Labels{1, 0}, judged) == 1.0);
    CHECK(reciprocal_rank(Labels{0, 0, 1, 1}, judged) == Approx(1.0 / 3.0));
    CHECK(reciprocal_rank(Labels{0, 0, 1, 1}, judged, {.k = 3}) == Approx(1.0 / 3.0));
    CHECK(reciprocal_rank(Labels{0, 0, 1, 1}, judged, {.k = 2}) == 0.0);
    CHECK(reciprocal_rank(Labels{0, 0}, judged) == 0.0);
}

TEST_CASE("reciprocal_rank: four items with equal scores, by the place of the only relevant one") {
    // The smaller id first: 1. The larger id first: 0.25. The mean over all orders: 0.520833.
    double sum = 0.0;
    for (std::size_t place = 0; place < 4; ++place) {
        Labels shown(4, 0.0F);
        shown[place] = 1.0F;
        sum += reciprocal_rank(shown, Labels{1});
    }
    CHECK(reciprocal_rank(Labels{1, 0, 0, 0}, Labels{1}) == 1.0);
    CHECK(reciprocal_rank(Labels{0, 0, 0, 1}, Labels{1}) == 0.25);
    CHECK(sum / 4.0 == Approx(0.520833).epsilon(six_digits));
}

TEST_CASE("average_precision and reciprocal_rank: no ranks, no items, nothing relevant") {
    CHECK(average_precision(Labels{1}, Labels{1}, {.k = 0}) == 0.0);
    CHECK(average_precision({}, Labels{1}, {.denominator = APDenominator::Hits}) == 0.0);
    CHECK(average_precision({}, {}) == 0.0);
    CHECK(average_precision(Labels{0}, Labels{0}, {.if_nothing_relevant = 0.25}) == 0.25);
    CHECK(reciprocal_rank(Labels{1}, Labels{1}, {.k = 0}) == 0.0);
    CHECK(reciprocal_rank({}, Labels{1}) == 0.0);
    CHECK(reciprocal_rank({}, {}, {.if_nothing_relevant = 0.25}) == 0.25);
}

TEST_CASE("average_precision and reciprocal_rank: reject labels without a meaning, and unknown denominators") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)average_precision(Labels{1}, Labels{1, -1}), InvalidArgument);
    CHECK_THROWS_AS((void)average_precision(Labels{nan}, Labels{1}), InvalidArgument);
    CHECK_THROWS_AS((void)average_precision(Labels{1, 1}, Labels{1}), InvalidArgument);
    CHECK_THROWS_AS((void)average_precision(Labels{1}, Labels{1}, {.denominator = static_cast<APDenominator>(9)}),
                    InvalidArgument);
    CHECK_THROWS_AS((void)reciprocal_rank(Labels{1}, Labels{-1}), InvalidArgument);
    CHECK_THROWS_AS((void)reciprocal_rank(Labels{nan}, Labels{1}), InvalidArgument);
    CHECK_THROWS_AS((void)reciprocal_rank(Labels{1}, Labels{}), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/graded.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using namespace funnel::metrics;

namespace {

using Labels = std::vector<float>;
constexpr float quiet_nan = std::numeric_limits<float>::quiet_NaN();

// Items a, c, b, f, e are shown; a = 3, b = 2, c = 0, d = 1, e = 2 are judged, f is not.
const Labels judged{3, 2, 0, 1, 2};

}  // namespace

TEST_CASE("rank_biased_precision: worked by hand") {
    // Hits at ranks 1, 3 and 5: 0.5 (1 + 0.25 + 0.0625).
    CHECK(rank_biased_precision(Labels{3, 0, 2, 0, 2}, {.persistence = 0.5}) == Approx(0.65625));
    CHECK(rank_biased_precision(Labels{1, 1, 1}, {.k = 2, .persistence = 0.8}) == Approx(1.0 - 0.8 * 0.8));
    CHECK(rank_biased_precision(Labels{}) == 0.0);
    CHECK(rank_biased_precision(Labels{1}, {.k = 0}) == 0.0);
}

TEST_CASE("rank_biased_precision: graded labels do not raise it above 1") {  // ranx sums the labels themselves
    CHECK(rank_biased_precision(Labels{4, 4, 4}, {.persistence = 0.5}) == 0.875);
}

TEST_CASE("expected_reciprocal_rank: worked by hand") {
    // Labels 3, 0, 1 of a scale up to 3: R = 7/8, 0, 1/8. 7/8 + (1/8) (1/8) / 3.
    CHECK(expected_reciprocal_rank(Labels{3, 0, 1}, {.largest_label = 3}) == Approx(7.0 / 8 + 1.0 / 64 / 3));
    CHECK(expected_reciprocal_rank(Labels{0, 1}, {.largest_label = 1}) == 0.25);
    CHECK(expected_reciprocal_rank(Labels{0, 1}, {.k = 1, .largest_label = 1}) == 0.0);
    CHECK(expected_reciprocal_rank(Labels{2000, 2000}, {.largest_label = 2000}) == 1.0);  // no overflow
}

TEST_CASE("expected_reciprocal_rank: a hit behind a hit counts less than one behind a miss") {
    const double first = expected_reciprocal_rank(Labels{1, 0, 0}, {.largest_label = 1});
    CHECK(expected_reciprocal_rank(Labels{1, 1, 0}, {.largest_label = 1}) - first <
          expected_reciprocal_rank(Labels{0, 1, 0}, {.largest_label = 1}));
}

TEST_CASE("r_precision, bpref: as trec_eval computes them") {
    CHECK(r_precision(Labels{3, 0, 2, 0, 2}, judged) == 0.5);
    CHECK(bpref(Labels{3, 0, 2, unjudged, 2}, judged) == 0.25);
}

TEST_CASE("r_precision: a list shorter than R leaves misses") {
    CHECK(r_precision(Labels{1}, Labels{1, 1, 1, 1}) == 0.25);
    CHECK(r_precision(Labels{}, Labels{}) == 0.0);
}

TEST_CASE("bpref: items without judgement change nothing") {
    const Labels few{1, 0, 1, 0};
    CHECK(bpref(Labels{1, 0, 1}, few) == bpref(Labels{unjudged, 1, unjudged, 0, 1, unjudged}, few));
    CHECK(bpref(Labels{1, 1, 0, 0}, few) == 1.0);
    CHECK(bpref(Labels{0, 0, 1, 1}, few) == 0.0);
    CHECK(bpref(Labels{0, 1, 0, 1}, few) == 0.25);  // 1 - 1/2, and 1 - 2/2, over 2
    CHECK(bpref(Labels{1, 1}, Labels{1, 1}) == 1.0);
    CHECK(bpref(Labels{0}, Labels{0}) == 0.0);
}

TEST_CASE("alpha_ndcg: worked by hand") {
    // Two aspects. Shown: a, a, b; judged the same. Gains 1, 1/2, 1; the best order is a, b, a: 1, 1, 1/2.
    const std::vector<std::uint64_t> shown{1, 1, 2};
    const double second = 1 / 1.584962500721156;
    CHECK(alpha_ndcg(shown, shown) == Approx((1 + 0.5 * second + 0.5) / (1 + second + 0.25)));
    CHECK(alpha_ndcg(shown, shown, {.alpha = 0.0}) == Approx(1.0));
    CHECK(alpha_ndcg(shown, shown, {.alpha = 1.0}) == Approx(1.5 / (1 + second)));
    CHECK(alpha_ndcg(std::vector<std::uint64_t>{1, 2, 1}, shown) == Approx(1.0));
    CHECK(alpha_ndcg({}, shown) == 0.0);
    CHECK(alpha_ndcg(shown, {}) == 0.0);
    const std::uint64_t last_aspect = std::uint64_t{1} << 63;
    CHECK(alpha_ndcg(std::vector{last_aspect}, std::vector{last_aspect}) == 1.0);
}

TEST_CASE("rank_biased_precision, expected_reciprocal_rank, bpref, r_precision, alpha_ndcg: reject bad input and NaN") {
    CHECK_THROWS_AS(static_cast<void>(rank_biased_precision(Labels{1}, {.persistence = 1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(rank_biased_precision(Labels{quiet_nan})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(expected_reciprocal_rank(Labels{5})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(expected_reciprocal_rank(Labels{quiet_nan})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(expected_reciprocal_rank(Labels{0}, {.largest_label = 0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(bpref(Labels{1}, Labels{0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(bpref(Labels{-2}, Labels{1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(r_precision(Labels{1}, Labels{0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(alpha_ndcg({}, {}, {.alpha = 1.5})), InvalidArgument);
}

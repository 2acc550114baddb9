// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/ties.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/precision_recall.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using namespace funnel::metrics;

namespace {

using Labels = std::vector<float>;
using Scores = std::vector<float>;

struct OverAllOrders {
    double mean = 0.0;
    double least = std::numeric_limits<double>::infinity();
    double most = -std::numeric_limits<double>::infinity();
};

// The definition: every order of the list in which no item stands before one of a higher score, each as likely.
OverAllOrders over_all_orders(const Scores& scores, const Labels& shown, const std::function<double(Labels)>& metric) {
    std::vector<std::size_t> order(shown.size());
    std::iota(order.begin(), order.end(), 0U);
    OverAllOrders all;
    std::size_t count = 0;
    do {
        if (!std::is_sorted(order.begin(), order.end(),
                            [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; })) {
            continue;
        }
        Labels labels;
        for (const std::size_t position : order) {
            labels.push_back(shown[position]);
        }
        const double value = metric(labels);
        all.mean += value;
        all.least = std::min(all.least, value);
        all.most = std::max(all.most, value);
        ++count;
    } while (std::next_permutation(order.begin(), order.end()));
    all.mean /= static_cast<double>(count);
    return all;
}

struct Case {
    Scores scores;
    Labels shown;
    Labels judged;
};

// Few scores and few labels, so that there are ties of both; some relevant items are not shown.
Case random_case(Random& random, std::size_t n) {
    Case made;
    for (std::size_t i = 0; i < n; ++i) {
        made.scores.push_back(static_cast<float>(random.below(3)));
        made.shown.push_back(static_cast<float>(random.below(3)));
    }
    std::sort(made.scores.rbegin(), made.scores.rend());
    made.judged = made.shown;
    made.judged.push_back(2.0F);
    made.judged.push_back(1.0F);
    return made;
}

// A metric and its mean over all orders.
struct Twins {
    double (*expected)(std::span<const float>, std::span<const float>, std::span<const float>, const RankingOptions&);
    double (*plain)(std::span<const float>, std::span<const float>, const RankingOptions&);
};
constexpr std::array with_ranking_options = {Twins{expected::precision, precision}, Twins{expected::recall, recall},
                                             Twins{expected::capped_recall, capped_recall},
                                             Twins{expected::hit_rate, hit_rate},
                                             Twins{expected::reciprocal_rank, reciprocal_rank}};

void check(double expected, const Case& list, std::size_t k, const std::function<double(const Labels&)>& metric) {
    CAPTURE(k);
    const OverAllOrders all = over_all_orders(list.scores, list.shown, metric);
    CHECK(expected == Approx(all.mean).epsilon(1e-12));
    CHECK(metric(pessimistic(list.scores, list.shown)) == Approx(all.least).epsilon(1e-12));
    CHECK(metric(optimistic(list.scores, list.shown)) == Approx(all.most).epsilon(1e-12));
}

}  // namespace

TEST_CASE("ties: four items with one score, one of them relevant") {
    const Scores scores{1, 1, 1, 1};
    const Labels shown{1, 0, 0, 0};  // in the order of their ids
    CHECK(ndcg(shown, shown) == 1.0);
    CHECK(reciprocal_rank(shown, shown) == 1.0);
    // As trec_eval with names 0 to 3, implicit and scikit-learn with ignore_ties have them: the largest id first.
    CHECK(ndcg(pessimistic(scores, shown), shown) == Approx(0.430677).epsilon(1e-6));
    CHECK(reciprocal_rank(pessimistic(scores, shown), shown) == 0.25);
    // scikit-learn's default.
    CHECK(expected::ndcg(scores, shown, shown) == Approx(0.640402).epsilon(1e-6));
    CHECK(expected::reciprocal_rank(scores, shown, shown) == Approx(0.520833).epsilon(1e-6));

    CHECK(expected::precision(scores, shown, shown, {.k = 2}) == 0.25);
    CHECK(expected::recall(scores, shown, shown, {.k = 2}) == 0.5);
    CHECK(expected::hit_rate(scores, shown, shown, {.k = 2}) == 0.5);
}

TEST_CASE("ties: the mean, the least and the most over all orders, by trying them all") {
    Random random(1);
    for (std::size_t n = 1; n <= 6; ++n) {
        for (int round = 0; round < 6; ++round) {
            const Case list = random_case(random, n);
            const Scores& scores = list.scores;
            const Labels& shown = list.shown;
            const Labels& judged = list.judged;
            for (const std::size_t k : {std::size_t{1}, std::size_t{2}, std::size_t{3}, n, n + 2}) {
                for (const Twins& twins : with_ranking_options) {
                    check(twins.expected(scores, shown, judged, {.k = k}), list, k,
                          [&](const Labels& l) { return twins.plain(l, judged, {.k = k}); });
                }
                check(expected::ndcg(scores, shown, judged, {.k = k}), list, k,
                      [&](const Labels& l) { return ndcg(l, judged, {.k = k}); });
                check(expected::ndcg(scores, shown, judged, {.k = k}, ExponentialGain{}), list, k,
                      [&](const Labels& l) { return ndcg(l, judged, {.k = k}, ExponentialGain{}); });
                for (const APDenominator by :
                     {APDenominator::Possible, APDenominator::Relevant, APDenominator::Cutoff}) {
                    check(expected::average_precision(scores, shown, judged, {.k = k, .denominator = by}), list, k,
                          [&](const Labels& l) { return average_precision(l, judged, {.k = k, .denominator = by}); });
                }
            }
        }
    }
}

TEST_CASE("ties: without any, nothing changes") {
    const Scores scores{5, 4, 3, 1, 0};
    const Labels shown{0, 2, 0, 1, 0};
    const Labels judged{0, 2, 0, 1, 0, 1};
    CHECK(optimistic(scores, shown) == shown);
    CHECK(pessimistic(scores, shown) == shown);
    for (const std::size_t k : {1U, 2U, 4U, 10U}) {
        CHECK(expected::ndcg(scores, shown, judged, {.k = k}) == Approx(ndcg(shown, judged, {.k = k})));
        CHECK(expected::average_precision(scores, shown, judged, {.k = k}) ==
              Approx(average_precision(shown, judged, {.k = k})));
        CHECK(expected::reciprocal_rank(scores, shown, judged, {.k = k}) == reciprocal_rank(shown, judged, {.k = k}));
    }
}

TEST_CASE("ties: edges") {
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK(optimistic({}, {}).empty());
    CHECK(expected::ndcg({}, {}, Labels{1}) == 0.0);
    CHECK(expected::hit_rate({}, {}, Labels{1}) == 0.0);
    CHECK(expected::ndcg(Scores{1}, Labels{0}, Labels{0}, {.if_nothing_relevant = 0.5}) == 0.5);
    CHECK(expected::precision(Scores{1}, Labels{0}, Labels{0}, {.if_nothing_relevant = 0.5}) == 0.5);
    CHECK(expected::average_precision(Scores{1}, Labels{0}, Labels{0}, {.if_nothing_relevant = 0.5}) == 0.5);
    for (const Twins& twins : with_ranking_options) {
        CHECK(twins.expected(Scores{1, 1}, Labels{0, 1}, Labels{0, 1}, {.k = 0}) == 0.0);
    }
    CHECK(expected::ndcg(Scores{1, 1}, Labels{0, 1}, Labels{0, 1}, {.k = 0}) == 0.0);
    CHECK(expected::average_precision(Scores{1, 1}, Labels{0, 1}, Labels{0, 1}, {.k = 0}) == 0.0);
    // Infinities are scores like others; 0 and -0 are the same.
    CHECK(optimistic(Scores{infinity, infinity, 0.0F, -0.0F, -infinity}, Labels{0, 1, 0, 1, 0}) ==
          Labels{1, 0, 1, 0, 0});
}

TEST_CASE("ties: says that labels are too large for powers of 2, instead of NaN") {
    const Labels large{1025, 0};
    CHECK_THROWS_AS((void)expected::ndcg(Scores{1, 1}, large, large, {}, ExponentialGain{}), InvalidArgument);
    const std::function infinite = [](float label) {
        return label > 0.0F ? std::numeric_limits<double>::infinity() : 0.0;
    };
    CHECK_THROWS_WITH_AS((void)expected::ndcg(Scores{1, 1}, large, large, {}, infinite),
                         "expected::ndcg: gains and their sum must be finite", InvalidArgument);
}

TEST_CASE("ties: says what is wrong") {
    const Labels two{1, 0};
    const float not_a_number = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS((void)optimistic(Scores{1}, two),
                         "optimistic: scores must have one element for each label shown", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)pessimistic(Scores{1, 2}, two),
                         "pessimistic: scores must not be NaN and must not increase", InvalidArgument);
    CHECK_THROWS_AS((void)pessimistic(Scores{not_a_number, 2}, two), InvalidArgument);
    CHECK_THROWS_AS((void)pessimistic(Scores{2, not_a_number}, two), InvalidArgument);
    CHECK_THROWS_AS((void)optimistic(Scores{2, 1}, Labels{-1, 1}), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)expected::ndcg(Scores{1, 2}, two, two),
                         "expected::ndcg: scores must not be NaN and must not increase", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)expected::recall(Scores{2, 1}, two, Labels{0}),
                         "expected::recall: judged must contain every relevant item that is shown", InvalidArgument);
    CHECK_THROWS_AS((void)expected::precision(Scores{}, two, two), InvalidArgument);
    CHECK_THROWS_AS((void)expected::capped_recall(Scores{}, two, two), InvalidArgument);
    CHECK_THROWS_AS((void)expected::hit_rate(Scores{}, two, two), InvalidArgument);
    CHECK_THROWS_AS((void)expected::reciprocal_rank(Scores{}, two, two), InvalidArgument);
    CHECK_THROWS_AS((void)expected::average_precision(Scores{}, two, two), InvalidArgument);
    CHECK_THROWS_WITH_AS(
        (void)expected::average_precision(Scores{2, 1}, two, two, {.denominator = APDenominator::Hits}),
        "expected::average_precision: denominator must not be Hits", InvalidArgument);
}

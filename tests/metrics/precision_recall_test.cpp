// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/precision_recall.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <set>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::metrics::capped_recall;
using funnel::metrics::hit_rate;
using funnel::metrics::precision;
using funnel::metrics::RankingOptions;
using funnel::metrics::recall;

namespace {

using Labels = std::vector<float>;
using Metric = double (*)(std::span<const float>, std::span<const float>, const RankingOptions&);

constexpr Metric all_metrics[] = {precision, recall, capped_recall, hit_rate};

}  // namespace

TEST_CASE("hits: worked by hand") {
    const Labels shown{1, 0, 1, 0, 0};  // two of three relevant items, at ranks 1 and 3
    const Labels judged{1, 1, 1};

    CHECK(precision(shown, judged, {.k = 2}) == 0.5);                                  // 1 hit in 2 places
    CHECK(recall(shown, judged, {.k = 2}) == Approx(1.0 / 3.0));                       // 1 of 3
    CHECK(capped_recall(shown, judged, {.k = 2}) == 0.5);                              // 1 of the 2 possible
    CHECK(hit_rate(shown, judged, {.k = 2}) == 1.0);                                   //
    CHECK(precision(shown, judged, {.k = 5}) == 0.4);                                  // 2 hits in 5 places
    CHECK(recall(shown, judged, {.k = 5}) == Approx(2.0 / 3.0));                       // 2 of 3
    CHECK(capped_recall(shown, judged, {.k = 5}) == recall(shown, judged, {.k = 5}));  // k >= R: the same
}

TEST_CASE("hits: agree with sets of items on random lists") {
    Random random(7);
    for (int round = 0; round < 200; ++round) {
        std::vector<std::size_t> catalogue{0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
        random.shuffle(std::span(catalogue));
        const std::set<std::size_t> relevant(catalogue.begin(),
                                             catalogue.begin() + 1 + static_cast<std::ptrdiff_t>(random.below(6)));
        random.shuffle(std::span(catalogue));
        const std::size_t length = random.below(11);
        const std::size_t k = 1 + random.below(12);

        Labels shown;
        std::size_t both = 0;
        for (std::size_t i = 0; i < length; ++i) {
            shown.push_back(relevant.count(catalogue[i]) != 0 ? 1.0F : 0.0F);
            both += i < k ? relevant.count(catalogue[i]) : 0;
        }
        const Labels judged(relevant.size(), 1.0F);
        const auto hits = static_cast<double>(both);
        CAPTURE(round);
        CHECK(precision(shown, judged, {.k = k}) == Approx(hits / static_cast<double>(k)));
        CHECK(recall(shown, judged, {.k = k}) == Approx(hits / static_cast<double>(relevant.size())));
        CHECK(capped_recall(shown, judged, {.k = k}) ==
              Approx(hits / static_cast<double>(std::min(relevant.size(), k))));
        CHECK(hit_rate(shown, judged, {.k = k}) == (both > 0 ? 1.0 : 0.0));
    }
}

TEST_CASE("hits: graded labels, as trec_eval computes them") {
    const Labels shown{3, 0, 2, 0, 2};
    const Labels judged{3, 2, 0, 1, 2};
    CHECK(precision(shown, judged, {.k = 10}) == Approx(0.3));  // a list of 5 is short of 5 hits: 0.6 is another metric
    CHECK(recall(shown, judged, {.k = 3}) == 0.5);
    CHECK(recall(shown, judged, {.k = 5}) == 0.75);
    CHECK(precision(shown, judged, {.k = 4}) == 0.5);  // R-precision

    // Relevant from grade 2 on: the caller lowers the labels by one.
    CHECK(recall(Labels{2, 0, 1, 0, 1}, Labels{2, 1, 0, 0, 1}, {.k = 3}) == Approx(0.6667).epsilon(1e-4));
}

TEST_CASE("hits: the size of a label does not matter, nor the order of the judged items, nor the order within k") {
    const Labels shown{0.5F, 0, 3};
    for (const Metric metric : all_metrics) {
        const double value = metric(shown, Labels{3, 0.5F, 0, 1}, {.k = 3});
        CHECK(metric(Labels{1, 0, 1}, Labels{1, 1, 0, 1}, {.k = 3}) == value);
        CHECK(metric(shown, Labels{0, 1, 3, 0.5F}, {.k = 3}) == value);
        CHECK(metric(Labels{0, 3, 0.5F}, Labels{3, 0.5F, 0, 1}, {.k = 3}) == value);
        CHECK(metric(shown, Labels{3, 0.5F, 1}, {.k = 3}) == value);  // judged as not relevant, or not judged
    }
}

TEST_CASE("hits: no ranks, no items, nothing relevant") {
    for (const Metric metric : all_metrics) {
        CHECK(metric(Labels{1}, Labels{1}, {.k = 0}) == 0.0);
        CHECK(metric({}, Labels{1}, {.k = 10}) == 0.0);
        CHECK(metric({}, Labels{1}, {.k = 10, .if_nothing_relevant = 0.25}) == 0.0);
        CHECK(metric({}, {}, {}) == 0.0);
        CHECK(metric(Labels{0, 0}, Labels{0}, {.k = 10, .if_nothing_relevant = 0.25}) == 0.25);
    }
    CHECK(precision(Labels{1}, Labels{1}) == Approx(0.1));  // k is 10
    CHECK(recall(Labels{1}, Labels{1}) == 1.0);
}

TEST_CASE("hits: reject labels without a meaning, and hits that nobody judged") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    for (const Metric metric : all_metrics) {
        CHECK_THROWS_AS((void)metric(Labels{1, -1}, Labels{1}, {}), InvalidArgument);
        CHECK_THROWS_AS((void)metric(Labels{1}, Labels{nan, 1}, {}), InvalidArgument);
        CHECK_THROWS_AS((void)metric(Labels{1, 1}, Labels{1}, {.k = 1}), InvalidArgument);
        CHECK_THROWS_AS((void)metric(Labels{1, 1}, Labels{1, 0, 0}, {.k = 1}), InvalidArgument);
    }
    CHECK_THROWS_WITH_AS((void)recall(Labels{-1}, {}), "recall: labels must be finite and non-negative",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)hit_rate(Labels{1}, {}),
                         "hit_rate: judged must contain every relevant item that is shown", InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/ndcg.hpp>

#include "support/dies.hpp"

#include <funnel/core/math.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::metrics::dcg;
using funnel::metrics::ExponentialGain;
using funnel::metrics::LinearGain;
using funnel::metrics::ndcg;

namespace {

namespace testing = funnel::testing;

using Labels = std::vector<float>;

constexpr double six_digits = 1e-6;  // the published values are printed with six

// The definition, read word for word: the best DCG is found by trying every order of the judged items.
double ndcg_by_definition(const Labels& shown, Labels judged, std::size_t k, double (*gain)(double)) {
    const auto worth = [&](const Labels& order) {
        double sum = 0.0;
        for (std::size_t rank = 1; rank <= k && rank <= order.size(); ++rank) {
            sum += gain(order[rank - 1]) * std::log(2.0) / std::log(static_cast<double>(rank) + 1.0);
        }
        return sum;
    };
    std::sort(judged.begin(), judged.end());
    double best = 0.0;
    do {
        best = std::max(best, worth(judged));
    } while (std::next_permutation(judged.begin(), judged.end()));
    return best > 0.0 ? worth(shown) / best : 0.0;
}

}  // namespace

TEST_CASE("dcg: worked by hand") {
    // 3/log2(2) + 1/log2(3) + 2/log2(4)
    CHECK(dcg(Labels{3, 1, 2}, 3) == Approx(3.0 + 1.0 / std::log2(3.0) + 1.0));
    CHECK(dcg(Labels{3, 1, 2}, 1) == 3.0);
    CHECK(dcg(Labels{3, 1, 2}, 99) == dcg(Labels{3, 1, 2}, 3));
    CHECK(dcg(Labels{3, 1}, 1, ExponentialGain{}) == 7.0);  // 2^3 - 1
    CHECK(dcg(Labels{}, 10) == 0.0);
    CHECK(dcg(Labels{1}, 0) == 0.0);
}

TEST_CASE("ndcg: worked by hand") {
    // One of two relevant items, at rank 2:  (1/log2(3)) / (1 + 1/log2(3)) = 0.6309 / 1.6309
    CHECK(ndcg(Labels{0, 1, 0}, Labels{1, 1}, {.k = 3}) == Approx(0.630930 / 1.630930).epsilon(six_digits));
}

TEST_CASE("ndcg: agrees with the definition on random lists, the best order being the best of all orders") {
    Random random(20240607);
    for (int round = 0; round < 60; ++round) {
        Labels judged(random.below(6));
        for (float& label : judged) {
            label = static_cast<float>(random.below(4));
        }
        Labels shown = judged;  // in any order, cut off anywhere, with unjudged items in between
        random.shuffle(std::span(shown));
        shown.resize(random.below(judged.size() + 1));
        shown.insert(shown.begin() + static_cast<std::ptrdiff_t>(random.below(shown.size() + 1)), 0.0F);

        for (const std::size_t k : {1U, 2U, 3U, 10U}) {
            CAPTURE(round);
            CAPTURE(k);
            CHECK(ndcg(shown, judged, {.k = k}) ==
                  Approx(ndcg_by_definition(shown, judged, k, [](double label) { return label; })).epsilon(1e-12));
            CHECK(ndcg(shown, judged, {.k = k}, ExponentialGain{}) ==
                  Approx(ndcg_by_definition(shown, judged, k, [](double label) {
                      return std::pow(2.0, label) - 1.0;
                  })).epsilon(1e-12));
        }
    }
}

TEST_CASE("ndcg: the order of the judged items does not matter, the order shown does") {
    const Labels best{4, 3, 2, 1, 0};
    CHECK(ndcg(best, Labels{0, 2, 4, 1, 3}) == 1.0);
    for (std::size_t i = 0; i + 1 < best.size(); ++i) {
        Labels swapped = best;
        std::swap(swapped[i], swapped[i + 1]);
        CHECK(ndcg(swapped, best) < 1.0);
    }
}

TEST_CASE("ndcg: graded labels, as trec_eval computes it") {
    // Shown a, c, b, f, e; judged a=3, b=2, c=0, d=1, e=2; f is not judged, d is not shown.
    const Labels shown{3, 0, 2, 0, 2};
    const Labels judged{3, 2, 0, 1, 2};
    CHECK(ndcg(shown, judged, {.k = 3}) == Approx(0.760188).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 5}) == Approx(0.838590).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 3}, ExponentialGain{}) == Approx(0.817875).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 5}, ExponentialGain{}) == Approx(0.892557).epsilon(six_digits));
    CHECK(ndcg(shown, judged) == ndcg(shown, judged, {.k = 5}));  // trec_eval's ndcg without a cut: 0.8386
}

TEST_CASE("ndcg: is none of the variants that go by the same name") {
    const Labels shown{3, 0, 2, 0, 2};
    const Labels judged{3, 2, 0, 1, 2};
    // The best order of what was shown only, which forgives every miss.
    CHECK(dcg(shown, 5) / dcg(Labels{3, 2, 2}, 5) == Approx(0.907228).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 5}) < 0.9);
    // The best order not cut at k: a perfect list of k does not reach 1.
    CHECK(dcg(shown, 3) / dcg(Labels{3, 2, 2, 1}, 4) == Approx(0.702675).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 3}) > 0.75);
    CHECK(ndcg(Labels{3, 2, 2}, judged, {.k = 3}) == 1.0);
    // Ranks 1 and 2 weighing the same, log2(max(2, rank)): 0.757663 above, 0.5 and 0.619906 below, and 1 for a hit
    // at 2.
    CHECK(ndcg(shown, judged, {.k = 5}) > 0.8);
    CHECK(ndcg(Labels{0, 1}, Labels{1}) < 0.7);
}

TEST_CASE("ndcg: labels 0 and 1") {
    const Labels shown{1, 0, 1, 0, 0};  // two of three relevant items, at ranks 1 and 3
    const Labels judged{1, 1, 1};
    CHECK(ndcg(shown, judged, {.k = 2}) == Approx(0.613147).epsilon(six_digits));
    CHECK(ndcg(shown, judged, {.k = 5}) == Approx(0.703918).epsilon(six_digits));  // divided by k ones: 0.508740
    CHECK(ndcg(shown, judged, {.k = 5}, ExponentialGain{}) == ndcg(shown, judged, {.k = 5}));

    const Labels one_at_rank_2{0, 1, 0, 0, 0};
    CHECK(ndcg(one_at_rank_2, Labels{1}, {.k = 5}) == Approx(0.630930).epsilon(six_digits));  // by k ones: 0.213986
}

TEST_CASE("ndcg: equal scores are decided by the smaller id before any metric sees them") {
    const auto labels_in_order = [](std::vector<Scored<>> items, const Labels& label_of) {
        std::sort(items.begin(), items.end(), funnel::ranks_before);
        Labels labels;
        for (const Scored<>& item : items) {
            labels.push_back(label_of[item.id]);
        }
        return labels;
    };
    // Four items with one score, of which 0 is relevant. The larger id first, as others do it, gives 0.430677.
    const Labels first = labels_in_order({{3, 1.0F}, {0, 1.0F}, {2, 1.0F}, {1, 1.0F}}, {1, 0, 0, 0});
    CHECK(ndcg(first, Labels{1}) == 1.0);
    CHECK(ndcg(Labels{0, 0, 0, 1}, Labels{1}) == Approx(0.430677).epsilon(six_digits));
    // The mean over all orders, 0.640402, is the mean over the four places.
    double sum = 0.0;
    for (std::size_t place = 0; place < 4; ++place) {
        Labels shown(4, 0.0F);
        shown[place] = 1.0F;
        sum += ndcg(shown, Labels{1});
    }
    CHECK(sum / 4.0 == Approx(0.640402).epsilon(six_digits));

    // Only b (id 1) of a, b, c is relevant: tied with a it comes second, tied with c first. trec_eval, which prefers
    // the larger name, has 1.0 and 0.6309 the other way round.
    CHECK(ndcg(labels_in_order({{1, 1.0F}, {0, 1.0F}}, {0, 1, 0}), Labels{0, 1, 0}) ==
          Approx(0.630930).epsilon(six_digits));
    CHECK(ndcg(labels_in_order({{1, 1.0F}, {2, 1.0F}}, {0, 1, 0}), Labels{0, 1, 0}) == 1.0);
}

TEST_CASE("ndcg: the textbook example with two relevant items that were not shown") {
    // Six documents shown, eight judged: DCG = 6.861, best DCG = 8.740, as on Wikipedia's page on DCG.
    const Labels shown{3, 2, 3, 0, 1, 2};
    const Labels judged{3, 2, 3, 0, 1, 2, 3, 2};
    CHECK(dcg(shown, 6) == Approx(6.861).epsilon(1e-4));
    CHECK(ndcg(shown, judged, {.k = 6}) == Approx(0.785).epsilon(1e-3));
}

TEST_CASE("ndcg: only the first k ranks count, for what was shown and for the best order") {
    const Labels judged{1, 1, 1, 0, 0};
    CHECK(ndcg(Labels{1, 0, 1}, judged, {.k = 1}) == 1.0);
    CHECK(ndcg(Labels{0, 1, 1}, judged, {.k = 1}) == 0.0);
    CHECK(ndcg(Labels{1, 1}, judged, {.k = 5}) < 1.0);  // one relevant item was missed
    CHECK(ndcg(Labels{1, 1, 1}, judged, {.k = 0}) == 0.0);
}

TEST_CASE("ndcg: a user without relevant items gets the value the caller chose") {
    const Labels nothing(3, 0.0F);
    CHECK(ndcg(nothing, nothing) == 0.0);
    CHECK(ndcg(nothing, nothing, {.if_nothing_relevant = 1.0}) == 1.0);
    CHECK(ndcg({}, {}) == 0.0);
    CHECK(ndcg({}, Labels{1}, {.if_nothing_relevant = 1.0}) == 0.0);  // something was relevant, nothing shown
}

TEST_CASE("ndcg: rejects labels without a meaning, and hits that nobody judged") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    constexpr float infinity = std::numeric_limits<float>::infinity();
    for (const float label : {-1.0F, nan, infinity}) {
        CHECK_THROWS_AS((void)ndcg(Labels{1}, Labels{1, label}), InvalidArgument);
        CHECK_THROWS_AS((void)ndcg(Labels{1, label}, Labels{1, 1}), InvalidArgument);
        CHECK_THROWS_AS((void)dcg(Labels{label}, 1), InvalidArgument);
    }
    // The same item shown twice would count twice.
    CHECK_THROWS_WITH_AS((void)ndcg(Labels{1, 1}, Labels{1}),
                         "ndcg: judged must contain every relevant item that is shown", InvalidArgument);
}

TEST_CASE("ndcg: labels too large for powers of 2 are an error, never NaN") {
    constexpr float largest = std::numeric_limits<float>::max();
    CHECK(ndcg(Labels{largest, 1, largest}, Labels{1, largest, largest}) < 1.0);  // linear: any finite label will do
    CHECK(ndcg(Labels{512, 0, 512}, Labels{512, 512}, {}, ExponentialGain{}) == Approx(0.919721).epsilon(six_digits));
    for (const float label : {513.0F, 1025.0F, largest}) {
        CHECK_THROWS_AS((void)ndcg(Labels{label}, Labels{label}, {}, ExponentialGain{}), InvalidArgument);
        CHECK_THROWS_AS((void)ndcg(Labels{1}, Labels{1, label}, {}, ExponentialGain{}), InvalidArgument);
        CHECK_THROWS_AS((void)dcg(Labels{label}, 1, ExponentialGain{}), InvalidArgument);
    }
    CHECK_THROWS_AS((void)ExponentialGain{}(std::numeric_limits<float>::quiet_NaN()), InvalidArgument);
    CHECK_THROWS_WITH_AS((void)dcg(Labels{600}, 1, ExponentialGain{}),
                         "ExponentialGain: labels must be at most 512, got 600.000000", InvalidArgument);
    // The largest label against the smallest that 2^label can tell from 1, which breaks what ndcg asks: still a number.
    CHECK(funnel::math::is_finite(ndcg(Labels{512}, Labels{1e-15F}, {}, ExponentialGain{})));
}

TEST_CASE("ndcg: a gain of one's own that is not finite is an error") {
    const auto infinite = [](float label) { return label > 2.0F ? std::numeric_limits<double>::infinity() : 1.0; };
    const auto huge = [](float) { return std::numeric_limits<double>::max(); };
    CHECK_THROWS_WITH_AS((void)ndcg(Labels{1}, Labels{3}, {}, infinite), "dcg: gains and their sum must be finite",
                         InvalidArgument);
    CHECK_THROWS_AS((void)ndcg(Labels{3}, Labels{3}, {}, infinite), InvalidArgument);
    CHECK_THROWS_AS((void)dcg(Labels{3, 3}, 2, huge), InvalidArgument);
}

#if FUNNEL_CHECKS
TEST_CASE("ndcg: with checks on, rank 0 and a gain that falls are found") {
    CHECK(testing::dies([] { (void)funnel::metrics::discount(0); }, "rank > 0"));
    const auto falling = [](float label) { return 1.0 / (1.0 + static_cast<double>(label)); };
    CHECK(testing::dies([&] { (void)ndcg(Labels{1}, Labels{1, 2}, {}, falling); }, "gain(best[i - 1])"));
}
#endif

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/evaluate_run.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/precision_recall.hpp>
#include <funnel/metrics/ties.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::data::Judgement;
using funnel::data::RunRow;
using namespace funnel::metrics;

namespace {

using Rows = std::vector<RunRow<>>;
using Judgements = std::vector<Judgement<>>;

RunReport<std::string> evaluated(const Rows& run, const Judgements& judgements, std::vector<std::size_t> cutoffs,
                                 const Conventions& conventions = {}) {
    return evaluate_run(run, judgements, {.cutoffs = std::move(cutoffs), .conventions = conventions});
}

// The items a, c, b, f, e in this order; a = 3, b = 2, c = 0, d = 1, e = 2 are judged, f is not.
const Rows graded_run{{"q", "a", 5}, {"q", "c", 4}, {"q", "b", 3}, {"q", "f", 2}, {"q", "e", 1}};
const Judgements graded{{"q", "a", 3}, {"q", "b", 2}, {"q", "c", 0}, {"q", "d", 1}, {"q", "e", 2}};

// A list of distinct items, the first ones with these labels, and further relevant items that it misses.
RunReport<std::string> of_hits(const std::vector<int>& hits, std::size_t relevant, std::size_t k,
                               const Conventions& conventions) {
    Rows run;
    Judgements judgements;
    for (std::size_t i = 0; i < hits.size(); ++i) {
        run.push_back({"q", std::to_string(i), -static_cast<double>(i)});
        if (hits[i] > 0) {
            judgements.push_back({"q", std::to_string(i), 1});
        }
    }
    while (judgements.size() < relevant) {
        judgements.push_back({"q", "missed " + std::to_string(judgements.size()), 1});
    }
    return evaluated(run, judgements, {k}, conventions);
}

Conventions with(APDenominator denominator) {
    Conventions conventions;
    conventions.average_precision = denominator;
    return conventions;
}

Conventions with(TieOrder ties) {
    Conventions conventions;
    conventions.ties = ties;
    return conventions;
}

}  // namespace

TEST_CASE("evaluate_run: graded labels, with the values of trec_eval 10") {
    const auto report = evaluated(graded_run, graded, {3, 5, 10, no_cutoff}, compat::trec_eval);
    CHECK(report.at("ndcg@3") == Approx(0.760188).epsilon(1e-6));
    CHECK(report.at("ndcg@5") == Approx(0.838590).epsilon(1e-6));
    CHECK(report.at("ndcg") == Approx(0.838590).epsilon(1e-6));
    CHECK(report.at("map") == Approx(0.566667).epsilon(1e-6));
    CHECK(report.at("map@3") == Approx(0.416667).epsilon(1e-6));
    CHECK(report.at("precision@10") == Approx(0.3));
    CHECK(report.at("recall@3") == 0.5);
    CHECK(report.at("recall@5") == 0.75);

    Conventions level_two = compat::trec_eval;
    level_two.relevant_above = 1.0F;
    const auto strict = evaluated(graded_run, graded, {3, no_cutoff}, level_two);
    CHECK(strict.at("map") == Approx(0.755556).epsilon(1e-6));
    CHECK(strict.at("recall@3") == Approx(0.666667).epsilon(1e-6));
    CHECK(strict.at("ndcg@3") == report.at("ndcg@3"));
}

TEST_CASE("evaluate_run: exponential gain, uncut ideal list, clipped discount") {
    Conventions conventions;
    conventions.gain = GainKind::Exponential;
    CHECK(evaluated(graded_run, graded, {3}, conventions).at("ndcg@3") == Approx(0.817875).epsilon(1e-6));
    CHECK(evaluated(graded_run, graded, {5}, conventions).at("ndcg@5") == Approx(0.892557).epsilon(1e-6));
    conventions = {};
    conventions.ideal = IdealList::Uncut;
    CHECK(evaluated(graded_run, graded, {3}, conventions).at("ndcg@3") == Approx(0.702675).epsilon(1e-6));
    CHECK(evaluated(graded_run, graded, {5}, compat::lenskit).at("ndcg@5") == Approx(0.757663).epsilon(1e-6));
}

TEST_CASE("evaluate_run: labels 0 and 1, every divisor") {
    // Hits at ranks 1 and 3 of five; three relevant items.
    const std::vector<int> hits{1, 0, 1, 0, 0};
    const auto funnels = of_hits(hits, 3, 2, {});
    CHECK(funnels.at("precision@2") == 0.5);
    CHECK(funnels.at("recall@2") == Approx(1.0 / 3));
    CHECK(funnels.at("capped_recall@2") == 0.5);
    CHECK(funnels.at("ndcg@2") == Approx(.613147).epsilon(1e-6));
    CHECK(of_hits(hits, 3, 2, with(APDenominator::Relevant)).at("map@2") == Approx(1.0 / 3));
    CHECK(of_hits(hits, 3, 2, with(APDenominator::Possible)).at("map@2") == 0.5);
    CHECK(of_hits(hits, 3, 2, with(APDenominator::Cutoff)).at("map@2") == 0.5);
    CHECK(of_hits(hits, 3, 2, with(APDenominator::Hits)).at("map@2") == 1.0);
    CHECK(of_hits(hits, 3, 2, compat::lenskit).at("ndcg@2") == 0.5);

    CHECK(of_hits(hits, 3, 5, {}).at("precision@5") == 0.4);
    CHECK(of_hits(hits, 3, 5, {}).at("recall@5") == Approx(2.0 / 3));
    CHECK(of_hits(hits, 3, 5, {}).at("ndcg@5") == Approx(.703918).epsilon(1e-6));
    CHECK(of_hits(hits, 3, 5, compat::rectools).at("ndcg@5") == Approx(.508740).epsilon(1e-6));
    CHECK(of_hits(hits, 3, 5, compat::lenskit).at("ndcg@5") == Approx(.619906).epsilon(1e-6));
    CHECK(of_hits(hits, 3, 5, compat::ranx).at("map@5") == Approx(.555556).epsilon(1e-6));
    CHECK(of_hits(hits, 3, 5, with(APDenominator::Cutoff)).at("map@5") == Approx(1.0 / 3));
    CHECK(of_hits(hits, 3, 5, with(APDenominator::Hits)).at("map@5") == Approx(.833333).epsilon(1e-6));
    CHECK(of_hits(hits, 9, 7, with(APDenominator::Shown)).at("map@7") == Approx((1 + 2.0 / 3) / 5));
}

TEST_CASE("evaluate_run: precision of a short list") {
    const std::vector<int> hits{1, 0};
    CHECK(of_hits(hits, 4, 5, {}).at("precision@5") == 0.2);
    CHECK(of_hits(hits, 4, 5, compat::lenskit).at("precision@5") == 0.5);
    CHECK(of_hits(hits, 4, 5, compat::lenskit).at("recall@5") == 0.25);
    CHECK(of_hits(hits, 4, 2, compat::lenskit).at("recall@2") == 0.5);
    CHECK(of_hits(hits, 4, no_cutoff, {}).at("precision") == 0.5);
}

TEST_CASE("evaluate_run: a hit at rank 2 of LensKit's discount looks like a hit at rank 1") {
    const std::vector<int> hits{0, 1, 0, 0, 0};
    CHECK(of_hits(hits, 1, 5, {}).at("ndcg@5") == Approx(.630930).epsilon(1e-6));
    CHECK(of_hits(hits, 1, 5, compat::rectools).at("ndcg@5") == Approx(.213986).epsilon(1e-6));
    CHECK(of_hits(hits, 1, 5, compat::lenskit).at("ndcg@5") == 1.0);
}

TEST_CASE("evaluate_run: a perfect list of few relevant items does not reach 1 in RecTools") {
    CHECK(of_hits({1, 0, 0, 0, 0}, 1, 5, compat::rectools).at("ndcg@5") < 0.4);
    CHECK(of_hits({1, 0, 0, 0, 0}, 1, 5, {}).at("ndcg@5") == 1.0);
}

TEST_CASE("evaluate_run: the precision of implicit weighs users with many test items more") {
    // User a: 1 hit of 1 relevant; user b: no hit of 3 relevant.
    const Rows run{{"a", "1", 2}, {"a", "2", 1}, {"b", "8", 2}, {"b", "9", 1}};
    const Judgements judgements{{"a", "1", 1}, {"b", "1", 1}, {"b", "2", 1}, {"b", "3", 1}};
    CHECK(evaluated(run, judgements, {2}, compat::implicit).at("precision@2") == Approx(1.0 / 3));
    CHECK(evaluated(run, judgements, {2}).at("precision@2") == 0.25);
}

TEST_CASE("evaluate_run: all scores equal, four items, the first is relevant") {
    const Rows run{{"q", "2", 1}, {"q", "0", 1}, {"q", "3", 1}, {"q", "1", 1}};
    const Judgements judgements{{"q", "0", 1}};
    const auto ndcg = [&](const Conventions& c) { return evaluated(run, judgements, {4}, c).at("ndcg@4"); };
    const auto mrr = [&](const Conventions& c) { return evaluated(run, judgements, {4}, c).at("mrr@4"); };
    CHECK(ndcg({}) == 1.0);
    CHECK(mrr({}) == 1.0);
    for (const Conventions& larger : {compat::trec_eval, compat::implicit, with(TieOrder::Pessimistic)}) {
        CHECK(ndcg(larger) == Approx(.430677).epsilon(1e-6));
        CHECK(mrr(larger) == 0.25);
    }
    CHECK(ndcg(compat::sklearn) == Approx(.640402).epsilon(1e-6));
    CHECK(mrr(compat::sklearn) == Approx(.520833).epsilon(1e-6));
    CHECK(ndcg(with(TieOrder::Optimistic)) == 1.0);
}

TEST_CASE("evaluate_run: trec_eval gives the larger document number the better rank among equal scores") {
    const Judgements judgements{{"q", "a", 0}, {"q", "b", 1}, {"q", "c", 0}};
    const Rows first{{"q", "b", 1}, {"q", "a", 1}};
    const Rows second{{"q", "b", 1}, {"q", "c", 1}};
    CHECK(evaluated(first, judgements, {no_cutoff}, compat::trec_eval).at("ndcg") == 1.0);
    CHECK(evaluated(second, judgements, {no_cutoff}, compat::trec_eval).at("ndcg") == Approx(.630930).epsilon(1e-6));
}

TEST_CASE("evaluate_run: agrees with the functions of one list on random runs, for every order of ties") {
    Random random(1);
    for (int round = 0; round < 40; ++round) {
        std::vector<RunRow<std::uint32_t>> run;
        std::vector<Judgement<std::uint32_t>> judgements;
        std::vector<float> judged;
        for (std::uint32_t item = 0; item < 12; ++item) {
            if (random.below(4) > 0) {
                run.push_back({7, item, static_cast<double>(random.below(4))});
            }
            if (random.below(3) > 0) {
                judged.push_back(static_cast<float>(random.below(4)));
                judgements.push_back({7, item, judged.back()});
            }
        }
        judgements.push_back({7, 99, 1});
        judged.push_back(1);
        std::vector<RunRow<std::uint32_t>> sorted = run;
        std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
            return a.score != b.score ? a.score > b.score : a.item < b.item;
        });
        std::vector<float> scores;
        std::vector<float> shown;
        for (const auto& row : sorted) {
            scores.push_back(static_cast<float>(row.score));
            shown.push_back(0);
            for (const auto& judgement : judgements) {
                shown.back() = judgement.item == row.item ? judgement.label : shown.back();
            }
        }
        random.shuffle(std::span(run));
        random.shuffle(std::span(judgements));
        for (const std::size_t k : {1U, 5U, 20U}) {
            const std::string at = "@" + std::to_string(k);
            const auto check = [&](TieOrder ties, const std::vector<float>& labels) {
                const auto report = evaluate_run(run, judgements, {.cutoffs = {k}, .conventions = with(ties)});
                CHECK(report.at("ndcg" + at) == Approx(ndcg(labels, judged, {.k = k})));
                CHECK(report.at("precision" + at) == Approx(precision(labels, judged, {.k = k})));
                CHECK(report.at("recall" + at) == Approx(recall(labels, judged, {.k = k})));
                CHECK(report.at("capped_recall" + at) == Approx(capped_recall(labels, judged, {.k = k})));
                CHECK(report.at("hit_rate" + at) == Approx(hit_rate(labels, judged, {.k = k})));
                CHECK(report.at("mrr" + at) == Approx(reciprocal_rank(labels, judged, {.k = k})));
                CHECK(report.at("map" + at) == Approx(average_precision(labels, judged, {.k = k})));
            };
            check(TieOrder::SmallerId, shown);
            check(TieOrder::Optimistic, optimistic(scores, shown));
            check(TieOrder::Pessimistic, pessimistic(scores, shown));
            const auto mean = evaluate_run(run, judgements, {.cutoffs = {k}, .conventions = with(TieOrder::Expected)});
            CHECK(mean.at("ndcg" + at) == Approx(expected::ndcg(scores, shown, judged, {.k = k})));
            CHECK(mean.at("map" + at) == Approx(expected::average_precision(scores, shown, judged, {.k = k})));
            CHECK(mean.at("mrr" + at) == Approx(expected::reciprocal_rank(scores, shown, judged, {.k = k})));
            CHECK(mean.at("hit_rate" + at) == Approx(expected::hit_rate(scores, shown, judged, {.k = k})));
        }
    }
}

TEST_CASE("evaluate_run: queries without a list count 0, or are left out as trec_eval 9 does") {
    const Rows run{{"b", "1", 1}, {"x", "1", 1}, {"x", "2", 1}, {"a0", "1", 1}};
    const Judgements judgements{{"a", "1", 1}, {"b", "1", 1}, {"c", "1", 0}, {"c", "2", -1}};
    const auto report = evaluated(run, judgements, {5});
    CHECK(report.users() == 2);
    CHECK(report.at("recall@5") == 0.5);
    CHECK(report.counts().missing == 1);
    CHECK(report.counts().without_relevant == 1);
    CHECK(report.counts().unjudged == 2);
    REQUIRE(report.queries().size() == 2);
    CHECK(report.queries()[0] == "a");
    CHECK(report.per_query("recall@5")[1] == 1.0);
    CHECK_THROWS_AS(static_cast<void>(report.per_query("recall@6")), InvalidArgument);
    const auto skipping = evaluated(run, judgements, {5}, compat::trec_eval);
    CHECK(skipping.users() == 1);
    CHECK(skipping.at("recall@5") == 1.0);
    CHECK(skipping.counts().missing == 1);
}

TEST_CASE("evaluate_run: a label below 0 is not relevant, and takes nothing from NDCG") {
    const Rows run{{"q", "spam", 2}, {"q", "a", 1}};
    CHECK(evaluated(run, {{"q", "spam", -2}, {"q", "a", 1}}, {2}).at("ndcg@2") ==
          evaluated(run, {{"q", "spam", 0}, {"q", "a", 1}}, {2}).at("ndcg@2"));
    CHECK(evaluated(run, {{"q", "spam", -2}, {"q", "a", 1}}, {2}).at("precision@2") == 0.5);
}

TEST_CASE("evaluate_run: users without recommendations do not vanish from the mean") {  // Microsoft recommenders
    const Judgements judgements{{"a", "1", 1}, {"b", "1", 1}};
    CHECK(evaluated({{"a", "1", 1}}, judgements, {1}).at("recall@1") == 0.5);
}

TEST_CASE("evaluate_run: a list without a hit has the reciprocal rank 0") {  // Cornac throws
    CHECK(evaluated({{"a", "2", 1}}, {{"a", "1", 1}}, {5}).at("mrr@5") == 0.0);
}

TEST_CASE("evaluate_run: a query in the judgements but not in the run does not end the evaluation") {  // trec_eval 10
    CHECK(evaluated({}, {{"a", "1", 1}}, {5}).at("ndcg@5") == 0.0);
    CHECK(evaluated({}, {{"a", "1", 1}}, {5}, compat::trec_eval).users() == 0);
}

#ifndef __FAST_MATH__
TEST_CASE("evaluate_run: items with a NaN score rank last, behind minus infinity, and are counted") {
    const double missing = std::numeric_limits<double>::quiet_NaN();
    const double lowest = -std::numeric_limits<double>::infinity();
    const Rows run{{"q", "a", missing}, {"q", "b", lowest}, {"q", "c", 1}, {"q", "d", missing}};
    const Judgements judgements{{"q", "a", 1}};
    const auto report = evaluated(run, judgements, {4});
    CHECK(report.at("mrr@4") == Approx(1.0 / 3));
    CHECK(report.counts().nan_scores == 2);
    CHECK(evaluated(run, judgements, {4}, with(TieOrder::Pessimistic)).at("mrr@4") == 0.25);
    CHECK(evaluated(run, judgements, {4}, with(TieOrder::Expected)).at("mrr@4") == Approx((1.0 / 3 + 0.25) / 2));
}
#endif

TEST_CASE("evaluate_run: rejects items that occur twice, bad labels and options") {
    const Rows twice{{"q", "a", 1}, {"q", "b", 3}, {"q", "a", 2}};
    CHECK_THROWS_WITH_AS(static_cast<void>(evaluated(twice, graded, {1})),
                         "evaluate_run: run must have each item once per query, got \"a\" twice for \"q\"",
                         InvalidArgument);
    const Judgements judged_twice{{"q", "a", 1}, {"q", "a", 1}};
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, judged_twice, {1})), InvalidArgument);
    const Judgements infinite{{"q", "a", std::numeric_limits<float>::infinity()}};
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, infinite, {1})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, graded, {})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, graded, {0})), InvalidArgument);
    Conventions conventions;
    conventions.relevant_above = -1.0F;
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, graded, {1}, conventions)), InvalidArgument);
    conventions = compat::sklearn;
    conventions.average_precision = APDenominator::Hits;
    CHECK_THROWS_AS(static_cast<void>(evaluated(graded_run, graded, {1}, conventions)), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/metrics/evaluate.hpp>

#include <funnel/core/math.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/metrics/average_precision.hpp>
#include <funnel/metrics/coverage.hpp>
#include <funnel/metrics/graded.hpp>
#include <funnel/metrics/ndcg.hpp>
#include <funnel/metrics/novelty.hpp>
#include <funnel/metrics/precision_recall.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <type_traits>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Random;
using funnel::Scored;
using funnel::Threads;
using funnel::data::Interaction;
using funnel::data::Interactions;
using funnel::metrics::evaluate;
using funnel::metrics::Report;

namespace {

struct Options {
    std::size_t k = 10;
};

// Answers with lists written down beforehand, cut at k.
struct Scripted {
    std::vector<std::vector<Scored<>>> lists;

    std::vector<Scored<>> recommend(std::uint32_t user, const Options& options) const {
        const auto& list = lists[user];
        return {list.begin(), list.begin() + static_cast<std::ptrdiff_t>(std::min(options.k, list.size()))};
    }
};

// Answers with the same list, whatever it is asked.
template <class List>
struct Stubborn {
    List list;
    List recommend(std::uint32_t, const Options&) const { return list; }
};

std::vector<Scored<>> ranked(const std::vector<std::uint32_t>& items) {
    std::vector<Scored<>> list;
    for (const std::uint32_t item : items) {
        list.push_back({item, 1.0F - 0.01F * static_cast<float>(list.size())});
    }
    return list;
}

struct World {
    Interactions train;
    Interactions test;
    Scripted model;
};

// Cold users, repeated rows, rows known from training, users without test rows, short and empty lists, seen items
// shown.
World random_world(std::uint64_t seed, std::uint32_t users, std::uint32_t items) {
    Random random(seed);
    std::vector<Interaction> train;
    std::vector<Interaction> test;
    World world;
    for (std::uint32_t user = 0; user < users; ++user) {
        const auto item = [&] { return static_cast<std::uint32_t>(random.below(items) * random.below(items) / items); };
        for (std::uint64_t n = random.below(4) * random.below(4); n > 0; --n) {
            train.push_back({user, item()});
        }
        for (std::uint64_t n = random.below(8); n > 0; --n) {
            test.push_back({user, item()});
        }
        std::vector<std::uint32_t> order(items);
        for (std::uint32_t i = 0; i < items; ++i) {
            order[i] = i;
        }
        random.shuffle(std::span(order));
        order.resize(std::min<std::size_t>(items, random.below(items + 4)));
        world.model.lists.push_back(ranked(order));
    }
    random.shuffle(std::span(train));
    random.shuffle(std::span(test));
    world.train = Interactions::from_ids(train, users, items);
    world.test = Interactions::from_ids(test, users, items);
    return world;
}

// The slow way: sets, the functions of the other headers, one user, metric and cut-off after the other.
std::map<std::string, double> evaluate_slowly(const World& world, const std::vector<std::size_t>& cutoffs,
                                              bool with_warm, bool with_cold) {
    std::map<std::uint32_t, std::set<std::uint32_t>> seen;
    std::map<std::uint32_t, std::set<std::uint32_t>> wanted;
    for (const Interaction& row : world.train) {
        seen[row.user].insert(row.item);
    }
    for (const Interaction& row : world.test) {
        if (seen.count(row.user) == 0 || seen[row.user].count(row.item) == 0) {
            wanted[row.user].insert(row.item);
        }
    }
    std::vector<std::uint32_t> users_of_item(world.train.items(), 0);
    for (const auto& [user, items] : seen) {
        for (const std::uint32_t item : items) {
            ++users_of_item[item];
        }
    }

    std::map<std::string, double> figures;
    for (const std::size_t k : cutoffs) {
        const std::string at = "@" + std::to_string(k);
        std::map<std::string, std::vector<double>> values;
        std::vector<std::vector<Scored<>>> lists;
        for (const auto& [user, items] : wanted) {
            if (seen.count(user) != 0 ? !with_warm : !with_cold) {
                continue;
            }
            lists.push_back(world.model.recommend(user, {.k = k}));
            std::vector<float> shown;
            for (const Scored<>& entry : lists.back()) {
                shown.push_back(items.count(entry.id) != 0 ? 1.0F : 0.0F);
            }
            const std::vector<float> judged(items.size(), 1.0F);
            values["ndcg"].push_back(funnel::metrics::ndcg(shown, judged, {.k = k}));
            values["precision"].push_back(funnel::metrics::precision(shown, judged, {.k = k}));
            values["recall"].push_back(funnel::metrics::recall(shown, judged, {.k = k}));
            values["capped_recall"].push_back(funnel::metrics::capped_recall(shown, judged, {.k = k}));
            values["hit_rate"].push_back(funnel::metrics::hit_rate(shown, judged, {.k = k}));
            values["mrr"].push_back(funnel::metrics::reciprocal_rank(shown, judged, {.k = k}));
            values["map"].push_back(funnel::metrics::average_precision(shown, judged, {.k = k}));
            values["rbp"].push_back(funnel::metrics::rank_biased_precision(shown, {.k = k}));
            values["err"].push_back(funnel::metrics::expected_reciprocal_rank(shown, {.k = k, .largest_label = 1.0F}));
            if (!shown.empty()) {
                values["novelty"].push_back(funnel::metrics::novelty(lists.back(), users_of_item, seen.size()));
            }
        }
        for (const auto& [name, column] : values) {
            double sum = 0.0;
            for (const double value : column) {
                sum += value;
            }
            figures[name + at] = sum / static_cast<double>(column.size());
        }
        const auto counts = funnel::metrics::count_shown(lists, world.train.items());
        figures["coverage" + at] = funnel::metrics::coverage(counts);
        figures["gini" + at] = funnel::metrics::gini(counts);
        figures["entropy" + at] = funnel::metrics::entropy(counts);
        figures["users"] = static_cast<double>(lists.size());
    }
    return figures;
}

bool same_bits(const Report& a, const Report& b) {
    const auto same = [](double x, double y) {
        return std::bit_cast<std::uint64_t>(x) == std::bit_cast<std::uint64_t>(y);
    };
    if (a.figures().size() != b.figures().size() || a.users() != b.users()) {
        return false;
    }
    for (const auto& figure : a.figures()) {
        if (!same(figure.value, b.at(figure.name)) || !same(figure.standard_error, b.standard_error(figure.name)) ||
            !same(a.warm().at(figure.name), b.warm().at(figure.name)) ||
            !same(a.cold().at(figure.name), b.cold().at(figure.name))) {
            return false;
        }
    }
    return true;
}

}  // namespace

TEST_CASE("evaluate: worked by hand") {
    // Five items. User 0 has item 0 and wants 1 and 2; user 1 has nothing and wants 3; user 2 is not in the test.
    const Interactions train = Interactions::from_ids({{0, 0}, {2, 0}, {2, 4}}, 3, 5);
    const Interactions test = Interactions::from_ids({{0, 1}, {0, 2}, {1, 3}}, 3, 5);
    const Scripted model{{ranked({1, 4, 2}), ranked({4}), ranked({0})}};

    const Report report = evaluate(model, train, test, {.cutoffs = {2, 3}});

    CHECK(report.users() == 2);
    CHECK(report.warm_users() == 1);
    CHECK(report.cold_users() == 1);
    CHECK(report.warm().at("precision@2") == 0.5);                        // 1 of 2 places
    CHECK(report.at("precision@2") == 0.25);                              // user 1 has none
    CHECK(report.at("precision@3") == Approx(1.0 / 3.0));                 // 2 of 3, and none
    CHECK(report.warm().at("recall@2") == 0.5);                           // 1 of 2 wanted
    CHECK(report.at("hit_rate@2") == 0.5);                                //
    CHECK(report.cold().at("recall@3") == 0.0);                           //
    CHECK(report.warm().at("map@3") == Approx(5.0 / 6.0));                // (1 + 2/3) / 2
    CHECK(report.warm().at("mrr@3") == 1.0);                              //
    CHECK(report.warm().at("ndcg@3") == Approx(0.919721).epsilon(1e-6));  // 1.5 / (1 + 0.630930)
    // Lists 1 4 and 4: items 1 and 4 of five, shown once and twice.
    CHECK(report.at("coverage@2") == 0.4);
    CHECK(report.at("gini@2") == Approx((2.0 * 1 + 4.0 * 2) / (5.0 * 3)));
    CHECK(report.at("entropy@2") == Approx(0.918296).epsilon(1e-6));  // 1/3 log2(3) + 2/3 log2(3/2)
    CHECK(report.warm().at("coverage@3") == Approx(0.6));
    // Two users in training: item 4 is known by one (1 bit), item 1 by nobody, counted as one (1 bit).
    CHECK(report.at("novelty@2") == 1.0);
    // Values 0.5 and 0 for two users: deviation 0.25 * sqrt(2), over sqrt(2).
    CHECK(report.standard_error("precision@2") == Approx(0.25));

    REQUIRE(report.user_ids().size() == 2);
    CHECK(report.user_ids()[1] == 1);
    CHECK(report.per_user("recall@3")[0] == 1.0);
    CHECK(report.per_user("recall@3")[1] == 0.0);
    CHECK_THROWS_AS((void)report.per_user("coverage@2"), InvalidArgument);
}

TEST_CASE("evaluate: agrees with the slow way on random worlds, for all users, the warm and the cold") {
    const std::vector<std::size_t> cutoffs{1, 3, 5, 40};
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        const World world = random_world(seed, seed == 3 ? 2000 : 60, 15);  // 2000: in several rounds
        const Report report = evaluate(world.model, world.train, world.test, {.cutoffs = cutoffs});

        const auto agrees = [&](const funnel::metrics::Summary& summary, bool with_warm, bool with_cold) {
            const auto expected = evaluate_slowly(world, cutoffs, with_warm, with_cold);
            CHECK(static_cast<double>(summary.users()) == expected.at("users"));
            CHECK(summary.figures().size() == expected.size() - 1);
            for (const auto& figure : summary.figures()) {
                CAPTURE(figure.name);
                CHECK(figure.value == Approx(expected.at(figure.name)).epsilon(1e-13));
            }
        };
        CHECK(report.cold_users() > 3);
        agrees(report, true, true);
        agrees(report.warm(), true, false);
        agrees(report.cold(), false, true);
    }
}

TEST_CASE("evaluate: a user's values are those of the functions, to the last bit") {
    const World world = random_world(4, 40, 12);
    const Report report = evaluate(world.model, world.train, world.test, {.cutoffs = {4}});
    const funnel::metrics::GroundTruth truth(world.train, world.test);
    for (std::size_t position = 0; position < truth.size(); ++position) {
        const auto relevant = truth.relevant(position);
        std::vector<float> shown;
        for (const Scored<>& entry : world.model.recommend(truth.user_ids()[position], {.k = 4})) {
            shown.push_back(std::find(relevant.begin(), relevant.end(), entry.id) != relevant.end() ? 1.0F : 0.0F);
        }
        const std::vector<float> judged(relevant.size(), 1.0F);
        CHECK(report.per_user("ndcg@4")[position] == funnel::metrics::ndcg(shown, judged, {.k = 4}));
        CHECK(report.per_user("map@4")[position] == funnel::metrics::average_precision(shown, judged, {.k = 4}));
    }
}

TEST_CASE("evaluate: with values as labels, a user's figures are those of the functions on these labels") {
    using funnel::metrics::GainKind;
    using funnel::metrics::Relevance;
    World world = random_world(8, 80, 12);
    std::vector<Interaction> rows(world.test.begin(), world.test.end());
    Random random(3);
    for (Interaction& row : rows) {
        row.value = static_cast<float>(random.below(6)) - 1.0F;  // -1 .. 4; <= 0 is not relevant
    }
    world.test = Interactions::from_ids(rows, 80, 12);
    for (const GainKind gain : {GainKind::Linear, GainKind::Exponential}) {
        const Report report = evaluate(world.model, world.train, world.test,
                                       {.cutoffs = {4, 9}, .relevance = Relevance::Values, .gain = gain});
        std::size_t evaluated = 0;
        for (std::uint32_t user = 0; user < 80; ++user) {
            std::map<std::uint32_t, float> labels;
            for (const Interaction& row : rows) {
                if (row.user == user) {
                    labels[row.item] = std::max(0.0F, row.value);  // the last row counts
                }
            }
            for (const Interaction& row : world.train) {
                if (row.user == user) {
                    labels.erase(row.item);
                }
            }
            std::vector<float> judged;
            for (const auto& [item, label] : labels) {
                judged.push_back(label);
            }
            if (std::none_of(judged.begin(), judged.end(), [](float label) { return label > 0.0F; })) {
                continue;
            }
            REQUIRE(report.user_ids()[evaluated] == user);
            for (const std::size_t k : {4U, 9U}) {
                std::vector<float> shown;
                for (const Scored<>& entry : world.model.recommend(user, {.k = k})) {
                    shown.push_back(labels.count(entry.id) != 0 ? labels[entry.id] : 0.0F);
                }
                const std::string at = "@" + std::to_string(k);
                const double ndcg =
                    gain == GainKind::Linear
                        ? funnel::metrics::ndcg(shown, judged, {.k = k})
                        : funnel::metrics::ndcg(shown, judged, {.k = k}, funnel::metrics::ExponentialGain{});
                CHECK(report.per_user("ndcg" + at)[evaluated] == Approx(ndcg).epsilon(1e-14));
                CHECK(report.per_user("recall" + at)[evaluated] == funnel::metrics::recall(shown, judged, {.k = k}));
                CHECK(report.per_user("map" + at)[evaluated] ==
                      Approx(funnel::metrics::average_precision(shown, judged, {.k = k})).epsilon(1e-14));
                CHECK(report.per_user("err" + at)[evaluated] ==
                      Approx(funnel::metrics::expected_reciprocal_rank(shown, {.k = k})).epsilon(1e-14));
                CHECK(report.per_user("rbp" + at)[evaluated] ==
                      Approx(funnel::metrics::rank_biased_precision(shown, {.k = k})).epsilon(1e-14));
            }
            ++evaluated;
        }
        CHECK(report.users() == evaluated);
        CHECK(evaluated > 30);
    }
}

TEST_CASE("evaluate: rejects a persistence outside (0, 1), and labels too large for the exponential gain") {
    using funnel::metrics::GainKind;
    using funnel::metrics::Relevance;
    const Interactions train = Interactions::from_ids({}, 1, 2);
    const Interactions test = Interactions::from_ids({{0, 1, 600.0F}}, 1, 2);
    const Scripted model{{ranked({1})}};
    CHECK_THROWS_AS(static_cast<void>(evaluate(model, train, test, {.persistence = 1.0})), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(
                        evaluate(model, train, test, {.relevance = Relevance::Values, .gain = GainKind::Exponential})),
                    InvalidArgument);
    CHECK(evaluate(model, train, test, {.relevance = Relevance::Values}).at("ndcg@10") == 1.0);
    CHECK(evaluate(model, train, test, {.gain = GainKind::Exponential}).at("ndcg@10") == 1.0);
}

TEST_CASE("evaluate: the number of threads changes no bit") {
    const World world = random_world(5, 3000, 30);  // more users than go between two reports of progress
    const Report serial = evaluate(world.model, world.train, world.test, {.cutoffs = {10, 3}});
    for (const std::size_t count : {1U, 2U, 4U}) {
        Threads pool(count);
        CHECK(same_bits(serial, evaluate(world.model, world.train, world.test, {.cutoffs = {10, 3}}, pool)));
    }
}

TEST_CASE("evaluate: asks each user of the test once, with the largest cut-off") {
    struct Counting {
        mutable std::vector<std::uint32_t> asked;
        std::vector<Scored<>> recommend(std::uint32_t user, const Options& options) const {
            CHECK(options.k == 7);
            asked.push_back(user);
            return {};
        }
    };
    const Counting model;
    const Interactions train = Interactions::from_ids({{0, 0}, {3, 1}}, 4, 2);
    const Interactions test = Interactions::from_ids({{2, 1}, {0, 1}, {2, 0}, {3, 1}}, 4, 2);
    const Report report = evaluate(model, train, test, {.cutoffs = {2, 7, 2}});
    CHECK(model.asked == std::vector<std::uint32_t>{0, 2});  // user 3 wants nothing new
    CHECK(report.skipped_users() == 1);
    CHECK(report.figures().size() == 2 * 13);
    CHECK(report.at("ndcg@7") == 0.0);
    CHECK(report.at("coverage@7") == 0.0);
    CHECK(funnel::math::is_nan(report.at("novelty@7")));
    CHECK(funnel::math::is_nan(report.at("gini@7")));
}

TEST_CASE("evaluate: a better place for a hit raises what looks at ranks and leaves the rest") {
    const Interactions train = Interactions::from_ids({}, 1, 6);
    const Interactions test = Interactions::from_ids({{0, 1}, {0, 2}}, 1, 6);
    const auto report_of = [&](const std::vector<std::uint32_t>& list) {
        return evaluate(Scripted{{ranked(list)}}, train, test, {.cutoffs = {3}});
    };
    const Report late = report_of({5, 1, 2});
    const Report early = report_of({1, 5, 2});
    for (const char* name : {"ndcg@3", "map@3", "mrr@3"}) {
        CHECK(early.at(name) > late.at(name));
    }
    for (const char* name : {"precision@3", "recall@3", "capped_recall@3", "hit_rate@3", "coverage@3"}) {
        CHECK(early.at(name) == late.at(name));
    }
    CHECK(report_of({2, 1}).at("ndcg@3") == 1.0);
    CHECK(report_of({2, 1}).at("map@3") == 1.0);
    CHECK(report_of({2, 1}).at("precision@3") == Approx(2.0 / 3.0));  // the empty place is a miss
}

TEST_CASE("evaluate: items of the training rows are neither hits nor missed, unless repeats count") {
    const Interactions train = Interactions::from_ids({{0, 0}, {0, 1}}, 1, 4);
    const Interactions test = Interactions::from_ids({{0, 0}, {0, 2}, {0, 2}}, 1, 4);

    const Report unseen = evaluate(Scripted{{ranked({2, 3})}}, train, test, {.cutoffs = {2}});
    CHECK(unseen.at("recall@2") == 1.0);
    CHECK(unseen.at("ndcg@2") == 1.0);

    const Scripted shows_seen{{ranked({0, 2})}};
    CHECK(evaluate(shows_seen, train, test, {.cutoffs = {2}}).at("precision@2") == 0.5);
    CHECK(evaluate(shows_seen, train, test, {.cutoffs = {2}, .count_repeats = true}).at("precision@2") == 1.0);
}

TEST_CASE("evaluate: no users, no warm users, no training rows at all") {
    const Scripted model{{ranked({1}), ranked({0})}};
    const Interactions none = Interactions::from_ids({}, 2, 3);
    const Interactions some = Interactions::from_ids({{0, 1}}, 2, 3);

    const Report nobody = evaluate(model, some, none);
    CHECK(nobody.users() == 0);
    CHECK(funnel::math::is_nan(nobody.at("ndcg@10")));
    CHECK(funnel::math::is_nan(nobody.at("coverage@10")));
    CHECK(nobody.per_user("ndcg@10").empty());

    const Report cold = evaluate(model, none, some);
    CHECK(cold.users() == 1);
    CHECK(cold.cold_users() == 1);
    CHECK(cold.at("ndcg@10") == 1.0);
    CHECK(cold.cold().at("ndcg@10") == 1.0);
    CHECK(cold.warm().users() == 0);
    CHECK(funnel::math::is_nan(cold.warm().at("ndcg@10")));
    CHECK(funnel::math::is_nan(cold.warm().at("coverage@10")));
    CHECK(funnel::math::is_nan(cold.at("novelty@10")));  // nobody knows anything
    CHECK(funnel::math::is_nan(cold.standard_error("ndcg@10")));
}

TEST_CASE("evaluate: cut-offs of 0 and beyond the catalogue") {
    const Scripted model{{ranked({1, 0, 2})}};
    const Interactions none = Interactions::from_ids({}, 1, 3);
    const Interactions some = Interactions::from_ids({{0, 1}}, 1, 3);
    constexpr std::size_t huge = std::numeric_limits<std::size_t>::max();
    const Report report = evaluate(model, none, some, {.cutoffs = {0, huge}});
    CHECK(report.at("ndcg@0") == 0.0);
    CHECK(report.at("precision@0") == 0.0);
    CHECK(report.at("coverage@0") == 0.0);
    CHECK(report.at("ndcg@" + std::to_string(huge)) == 1.0);
    CHECK(report.at("coverage@" + std::to_string(huge)) == 1.0);
}

TEST_CASE("evaluate: reports progress, and stops when told") {
    const World world = random_world(6, 2500, 10);
    funnel::Serial serial;
    std::size_t last = 0;
    std::size_t total = 0;
    int calls = 0;
    funnel::Monitored monitored(serial, [&](const funnel::Progress& progress) {
        CHECK(progress.done > last);
        last = progress.done;
        total = progress.total;
        ++calls;
    });
    const Report report = evaluate(world.model, world.train, world.test, {}, monitored);
    CHECK(last == report.users());
    CHECK(total == report.users());
    CHECK(calls > 1);

    std::stop_source stop;
    funnel::Monitored stopping(serial, [&](const funnel::Progress&) { stop.request_stop(); }, stop.get_token());
    CHECK_THROWS_AS((void)evaluate(world.model, world.train, world.test, {}, stopping), funnel::Cancelled);
}

TEST_CASE("evaluate: rejects lists that are no answer, and names the user") {
    const Interactions train = Interactions::from_ids({}, 8, 3);
    const Interactions test = Interactions::from_ids({{7, 1}}, 8, 3);
    constexpr float nan = std::numeric_limits<float>::quiet_NaN();
    using List = std::vector<Scored<>>;
    const auto run = [&](const auto& list, std::size_t k) {
        (void)evaluate(Stubborn<std::decay_t<decltype(list)>>{list}, train, test, {.cutoffs = {1, k}});
    };

    CHECK_THROWS_WITH_AS(run(List{{0, 3}, {1, 2}, {2, 1}}, 2),
                         "evaluate: recommend(user 7) returned more than k = 2 items", InvalidArgument);
    CHECK_THROWS_WITH_AS(run(List{{1, 3}, {1, 2}}, 5), "evaluate: recommend(user 7) returned item 1 twice",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(run(List{{0, 3}, {0, 2}}, 5), "evaluate: recommend(user 7) returned item 0 twice",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(run(List{{1, nan}}, 5), "evaluate: recommend(user 7) returned item 1 with the score NaN",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(run(List{{3, 1}}, 5),
                         "evaluate: recommend(user 7) returned item 3, which is not in the catalogue", InvalidArgument);
    struct Entry {
        std::uint32_t id;
        double score;
    };
    CHECK_THROWS_WITH_AS(run(std::vector<Entry>{{1, std::numeric_limits<double>::quiet_NaN()}}, 5),
                         "evaluate: recommend(user 7) returned item 1 with the score NaN", InvalidArgument);
    CHECK_THROWS_AS(run(std::vector<Scored<int>>{{-1, 1}}, 5), InvalidArgument);
    CHECK_THROWS_AS(run(std::vector<Scored<std::uint64_t>>{{(std::uint64_t{1} << 32) + 1, 1}}, 5), InvalidArgument);
    CHECK_NOTHROW(run(List{{2, 1}, {1, 2}, {0, std::numeric_limits<float>::infinity()}}, 3));
}

TEST_CASE("evaluate: rejects no cut-off, and parts of different logs") {
    const Interactions log = Interactions::from_ids({{0, 0}}, 1, 1);
    const Stubborn<std::vector<Scored<>>> model{};
    CHECK_THROWS_AS((void)evaluate(model, log, log, {.cutoffs = {}}), InvalidArgument);
    CHECK_THROWS_AS((void)evaluate(model, log, Interactions::from_ids({}, 1, 2)), InvalidArgument);
    CHECK_THROWS_AS((void)evaluate(model, log, Interactions::from_ids({}, 2, 1)), InvalidArgument);
}

TEST_CASE("evaluate: an error in one of several threads comes out") {
    const World world = random_world(8, 500, 10);
    struct Failing {
        std::vector<Scored<>> recommend(std::uint32_t user, const Options&) const {
            return user < 400 ? std::vector<Scored<>>{} : std::vector<Scored<>>{{99, 1.0F}};
        }
    };
    Threads pool(2);
    CHECK_THROWS_AS((void)evaluate(Failing{}, world.train, world.test, {}, pool), InvalidArgument);
}

TEST_CASE("evaluate: a list of the whole catalogue and one item more is an error, at any cut-off") {
    const Interactions none = Interactions::from_ids({}, 1, 3);
    const Interactions some = Interactions::from_ids({{0, 1}}, 1, 3);
    constexpr std::size_t huge = std::numeric_limits<std::size_t>::max();
    for (const std::size_t k : {std::size_t{4}, huge - 1, huge}) {
        for (const std::uint32_t extra : {0U, 3U, std::numeric_limits<std::uint32_t>::max()}) {
            const Stubborn<std::vector<Scored<>>> model{ranked({0, 1, 2, extra})};
            CHECK_THROWS_AS((void)evaluate(model, none, some, {.cutoffs = {k}}), InvalidArgument);
        }
    }
}

TEST_CASE("evaluate: every figure is finite, or NaN where there is nothing to compute it from") {
    const World world = random_world(9, 200, 15);
    const Report report =
        evaluate(world.model, world.train, world.test, {.cutoffs = {1, 10, std::numeric_limits<std::size_t>::max()}});
    for (const auto& figure : report.figures()) {
        CHECK(funnel::math::is_finite(figure.value));
    }
}

#if FUNNEL_CHECKS
namespace {

// Says that it has one worker, and calls the second one.
struct WrongExecutor {
    [[nodiscard]] static std::size_t concurrency() { return 1; }
    template <class Body>
    void for_range(std::size_t n, std::size_t, Body&& body) const {
        body(std::size_t{0}, n, std::size_t{1});
    }
};

}  // namespace

TEST_CASE("evaluate: with checks on, a worker beyond the concurrency of an executor is found") {
    const Interactions train = Interactions::from_ids({{0, 0}}, 1, 2);
    const Interactions test = Interactions::from_ids({{0, 1}}, 1, 2);
    const Scripted model{{{{1, 1.0F}}}};
    CHECK(funnel::testing::dies([&] { (void)evaluate(model, train, test, {}, WrongExecutor{}); },
                                "worker < scratch.size()"));
}

TEST_CASE("evaluate: with checks on, a user or marks that the evaluation does not know are found") {
    const Interactions train = Interactions::from_ids({{0, 0}}, 1, 2);
    const Interactions test = Interactions::from_ids({{0, 1}}, 1, 2);
    const funnel::metrics::GroundTruth truth(train, test);
    const std::vector<Scored<>> list{{1, 1.0F}};
    const auto add = [&](std::size_t position, std::size_t items) {
        funnel::metrics::detail::ListEvaluation lists(truth, {1});
        auto scratch = lists.scratch();
        scratch.marks.resize(items);
        lists.add(position, list, scratch);
    };
    add(0, 2);
    CHECK(funnel::testing::dies([&] { add(1, 2); }, "position < truth_.size()"));
    CHECK(funnel::testing::dies([&] { add(0, 1); }, "marks.size() == truth_.items()"));
}
#endif

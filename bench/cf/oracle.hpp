// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/pure_svd.hpp>
#include <funnel/cf/rp3beta.hpp>
#include <funnel/cf/user_knn.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/metrics/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <string>

namespace funnel::bench {

/// Compares our figures on MovieLens-100K with those of an independent implementation in float64 (numpy), and prints
/// the table. Every fifth row of the file is the test part, all ratings count, all items are candidates.
///
/// Models without random initialization must agree to 1e-4, PureSVD, whose decomposition is not
/// exact, to 0.002, and ImplicitALS to 0.01.
///
/// Returns   whether all figures agree
/// Errors    those of read_interactions;  InvalidArgument if the log is not MovieLens-100K
template <Executor E = Serial>
bool print_oracle(const std::filesystem::path& ml_100k, E&& executor = E{}) {
    const data::Interactions log = data::read_interactions(ml_100k);
    require(log.size() == 100'000 && log.users() == 943 && log.items() == 1682,
            "oracle: this is not the MovieLens-100K log of 100 000 rows, 943 users and 1682 items");
    const data::Split parts = data::split_where(log, [](std::size_t row) { return row % 5 == 0; });
    const data::Interactions& train = parts.train;  // clang 14 cannot capture structured bindings
    const data::Interactions& test = parts.test;

    struct Expected {
        const char* figure;
        double value;
        double digits;  // half a unit of the last known digit
    };
    bool all_agree = true;
    std::printf("%-28s %-18s %10s %10s %9s\n", "model", "figure", "expected", "got", "");
    const auto compare = [&](const char* name, const auto& model, double tolerance,
                             std::initializer_list<Expected> figures) {
        const metrics::Report report = metrics::evaluate(model, train, test, {.cutoffs = {10, 20, 100}}, executor);
        for (const Expected& expected : figures) {
            const double got = report.at(expected.figure);
            const bool agrees = std::abs(got - expected.value) <= std::max(tolerance, expected.digits);
            all_agree = all_agree && agrees;
            std::printf("%-28s %-18s %10.6f %10.6f %9s\n", name, expected.figure, expected.value, got,
                        agrees ? "agrees" : "DIFFERS");
        }
    };
    constexpr double exact = 1e-4;
    constexpr double decomposed = 2e-3;
    constexpr double seeded = 0.01;
    constexpr double four = 0.5e-4;
    constexpr double six = 0.5e-6;

    compare("Popularity", cf::Popularity::fit(train, {}, executor), exact,
            {{"ndcg@10", .214479, six},
             {"recall@10", .111674, six},
             {"recall@20", .1676, four},
             {"capped_recall@20", .220738, six},
             {"hit_rate@10", .7457, four},
             {"map@10", .112280, six},
             {"mrr@10", .402637, six},
             {"ndcg@100", .289957, six}});
    compare(
        "ItemKNN neighbours=20", cf::ItemKNN::fit(train, {.neighbours = 20}, executor), exact,
        {{"ndcg@10", .3613, four}, {"recall@20", .3173, four}, {"hit_rate@10", .8830, four}, {"map@10", .2283, four}});
    compare(
        "ItemKNN neighbours=200", cf::ItemKNN::fit(train, {.neighbours = 200}, executor), exact,
        {{"ndcg@10", .3912, four}, {"recall@20", .3344, four}, {"hit_rate@10", .8936, four}, {"map@10", .2587, four}});
    compare(
        "UserKNN neighbours=50", cf::UserKNN::fit(train, {.neighbours = 50}, executor), exact,
        {{"ndcg@10", .3889, four}, {"recall@20", .3239, four}, {"hit_rate@10", .8894, four}, {"map@10", .2558, four}});
    constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
    compare(
        "RP3Beta beta=0", cf::RP3Beta::fit(train, {.neighbours = all, .beta = 0.0F}, executor), exact,
        {{"ndcg@10", .3308, four}, {"recall@20", .2811, four}, {"hit_rate@10", .8649, four}, {"map@10", .2001, four}});
    compare(
        "RP3Beta beta=0.6", cf::RP3Beta::fit(train, {.neighbours = all, .beta = 0.6F}, executor), exact,
        {{"ndcg@10", .3875, four}, {"recall@20", .3302, four}, {"hit_rate@10", .8926, four}, {"map@10", .2533, four}});
    compare(
        "PureSVD factors=20", cf::PureSVD::fit(train, {.factors = 20}, executor), decomposed,
        {{"ndcg@10", .4264, four}, {"recall@20", .3585, four}, {"hit_rate@10", .9138, four}, {"map@10", .2870, four}});
    compare(
        "PureSVD factors=50", cf::PureSVD::fit(train, {.factors = 50}, executor), decomposed,
        {{"ndcg@10", .3780, four}, {"recall@20", .3322, four}, {"hit_rate@10", .9181, four}, {"map@10", .2356, four}});
    compare(
        "EASE lambda=100", cf::EASE::fit(train, {.lambda = 100.0F}, executor), exact,
        {{"ndcg@10", .4258, four}, {"recall@20", .3595, four}, {"hit_rate@10", .9202, four}, {"map@10", .2849, four}});
    const cf::EASE ease = cf::EASE::fit(train, {.lambda = 200.0F}, executor);
    compare("EASE lambda=200", ease, exact,
            {{"ndcg@10", .441515, six},
             {"recall@10", .243118, six},
             {"recall@20", .3701, four},
             {"capped_recall@20", .462144, six},
             {"precision@10", .367128, six},
             {"hit_rate@10", .9266, four},
             {"map@10", .301031, six},
             {"mrr@10", .684414, six},
             {"ndcg@100", .523390, six}});
    compare(
        "EASE lambda=500", cf::EASE::fit(train, {.lambda = 500.0F}, executor), exact,
        {{"ndcg@10", .4411, four}, {"recall@20", .3682, four}, {"hit_rate@10", .9202, four}, {"map@10", .3030, four}});
    compare(
        "ImplicitALS factors=64", cf::ImplicitALS::fit(train, {}, executor), seeded,
        {{"ndcg@10", .3832, four}, {"recall@20", .3521, four}, {"hit_rate@10", .9191, four}, {"map@10", .2395, four}});

    std::string list;
    for (const Scored<>& item : ease.recommend(log.find_user("1").value(), {.k = 10})) {
        list += (list.empty() ? "" : " ") + log.item_key(item.id);
    }
    const std::string expected_list = "56 176 423 475 161 357 568 385 82 403";
    all_agree = all_agree && list == expected_list;
    std::printf("EASE lambda=200, user 1: %s (%s)\n", list.c_str(), list == expected_list ? "agrees" : "DIFFERS");
    return all_agree;
}

}  // namespace funnel::bench

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole funnel on real ratings. Five sources propose candidates. LambdaMART, trained on an earlier window, sorts
// them; logistic regression and a factorization machine rank the same candidates for comparison. Two rules re-rank for
// freshness and diversity. Every stage is evaluated on the items that users took later.
//
//     ./dev demo
#include "demo/candidate_features.hpp"
#include "demo/measure.hpp"
#include "demo/print.hpp"
#include "demo/progress_bar.hpp"
#include "demo/rankers.hpp"
#include "demo/ranking_rows.hpp"
#include "demo/report_html.hpp"
#include "demo/rows_csv.hpp"
#include "demo/rules.hpp"
#include "demo/sources.hpp"
#include "demo/world.hpp"

#include <funnel/core/error.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <optional>
#include <string>

namespace {

using namespace funnel::pipeline;

// Evaluates the funnel and each of its stages alone, on the same users.
demo::ReportData run(const demo::World& world, std::size_t threads, float lambda, const std::string& model_path,
                     const std::optional<std::string>& user_key, const std::optional<std::string>& rows_folder) {
    if (user_key && !world.log.find_user(*user_key)) {
        funnel::raise<funnel::InvalidArgument>("--user: the log has no user \"" + *user_key + "\"");
    }
    demo::require_times(world.log);
    funnel::Threads workers(threads);
    demo::ProgressBar bar;
    demo::Pool pool(workers, std::ref(bar));
    demo::ReportData data = demo::describe(world, lambda);

    // One split by time: everything below is trained only on rows before it.
    const auto split = funnel::data::split_by_time(world.log, {.test_fraction = 0.2});
    const auto& train = split.train;
    const auto& test = split.test;
    const funnel::Matrix<float> genres = world.genres();
    const demo::RankingRows rows = demo::ranking_rows(train, genres, pool);
    const auto rankers = demo::Rankers::fit(rows, model_path, pool);
    demo::describe(rankers, model_path, data);
    const demo::Sources sources = demo::Sources::fit(train, pool);
    const demo::CandidateFeatures features(sources, train, genres);

    const auto best_hundred = [&](demo::ByFeatures::Score score) {
        return rank(named("ranker", demo::ByFeatures{features, rankers, score}, {.at_most = 100}));
    };
    const auto by_forest = best_hundred(&demo::Rankers::by_forest);
    const demo::Freshness fresh(train);
    const auto diverse = [&](float weight) { return demo::Diversity{genres, weight}; };
    const auto whoever_is_new = [&] { return fallback(named("trending for all", sources.trending)); };

    // The funnel itself; the rest of this function measures it. Without genres, there is no diversity stage.
    const Funnel with_diversity(sources.retrieval(), by_forest, rank(named("freshness", fresh)),
                                rerank(named("diversity", diverse(lambda))), whoever_is_new());
    const Funnel without_diversity(sources.retrieval(), by_forest, rank(named("freshness", fresh)), whoever_is_new());

    // To evaluate the rankers and the stages after them, their best hundred items are computed once per user.
    const demo::Judge judge(world, train, test, genres);
    const auto remember = [&](demo::ByFeatures::Score score) {
        return demo::Remembered(Funnel(sources.retrieval(), best_hundred(score)), judge.truth().user_ids(),
                                train.users(), 100, pool);
    };
    const demo::Remembered by_logistic = remember(&demo::Rankers::by_logistic);
    const demo::Remembered by_fm = remember(&demo::Rankers::by_fm);
    const demo::Remembered ranked = remember(&demo::Rankers::by_forest);
    const auto order_of = [&](const demo::Remembered& lists) {
        return Funnel(retrieve(std::cref(lists)), whoever_is_new());
    };
    const auto shown = [&](float weight) {
        return Funnel(retrieve(named("ranked", std::cref(ranked), {.at_most = 100})), rank(named("freshness", fresh)),
                      rerank(named("diversity", diverse(weight))), whoever_is_new());
    };
    const auto als_by_index = [&](const Request& request, std::size_t n) {
        return sources.search_als(request.user, n);
    };

    data.quality = {judge("source", "popular", sources.popular, pool),
                    judge("source", "trending", sources.trending, pool),
                    judge("source", "item-knn", sources.item_knn, pool),
                    judge("source", "ease", sources.ease, pool),
                    judge("source", "als, all items", sources.als, pool),
                    judge("source", "als, by hnsw", Funnel(retrieve(als_by_index)), pool),
                    judge("retrieved", "all five, merged", Funnel(sources.retrieval(), whoever_is_new()), pool),
                    judge("ranked", "logistic regression", order_of(by_logistic), pool),
                    judge("ranked", "factorization machine", order_of(by_fm), pool),
                    judge("ranked", "lambdamart", order_of(ranked), pool),
                    judge("shown", world.has_genres() ? "fresh and diverse" : "fresh", shown(lambda), pool)};
    for (const float weight : {1.0F, 0.95F, 0.9F, 0.8F, 0.7F, 0.5F, 0.3F}) {
        if (world.has_genres()) {
            const demo::Quality quality = judge.lists_of_ten(shown(weight), pool);
            data.trade_offs.push_back({weight, quality.ndcg, quality.list_distance, quality.coverage});
        }
    }
    demo::count(train, test, judge.truth(), data);
    demo::compare_stages(judge.truth(), data);
    if (rows_folder) {
        demo::write_learned_rows(*rows_folder, rows);
        demo::write_ranked_rows(*rows_folder, world, sources, features, rankers, demo::warm_users(judge.truth()));
    }
    const auto use = [&](const auto& funnel) {
        demo::measure_latency(funnel, demo::evenly_spread(demo::warm_users(judge.truth()), 2000), data);
        demo::show_user(world, sources, train, test, judge.truth(), funnel, user_key, data);
    };
    if (world.has_genres()) {
        use(with_diversity);
    } else {
        use(without_diversity);
    }
    return data;
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app{"The whole funnel, from a log of ratings to lists with reasons, and how good each stage is."};
    std::optional<std::string> path;
    std::optional<std::string> user;
    std::string report = "report.html";
    std::string model = "lambdamart.txt";
    std::optional<std::string> rows;
    std::size_t threads = 2;
    float lambda = 0.7F;
    app.add_option("--data", path, "a MovieLens, RecBole or CSV log; without one, a synthetic world");
    app.add_option("--user", user, "key of the user whose list is shown");
    app.add_option("--report", report, "where to write the report")->capture_default_str();
    app.add_option("--model", model, "where to write the ranker, as a model of LightGBM")->capture_default_str();
    app.add_option("--rows", rows, "a folder to write the rows of the rankers to, as CSV");
    app.add_option("--threads", threads, "how many threads to use; the results do not depend on it")
        ->check(CLI::Range(1, 1024))
        ->capture_default_str();
    app.add_option("--lambda", lambda, "weight of relevance against diversity, 0 to 1")
        ->check(CLI::Range(0.0, 1.0))
        ->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const auto start = std::chrono::steady_clock::now();
    demo::ReportData data =
        run(path ? demo::read_world(*path) : demo::synthetic_world(1), threads, lambda, model, user, rows);
    data.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    demo::print(data);
    demo::write_report(report, data);
    std::printf("\nPlots: %s\n", report.c_str());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole funnel on real ratings: five sources propose candidates, a ranker that was trained on an earlier window
// sorts them, two rules re-rank for freshness and diversity, and every stage is judged by what users went on to take.
#include "demo/candidate_ranker.hpp"
#include "demo/measure.hpp"
#include "demo/print.hpp"
#include "demo/progress_bar.hpp"
#include "demo/report_html.hpp"
#include "demo/rules.hpp"
#include "demo/sources.hpp"
#include "demo/world.hpp"

#include <funnel/data/splits.hpp>
#include <funnel/pipeline/funnel.hpp>

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <optional>
#include <string>

namespace {

using namespace funnel::pipeline;

demo::ReportData run(const demo::World& world, std::size_t threads, float lambda, std::optional<std::string> user_key) {
    funnel::Threads workers(threads);
    demo::ProgressBar bar;
    demo::Pool pool(workers, std::ref(bar));
    demo::ReportData data = demo::describe(world, lambda);

    // One cut in time: nothing below may know what happens after it.
    const auto [train, test] = funnel::data::split_by_time(world.log, {.test_fraction = 0.2});
    const funnel::Matrix<float> genres = world.genres();
    const auto ranker = demo::learn_ranker(train, genres, pool);
    const demo::Sources sources = demo::Sources::fit(train, pool);
    const demo::CandidateFeatures features(sources, train, genres);

    const auto by_taste = [&](const Request& request, const Candidates& candidates) {
        return ranker.score(features.of(request.user, candidates));
    };
    const demo::Freshness fresh(train);
    const auto diverse = [&](float weight) { return demo::Diversity{genres, weight}; };
    const auto whoever_is_new = [&] { return fallback(named("trending for all", sources.trending)); };

    const Funnel retrieved(sources.retrieval(), whoever_is_new());
    const Funnel ranked(sources.retrieval(), rank(named("ranker", by_taste)), whoever_is_new());
    const auto with_lambda = [&](float weight) {
        return Funnel(sources.retrieval(), rank(named("ranker", by_taste, {.at_most = 100})),
                      rank(named("freshness", fresh)), rerank(named("diversity", diverse(weight))), whoever_is_new());
    };
    const Funnel funnel = with_lambda(lambda);

    const demo::Judge judge(train, test, genres);
    data.quality = {judge("source", "popular", sources.popular, pool),
                    judge("source", "trending", sources.trending, pool),
                    judge("source", "item-knn", sources.item_knn, pool),
                    judge("source", "ease", sources.ease, pool),
                    judge("source", "als", sources.als, pool),
                    judge("retrieved", "all five, merged", retrieved, pool),
                    judge("ranked", "logistic regression", ranked, pool),
                    judge("shown", "fresh and diverse", funnel, pool)};
    for (const float weight : {1.0F, 0.95F, 0.9F, 0.8F, 0.7F, 0.5F, 0.3F}) {
        const demo::Quality quality = judge("", "", with_lambda(weight), pool);
        data.trade_offs.push_back({weight, quality.ndcg, quality.list_distance, quality.coverage});
    }
    demo::count_users(train, test, data);
    demo::measure_latency(funnel, demo::warm_test_users(sources, test), data);
    demo::show_user(world, sources, train, test, funnel, user_key, data);
    return data;
}

}  // namespace

int main(int argc, char** argv) try {
    CLI::App app{"The whole funnel, from a log of ratings to lists with reasons, and how good each stage is."};
    std::optional<std::string> path;
    std::optional<std::string> user;
    std::string report = "report.html";
    std::size_t threads = 2;
    float lambda = 0.7F;
    app.add_option("--data", path, "a MovieLens, RecBole or CSV log; without one, a synthetic world");
    app.add_option("--user", user, "key of the user whose list is shown");
    app.add_option("--report", report, "where to write the report")->capture_default_str();
    app.add_option("--threads", threads, "how many threads to use; the results do not depend on it")
        ->capture_default_str();
    app.add_option("--lambda", lambda, "weight of relevance against diversity, 0 to 1")->capture_default_str();
    CLI11_PARSE(app, argc, argv);

    const auto start = std::chrono::steady_clock::now();
    demo::ReportData data = run(path ? demo::read_world(*path) : demo::synthetic_world(1), threads, lambda, user);
    data.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    demo::print(data);
    demo::write_report(report, data);
    std::printf("\nPlots: %s\n", report.c_str());
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// The whole funnel on real ratings. Six sources propose candidates, two towers among them. LambdaMART, trained on an
// earlier window, sorts them; logistic regression, a factorization machine and a deep ranker (DeepFM) rank the same
// candidates for comparison. The last mile lifts new films, explores two of them by Thompson sampling, and selects a diverse slate under rules. Every stage is evaluated
// on the items that users took later.
//
//     ./dev demo
#include "demo/candidate_features.hpp"
#include "demo/last_mile.hpp"
#include "demo/measure.hpp"
#include "demo/new_films.hpp"
#include "demo/print.hpp"
#include "demo/progress_bar.hpp"
#include "demo/rankers.hpp"
#include "demo/ranking_rows.hpp"
#include "demo/report_html.hpp"
#include "demo/rows_csv.hpp"
#include "demo/rules.hpp"
#include "demo/slates_csv.hpp"
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
    demo::describe(rankers, rows.group_sizes.size(), model_path, data);
    const demo::Sources sources = demo::Sources::fit(train, genres, pool);
    const demo::CandidateFeatures features(sources, train, genres);

    const auto best_hundred = [&](demo::ByFeatures::Score score) {
        return rank(named("ranker", demo::ByFeatures{features, rankers, score}, {.at_most = 100}));
    };
    const auto by_ranker = best_hundred(rankers.deep_is_better() ? &demo::Rankers::by_deep : &demo::Rankers::by_forest);
    const demo::Freshness fresh(train);
    const demo::FilmGroups groups(world);
    const demo::NewFilms new_films(train, sources.histories);
    const std::vector<std::size_t> explored_places{4, 9};
    const auto slate = [&](demo::Selection by, float weight, bool has_rules) {
        return rerank(named("slate", demo::Slate{groups, by, weight, has_rules}));
    };
    const auto whoever_is_new = [&] { return fallback(named("trending for all", sources.trending)); };

    // The funnel itself; the rest of this function measures it.
    const Funnel served(sources.retrieval(), by_ranker, rank(named("freshness", fresh)),
                        explore(named("new films", new_films), explored_places),
                        slate(demo::Selection::MMR, lambda, true), whoever_is_new());

    // To evaluate the rankers and the stages after them, their best hundred items are computed once per user.
    const demo::Judge judge(world, train, test, genres);
    const auto remember = [&](demo::ByFeatures::Score score) {
        return demo::Remembered(Funnel(sources.retrieval(), best_hundred(score)), judge.truth().user_ids(),
                                train.users(), 100, pool);
    };
    const demo::Remembered by_logistic = remember(&demo::Rankers::by_logistic);
    const demo::Remembered by_fm = remember(&demo::Rankers::by_fm);
    const demo::Remembered by_deep = remember(&demo::Rankers::by_deep);
    const demo::Remembered by_forest = remember(&demo::Rankers::by_forest);
    const demo::Remembered& ranked = rankers.deep_is_better() ? by_deep : by_forest;
    const auto order_of = [&](const demo::Remembered& lists) {
        return Funnel(retrieve(std::cref(lists)), whoever_is_new());
    };
    const auto fresh_ones = [&] { return retrieve(named("ranked", std::cref(ranked), {.at_most = 100})); };
    const auto selected = [&](demo::Selection by, float weight, bool has_rules) {
        return Funnel(fresh_ones(), rank(named("freshness", fresh)), slate(by, weight, has_rules), whoever_is_new());
    };
    const auto by_mmr = selected(demo::Selection::MMR, lambda, false);
    const auto by_dpp = selected(demo::Selection::DPP, demo::theta, false);
    const auto under_rules = selected(demo::Selection::MMR, lambda, true);
    const Funnel in_order(fresh_ones(), rank(named("freshness", fresh)), whoever_is_new());
    const Funnel shown(fresh_ones(), rank(named("freshness", fresh)),
                       explore(named("new films", new_films), explored_places),
                       slate(demo::Selection::MMR, lambda, true), whoever_is_new());
    const auto als_by_index = [&](const Request& request, std::size_t n) {
        return sources.search_als(request.user, n);
    };
    const auto two_towers_by_index = [&](const Request& request, std::size_t n) {
        return sources.search_two_towers(request.user, n);
    };

    data.quality = {judge("source", "popular", sources.popular, pool),
                    judge("source", "trending", sources.trending, pool),
                    judge("source", "item-knn", sources.item_knn, pool),
                    judge("source", "ease", sources.ease, pool),
                    judge("source", "als, all items", sources.als, pool),
                    judge("source", "als, by hnsw", Funnel(retrieve(als_by_index)), pool),
                    judge("source", "two towers, all items", sources.two_towers, pool),
                    judge("source", "two towers, by hnsw", Funnel(retrieve(two_towers_by_index)), pool),
                    judge("retrieved", "all six, merged", Funnel(sources.retrieval(), whoever_is_new()), pool),
                    judge("ranked", "logistic regression", order_of(by_logistic), pool),
                    judge("ranked", "factorization machine", order_of(by_fm), pool),
                    judge("ranked", "deepfm", order_of(by_deep), pool),
                    judge("ranked", "lambdamart", order_of(by_forest), pool),
                    judge.lists_of_ten("re-ranked", "fresh", in_order, pool)};
    const auto re_ranked = [&](const char* name, const auto& funnel) {
        data.quality.push_back(judge.lists_of_ten("re-ranked", name, funnel, pool));
        return data.quality.size() - 1;
    };
    const auto fresh_row = data.quality.size() - 1;
    const auto mmr_row = world.has_genres() ? re_ranked("fresh, mmr", by_mmr) : fresh_row;
    const auto dpp_row = world.has_genres() ? re_ranked("fresh, dpp", by_dpp) : fresh_row;
    const auto rules_row = re_ranked(world.has_genres() ? "fresh, mmr, rules" : "fresh, rules", under_rules);
    data.quality.push_back(judge.lists_of_ten("shown", "with two explored", shown, pool));

    const std::vector<std::uint32_t> warm = demo::warm_users(judge.truth());
    const auto step = [&](const char* name, std::size_t subject, std::size_t before, const auto& funnel) {
        demo::add_step(name, data.quality[subject], data.quality[before], funnel, warm, judge.truth(), data);
    };
    if (world.has_genres()) {
        step("MMR", mmr_row, fresh_row, by_mmr);
        step("DPP", dpp_row, fresh_row, by_dpp);
    }
    step("rules", rules_row, mmr_row, under_rules);
    step("two explored", data.quality.size() - 1, rules_row, shown);
    for (const auto by : {demo::Selection::MMR, demo::Selection::DPP}) {
        const bool is_mmr = by == demo::Selection::MMR;
        for (const float weight : {is_mmr ? 1.0F : 0.98F, 0.95F, 0.9F, 0.8F, 0.7F, 0.5F, 0.3F}) {
            if (world.has_genres()) {
                const demo::Quality quality = judge.lists_of_ten("", "", selected(by, weight, false), pool);
                data.trade_offs.push_back({is_mmr ? "MMR" : "DPP", static_cast<double>(weight), quality.ndcg,
                                           quality.list_distance, quality.coverage});
            }
        }
    }
    data.slates = demo::count_slates(shown, warm);
    const auto candidates_of = [&](std::uint32_t user) {
        std::vector<std::uint32_t> ids;
        for (const auto& item : ranked(Request{.user = user}, 100)) {
            ids.push_back(item.id);
        }
        return ids;
    };
    const auto decisions = demo::explore_users(new_films, test, warm, candidates_of, pool, data);
    demo::count(train, test, judge.truth(), data);
    demo::compare_stages(judge.truth(), data);
    if (rows_folder) {
        demo::write_learned_rows(*rows_folder, rows);
        demo::write_ranked_rows(*rows_folder, world, sources, features, rankers, warm);
        demo::write_candidates(*rows_folder, world, in_order, warm);
        std::string slates = "slate,user,place,item,set_aside,propensity\n";
        demo::add_slates(slates, "mmr", world, by_mmr, warm);
        demo::add_slates(slates, "dpp", world, by_dpp, warm);
        demo::add_slates(slates, "rules", world, under_rules, warm);
        demo::add_slates(slates, "shown", world, shown, warm);
        demo::detail::write_lines(*rows_folder + "/slates.csv", slates);
        demo::write_arms(*rows_folder, world, new_films, warm, candidates_of);
        demo::write_decisions(*rows_folder, world, decisions);
    }
    demo::measure_latency(served, demo::evenly_spread(warm, 2000), data);
    demo::show_user(world, sources, train, test, judge.truth(), served, user_key, data);
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

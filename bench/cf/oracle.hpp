// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/pure_svd.hpp>
#include <funnel/cf/rp3beta.hpp>
#include <funnel/cf/user_knn.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/rating.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace funnel::bench {

/// Figures on MovieLens-100K beside those of an independent implementation in float64 (numpy). All ratings count, and
/// all items are candidates.
///
/// Models without random initialization must agree to 1e-4, PureSVD, whose decomposition is not exact, to 0.002, and
/// models that start from random numbers to 0.01.
class Oracle {
public:
    /// Errors    those of read_interactions;  InvalidArgument if the log is not MovieLens-100K
    Oracle(const std::filesystem::path& ml_100k, Threads& pool) : log_(data::read_interactions(ml_100k)), pool_(&pool) {
        require(log_.size() == 100'000 && log_.users() == 943 && log_.items() == 1682,
                "oracle: this is not the MovieLens-100K log of 100 000 rows, 943 users and 1682 items");
        std::printf("%-30s %-18s %10s %10s\n", "model", "figure", "expected", "got");
    }

    /// Every fifth row of the file is the test part.
    void check_every_fifth_row() {
        parts_ = data::split_where(log_, [](std::size_t row) { return row % 5 == 0; });
        check_popularity();
        check_neighbours();
        check_walks();
        check_factors();
        check_ease();
    }

    /// The last row of each user is the test part.
    void check_last_row_of_each_user() {
        parts_ = data::split_last_out(log_);
        equal("last row out", "training rows", 99'057.0, static_cast<double>(parts_.train.size()));
        const Figures figures{"ndcg@10", "hit_rate@10", "recall@20"};
        compare("Popularity, last row", cf::Popularity::fit(parts_.train, {}, *pool_), exact, figures,
                {.025296, .049841, .081654});
        compare("EASE, last row", cf::EASE::fit(parts_.train, {.lambda = 200.0F}, *pool_), exact, figures,
                {.040729, .088017, .151644});
        compare("ItemKNN, last row", cf::ItemKNN::fit(parts_.train, {}, *pool_), exact, figures,
                {.037942, .078473, .127253});
    }

    /// All rows from one time on are the test part. Most test users have no training row. Only for the others is a
    /// personalized model better than popularity, so it needs a fallback.
    void check_one_cut_in_time() {
        constexpr double day = 24.0 * 3600.0;
        parts_ = data::split_by_time(log_, {.cut = 889'237'269.0});
        equal("one cut in time", "training rows", 79'999.0, static_cast<double>(parts_.train.size()));
        const auto popularity = cf::Popularity::fit(parts_.train, {}, *pool_);
        const auto recent = cf::Popularity::fit(parts_.train, {.half_life = 30.0 * day}, *pool_);
        const auto ease = cf::EASE::fit(parts_.train, {.lambda = 200.0F}, *pool_);
        const auto with_fallback = [&](std::uint32_t user, std::size_t k) {
            auto list = ease.recommend(user, {.k = k});
            return list.empty() ? popularity.recommend(user, {.k = k}) : list;
        };

        const metrics::Report of_popularity = report_of(popularity);
        const metrics::Report of_recent = report_of(recent);
        const metrics::Report of_ease = report_of(ease);
        const metrics::Report of_both = report_of(Recommending<decltype(with_fallback)>{with_fallback});
        equal("one cut in time", "test users", 301.0, static_cast<double>(of_ease.users()));
        equal("one cut in time", "warm users", 109.0, static_cast<double>(of_ease.warm_users()));
        equal("one cut in time", "cold users", 192.0, static_cast<double>(of_ease.cold_users()));
        const auto ndcg = [&](const char* name, const metrics::Report& report, double all, double warm, double cold) {
            check(name, "ndcg@10", all, report.at("ndcg@10"), exact);
            check(name, "ndcg@10 warm", warm, report.warm().at("ndcg@10"), exact);
            check(name, "ndcg@10 cold", cold, report.cold().at("ndcg@10"), exact);
        };
        ndcg("Popularity, cut in time", of_popularity, .340200, .145682, .450629);
        ndcg("EASE, cut in time", of_ease, .063710, .175932, 0.0);
        ndcg("EASE, else Popularity", of_both, .351154, .175932, .450629);
        ndcg("Popularity, half-life 30 days", of_recent, .399429, .210958, .506425);
    }

    /// The mean rating of the training part as the prediction, in five folds: row index % 5.
    void check_mean_rating() {
        double rmse = 0.0;
        double mae = 0.0;
        for (std::size_t fold = 0; fold < 5; ++fold) {
            const data::Split parts = data::split_where(log_, [&](std::size_t row) { return row % 5 == fold; });
            double sum = 0.0;
            for (const data::Interaction& row : parts.train) {
                sum += static_cast<double>(row.value);
            }
            std::vector<float> rated;
            for (const data::Interaction& row : parts.test) {
                rated.push_back(row.value);
            }
            const auto mean = static_cast<float>(sum / static_cast<double>(parts.train.size()));
            const auto errors = metrics::rating_errors(std::vector<float>(rated.size(), mean), rated);
            rmse += errors.rmse / 5.0;
            mae += errors.mae / 5.0;
        }
        check("mean rating, five folds", "rmse", 1.1257, rmse, exact);
        check("mean rating, five folds", "mae", .9447, mae, exact);
    }

    /// Whether all figures agree so far.
    [[nodiscard]] bool all_agree() const noexcept { return differing_ == 0; }

private:
    using Figures = std::vector<std::string>;
    static constexpr double exact = 1e-4;
    static constexpr double decomposed = 2e-3;
    static constexpr double seeded = 0.01;
    static constexpr double single_precision = 5e-6;  // scores are floats, the expected ones have five digits

    struct Request {
        std::size_t k;
    };
    template <class Recommend>
    struct Recommending {
        Recommend list_of;

        [[nodiscard]] std::vector<Scored<>> recommend(std::uint32_t user, const Request& request) const {
            return list_of(user, request.k);
        }
    };

    void check_popularity() {
        const auto model = cf::Popularity::fit(parts_.train, {}, *pool_);
        compare(
            "Popularity", model, exact,
            {"ndcg@10", "recall@10", "recall@20", "capped_recall@20", "hit_rate@10", "map@10", "mrr@10", "ndcg@100"},
            {.214479, .111674, .1676, .220738, .7457, .112280, .402637, .289957});
        same_list("Popularity, user 1", "294 288 286 300 56 405 313 748 9 423", model.recommend(user_1(), {.k = 10}));
        std::vector<Scored<>> counts;
        for (std::uint32_t item = 0; item < model.items(); ++item) {
            counts.push_back({item, model.scores()[item]});
        }
        std::sort(counts.begin(), counts.end(), ranks_before);
        counts.resize(5);
        same_list("Popularity, largest counts", "50 258 181 100 294", counts);
        const std::vector<double> expected{483.0, 416.0, 401.0, 391.0, 390.0};
        for (std::size_t i = 0; i < expected.size(); ++i) {
            equal("Popularity", "count of " + log_.item_key(counts[i].id), expected[i],
                  static_cast<double>(counts[i].score));
        }
    }

    void check_neighbours() {
        compare("ItemKNN neighbours=20", cf::ItemKNN::fit(parts_.train, {.neighbours = 20}, *pool_), exact, usual(),
                {.3613, .3173, .8830, .2283});
        const auto model = cf::ItemKNN::fit(parts_.train, {.neighbours = 200}, *pool_);
        compare("ItemKNN neighbours=200", model, exact, usual(), {.3912, .3344, .8936, .2587});
        const float cosine = model.weights().weight(log_.find_item("50").value(), log_.find_item("181").value());
        check("ItemKNN", "cosine of 50, 181", .713483, static_cast<double>(cosine), 1e-6);
        compare("UserKNN neighbours=50", cf::UserKNN::fit(parts_.train, {.neighbours = 50}, *pool_), exact, usual(),
                {.3889, .3239, .8894, .2558});
    }

    void check_walks() {
        constexpr std::size_t all = std::numeric_limits<std::size_t>::max();
        compare("RP3Beta beta=0", cf::RP3Beta::fit(parts_.train, {.neighbours = all, .beta = 0.0F}, *pool_), exact,
                usual(), {.3308, .2811, .8649, .2001});
        compare("RP3Beta beta=0.6", cf::RP3Beta::fit(parts_.train, {.neighbours = all, .beta = 0.6F}, *pool_), exact,
                usual(), {.3875, .3302, .8926, .2533});
    }

    void check_factors() {
        compare("PureSVD factors=20", cf::PureSVD::fit(parts_.train, {.factors = 20}, *pool_), decomposed, usual(),
                {.4264, .3585, .9138, .2870});
        compare("PureSVD factors=50", cf::PureSVD::fit(parts_.train, {.factors = 50}, *pool_), decomposed, usual(),
                {.3780, .3322, .9181, .2356});
        compare("ImplicitALS factors=64", cf::ImplicitALS::fit(parts_.train, {}, *pool_), seeded, usual(),
                {.3832, .3521, .9191, .2395});
        compare("BPR factors=64", cf::BPR::fit(parts_.train, {.epochs = 200}, *pool_), seeded,
                {"ndcg@10", "recall@20", "hit_rate@10"}, {.3834, .3325, .9011});
    }

    void check_ease() {
        compare("EASE lambda=100", cf::EASE::fit(parts_.train, {.lambda = 100.0F}, *pool_), exact, usual(),
                {.4258, .3595, .9202, .2849});
        compare("EASE lambda=500", cf::EASE::fit(parts_.train, {.lambda = 500.0F}, *pool_), exact, usual(),
                {.4411, .3682, .9202, .3030});
        const auto model = cf::EASE::fit(parts_.train, {.lambda = 200.0F}, *pool_);
        compare("EASE lambda=200", model, exact,
                {"ndcg@10", "recall@10", "recall@20", "capped_recall@20", "precision@10", "hit_rate@10", "map@10",
                 "mrr@10", "ndcg@100"},
                {.441515, .243118, .3701, .462144, .367128, .9266, .301031, .684414, .523390});
        const auto list = model.recommend(user_1(), {.k = 10});
        same_list("EASE lambda=200, user 1", "56 176 423 475 161 357 568 385 82 403", list);
        const std::vector<double> scores{.71078, .59365, .54799, .53850, .51065};
        for (std::size_t i = 0; i < scores.size(); ++i) {
            check("EASE lambda=200, user 1", "score " + std::to_string(i + 1), scores[i],
                  static_cast<double>(list.at(i).score), single_precision);
        }
    }

    [[nodiscard]] static Figures usual() { return {"ndcg@10", "recall@20", "hit_rate@10", "map@10"}; }
    [[nodiscard]] std::uint32_t user_1() const { return log_.find_user("1").value(); }

    template <class Model>
    [[nodiscard]] metrics::Report report_of(const Model& model) const {
        return metrics::evaluate(model, parts_.train, parts_.test, {.cutoffs = {10, 20, 100}}, *pool_);
    }

    template <class Model>
    void compare(const std::string& name, const Model& model, double tolerance, const Figures& figures,
                 const std::vector<double>& expected) {
        const metrics::Report report = report_of(model);
        for (std::size_t i = 0; i < figures.size(); ++i) {
            check(name, figures[i], expected.at(i), report.at(figures[i]), tolerance);
        }
    }

    void same_list(const std::string& name, const std::string& expected, const std::vector<Scored<>>& list) {
        std::string keys;
        for (const Scored<>& item : list) {
            keys += (keys.empty() ? "" : " ") + log_.item_key(item.id);
        }
        count(keys == expected);
        std::printf("%-30s %s %s\n", name.c_str(), keys.c_str(), keys == expected ? "agrees" : "DIFFERS");
    }

    void equal(const std::string& name, const std::string& figure, double expected, double got) {
        check(name, figure, expected, got, 0.0);
    }

    void check(const std::string& name, const std::string& figure, double expected, double got, double tolerance) {
        const bool agrees = std::abs(got - expected) <= tolerance;
        count(agrees);
        std::printf("%-30s %-18s %10.6f %10.6f %s\n", name.c_str(), figure.c_str(), expected, got,
                    agrees ? "agrees" : "DIFFERS");
    }

    void count(bool agrees) { differing_ += agrees ? 0U : 1U; }

    data::Interactions log_;
    Threads* pool_;
    data::Split parts_;
    std::size_t differing_ = 0;
};

/// Prints all figures, and returns whether all of them agree.
inline bool print_oracle(const std::filesystem::path& ml_100k, Threads& pool) {
    Oracle oracle(ml_100k, pool);
    oracle.check_every_fifth_row();
    oracle.check_last_row_of_each_user();
    oracle.check_one_cut_in_time();
    oracle.check_mean_rating();
    return oracle.all_agree();
}

}  // namespace funnel::bench

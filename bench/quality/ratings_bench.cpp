// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the page about rating models in docs/algorithms/: how far predictions are from held-out ratings. The same
// in every run.
//
//   ratings_bench [JSON]    MovieLens-100K if `./dev data` has fetched it, else the synthetic world
#include "support/bench.hpp"

#include <funnel/cf/biased_mf.hpp>
#include <funnel/cf/svdpp.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/folds.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/evaluate.hpp>
#include <funnel/metrics/rating.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";
constexpr std::uint32_t folds = 5;

std::string text_of(double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%g", value);
    return text;
}

class Ratings {
public:
    Ratings(bench::Report& report, const data::Interactions& log, const std::string& name)
        : report_(report), setup_(name + ", mean of 5 folds, row i is held out in fold i % 5") {
        const auto fold_of = data::assign_folds(log, {.folds = folds, .by = data::FoldBy::RowIndex});
        for (std::uint32_t fold = 0; fold < folds; ++fold) {
            splits_.push_back(data::split_fold(log, fold_of, fold));
        }
    }

    /// Errors of any model: fit(train) returns one with predict(user, item).
    template <class Fit>
    void add(const std::string& name, const Fit& fit) {
        double rmse = 0.0;
        double mae = 0.0;
        for (const data::Split& split : splits_) {
            const auto model = fit(split.train);
            std::vector<float> predicted;
            std::vector<float> rated;
            for (const data::Interaction& row : split.test) {
                predicted.push_back(model.predict(row.user, row.item));
                rated.push_back(row.value);
            }
            const metrics::RatingErrors errors = metrics::rating_errors(predicted, rated);
            rmse += errors.rmse / folds;
            mae += errors.mae / folds;
        }
        report_.add({.name = name, .ours = bench::single(rmse), .unit = "RMSE", .setup = setup_});
        absolute_.push_back({.name = name + " MAE", .ours = bench::single(mae), .unit = "MAE", .setup = setup_});
    }
    void add_absolute_errors() {
        for (const bench::Row& row : absolute_) {
            report_.add(row);
        }
    }
    template <class M>
    void add(const std::string& name, const cf::RatingFactorsOptions& options) {
        add(name, [&](const data::Interactions& train) { return M::fit(train, options, pool_); });
    }

    /// How good lists by predicted rating are: all held-out rows count as taken.
    template <class M>
    void add_lists(const std::string& name) {
        double ndcg = 0.0;
        for (const data::Split& split : splits_) {
            const M model = M::fit(split.train, {}, pool_);
            ndcg += metrics::evaluate(model, split.train, split.test, {}, pool_).warm().at("ndcg@10") / folds;
        }
        report_.add({.name = name + " lists", .ours = bench::single(ndcg), .unit = "ndcg@10", .setup = setup_});
    }

private:
    bench::Report& report_;
    std::vector<data::Split> splits_;
    std::vector<bench::Row> absolute_;
    std::string setup_;
    Threads pool_;
};

struct Mean {
    float mean;

    [[nodiscard]] float predict(std::size_t, std::uint32_t) const { return mean; }
};

}  // namespace

int main(int argc, char** argv) {
    const bool has_movielens = std::filesystem::exists(movielens);
    const data::Interactions log = has_movielens ? data::read_interactions(movielens) : data::SyntheticWorld().log();
    bench::Report report("ratings", argc, argv);
    Ratings ratings(report, log, has_movielens ? "MovieLens-100K" : "synthetic");
    ratings.add("mean", [](const data::Interactions& train) {
        double sum = 0.0;
        for (const data::Interaction& row : train) {
            sum += static_cast<double>(row.value);
        }
        return Mean{static_cast<float>(sum / static_cast<double>(train.size()))};
    });
    // Vectors that start at nearly 0 stay there: the error has no direction for them.
    ratings.add<cf::BiasedMF>("biases only", {.factors = 1, .stddev = 1.0e-6F});
    ratings.add<cf::BiasedMF>("BiasedMF", {});
    ratings.add<cf::BiasedMF>("BiasedMF, settings of Surprise",
                              {.factors = 100, .epochs = 20, .learning_rate = 0.005F, .regularisation = 0.02F});
    ratings.add<cf::SVDpp>("SVDpp", {});
    ratings.add<cf::SVDpp>("SVDpp, settings of Surprise",
                           {.factors = 20, .epochs = 20, .learning_rate = 0.007F, .regularisation = 0.02F});
    for (const std::size_t factors : {2U, 8U, 32U, 64U, 128U, 256U}) {
        ratings.add<cf::BiasedMF>("BiasedMF factors " + std::to_string(factors), {.factors = factors});
    }
    for (const float regularisation : {0.02F, 0.05F, 0.1F, 0.15F, 0.2F}) {
        ratings.add<cf::BiasedMF>("BiasedMF regularisation " + text_of(static_cast<double>(regularisation)),
                                  {.regularisation = regularisation});
    }
    for (const std::size_t epochs : {10U, 20U, 40U, 80U, 160U}) {
        ratings.add<cf::BiasedMF>("BiasedMF epochs " + std::to_string(epochs), {.epochs = epochs});
    }
    ratings.add_absolute_errors();
    ratings.add_lists<cf::BiasedMF>("BiasedMF");
    ratings.add_lists<cf::SVDpp>("SVDpp");
    return report.finish();
}

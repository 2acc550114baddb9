// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about ExplicitALS, NMF and LogisticMF in docs/algorithms/: errors of predicted ratings, and how
// options change the quality of lists. The same in every run.
//
//   factor_models_bench [JSON]    MovieLens-100K if `./dev data` has fetched it, else the synthetic world
#include "support/bench.hpp"

#include <funnel/cf/bpr.hpp>
#include <funnel/cf/explicit_als.hpp>
#include <funnel/cf/implicit_als.hpp>
#include <funnel/cf/logistic_mf.hpp>
#include <funnel/cf/nmf.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/folds.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/splits.hpp>
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

class Quality {
public:
    Quality(bench::Report& report, const data::Interactions& log, const std::string& name)
        : report_(report),
          split_(data::split_random(log)),
          ratings_setup_(name + ", mean of 5 folds, row i in fold i % 5; predictions within the range of ratings"),
          lists_setup_(name + ", 20 % of the rows held out, random split, all values are likes") {
        const auto fold_of = data::assign_folds(log, {.folds = folds, .by = data::FoldBy::RowIndex});
        for (std::uint32_t fold = 0; fold < folds; ++fold) {
            folds_.push_back(data::split_fold(log, fold_of, fold));
        }
    }

    void vary_explicit_als() {
        add_ratings("ExplicitALS", {});
        for (const std::size_t factors : {2U, 4U, 8U, 16U, 32U, 64U}) {
            add_ratings("ExplicitALS factors " + std::to_string(factors), {.factors = factors});
        }
        for (const float lambda : {0.03F, 0.05F, 0.1F, 0.15F, 0.2F, 0.3F}) {
            add_ratings("ExplicitALS lambda " + text_of(static_cast<double>(lambda)), {.lambda = lambda});
        }
        for (const float lambda : {2.0F, 5.0F, 10.0F, 20.0F}) {
            add_ratings("ExplicitALS nu 0 lambda " + text_of(static_cast<double>(lambda)),
                        {.lambda = lambda, .nu = 0.0F});
        }
        for (const std::size_t iterations : {1U, 2U, 4U, 8U, 16U, 32U}) {
            add_ratings("ExplicitALS iterations " + std::to_string(iterations), {.iterations = iterations});
        }
        add_lists("ExplicitALS lists", cf::ExplicitALS::fit(split_.train, {}, pool_));
    }

    void vary_nmf() {
        for (const std::size_t factors : {4U, 8U, 16U, 32U, 64U, 128U}) {
            add_lists("NMF factors " + std::to_string(factors),
                      cf::NMF::fit(split_.train, {.factors = factors, .lambda = 10.0F}, pool_));
        }
        for (const float lambda : {0.0F, 1.0F, 3.0F, 10.0F, 20.0F, 40.0F}) {
            add_lists("NMF lambda " + text_of(static_cast<double>(lambda)),
                      cf::NMF::fit(split_.train, {.lambda = lambda}, pool_));
        }
        for (const std::size_t iterations : {5U, 10U, 20U, 50U, 100U}) {
            add_lists("NMF iterations " + std::to_string(iterations),
                      cf::NMF::fit(split_.train, {.lambda = 10.0F, .iterations = iterations}, pool_));
        }
    }

    void vary_logistic_mf() {
        add_lists("BPR", cf::BPR::fit(split_.train, {}, pool_));
        add_lists("ImplicitALS", cf::ImplicitALS::fit(split_.train, {}, pool_));
        add_lists("LogisticMF", cf::LogisticMF::fit(split_.train, {}, pool_));
        for (const std::size_t negatives : {1U, 2U, 5U, 10U, 20U}) {
            add_lists("LogisticMF negatives " + std::to_string(negatives),
                      cf::LogisticMF::fit(split_.train, {.negatives = negatives}, pool_));
        }
        for (const float regularisation : {0.005F, 0.01F, 0.02F, 0.03F, 0.05F}) {
            add_lists("LogisticMF regularisation " + text_of(static_cast<double>(regularisation)),
                      cf::LogisticMF::fit(split_.train, {.regularisation = regularisation}, pool_));
        }
    }

private:
    void add_ratings(const std::string& name, const cf::ExplicitALSOptions& options) {
        double rmse = 0.0;
        double mae = 0.0;
        for (const data::Split& fold : folds_) {
            const auto model = cf::ExplicitALS::fit(fold.train, options, pool_);
            std::vector<float> predicted;
            std::vector<float> rated;
            for (const data::Interaction& row : fold.test) {
                predicted.push_back(model.predict(row.user, row.item));
                rated.push_back(row.value);
            }
            const metrics::RatingErrors errors = metrics::rating_errors(predicted, rated);
            rmse += errors.rmse / folds;
            mae += errors.mae / folds;
        }
        report_.add({.name = name, .ours = bench::single(rmse), .unit = "RMSE", .setup = ratings_setup_});
        report_.add({.name = name + " MAE", .ours = bench::single(mae), .unit = "MAE", .setup = ratings_setup_});
    }

    template <class Model>
    void add_lists(const std::string& name, const Model& model) {
        const auto figures = metrics::evaluate(model, split_.train, split_.test, {}, pool_).warm();
        report_.add(
            {.name = name, .ours = bench::single(figures.at("ndcg@10")), .unit = "ndcg@10", .setup = lists_setup_});
    }

    bench::Report& report_;
    data::Split split_;
    std::vector<data::Split> folds_;
    std::string ratings_setup_;
    std::string lists_setup_;
    Threads pool_;
};

}  // namespace

int main(int argc, char** argv) {
    const bool has_movielens = std::filesystem::exists(movielens);
    const data::Interactions log = has_movielens ? data::read_interactions(movielens) : data::SyntheticWorld().log();
    bench::Report report("factor_models", argc, argv);
    Quality quality(report, log, has_movielens ? "MovieLens-100K" : "synthetic");
    quality.vary_explicit_als();
    quality.vary_nmf();
    quality.vary_logistic_mf();
    return report.finish();
}

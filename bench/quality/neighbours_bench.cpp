// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// The figures of the pages about neighbours, walks, SLIM and PureSVD in docs/algorithms/: how options change the quality
// of lists. The same in every run.
//
//   neighbours_bench [JSON]    MovieLens-100K if `./dev data` has fetched it, else the synthetic world
#include "support/bench.hpp"

#include <funnel/cf/bought_together.hpp>
#include <funnel/cf/ease.hpp>
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/cf/pure_svd.hpp>
#include <funnel/cf/rp3beta.hpp>
#include <funnel/cf/slim.hpp>
#include <funnel/cf/user_knn.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/read_interactions.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/evaluate.hpp>

#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <string>
#include <utility>

using namespace funnel;

namespace {

constexpr const char* movielens = "build/data/ml-100k/ml-100k.inter";

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
          setup_(name + ", 20 % of the rows held out, random split, all values are likes") {}

    void compare_models() {
        add("Popularity", cf::Popularity::fit(split_.train));
        add("ItemKNN", cf::ItemKNN::fit(split_.train, {}, pool_));
        add("UserKNN", cf::UserKNN::fit(split_.train, {}, pool_));
        add("RP3Beta", cf::RP3Beta::fit(split_.train, {}, pool_));
        add("PureSVD", cf::PureSVD::fit(split_.train, {}, pool_));
        add("EASE", cf::EASE::fit(split_.train, {}, pool_));
    }

    void vary_neighbours() {
        for (const std::size_t k : {5U, 10U, 20U, 50U, 100U, 200U, 500U}) {
            add("ItemKNN neighbours " + std::to_string(k), cf::ItemKNN::fit(split_.train, {.neighbours = k}, pool_));
            add("UserKNN neighbours " + std::to_string(k), cf::UserKNN::fit(split_.train, {.neighbours = k}, pool_));
        }
        using enum cf::Similarity;
        using enum cf::Weighting;
        for (const auto& [name, options] :
             {std::pair{"Jaccard", cf::KNNOptions{.similarity = Jaccard}},
              std::pair{"TF-IDF", cf::KNNOptions{.weighting = TfIdf}},
              std::pair{"BM25", cf::KNNOptions{.weighting = BM25}},
              std::pair{"cosine of ratings", cf::KNNOptions{.weighting = Values}},
              std::pair{"Pearson", cf::KNNOptions{.similarity = Pearson}},
              std::pair{"Pearson, significance 50", cf::KNNOptions{.similarity = Pearson, .significance = 50.0F}},
              std::pair{"adjusted cosine, significance 50",
                        cf::KNNOptions{.similarity = AdjustedCosine, .significance = 50.0F}},
              std::pair{"MSD, significance 50", cf::KNNOptions{.similarity = MSD, .significance = 50.0F}},
              std::pair{"cosine, shrinkage 20", cf::KNNOptions{.shrinkage = 20.0F}}}) {
            add(std::string("ItemKNN ") + name, cf::ItemKNN::fit(split_.train, options, pool_));
            add(std::string("UserKNN ") + name, cf::UserKNN::fit(split_.train, options, pool_));
        }
    }

    void vary_walks() {
        for (const float beta : {0.0F, 0.2F, 0.4F, 0.6F, 0.8F, 1.0F}) {
            const auto model = cf::RP3Beta::fit(split_.train, {.beta = beta}, pool_);
            add("RP3Beta beta " + text_of(static_cast<double>(beta)), model);
        }
    }

    void vary_svd() {
        for (const std::size_t factors : {5U, 10U, 20U, 50U, 100U, 200U}) {
            add("PureSVD factors " + std::to_string(factors),
                cf::PureSVD::fit(split_.train, {.factors = factors}, pool_));
        }
    }

    void vary_slim() {
        for (const float l2 : {1.0F, 20.0F, 100.0F, 300.0F}) {
            add("SLIM l2 " + text_of(static_cast<double>(l2)), cf::SLIM::fit(split_.train, {.l2 = l2}, pool_));
        }
        for (const float l1 : {0.1F, 1.0F, 3.0F, 10.0F}) {
            const auto model = cf::SLIM::fit(split_.train, {.l1 = l1}, pool_);
            const std::string name = "SLIM l1 " + text_of(static_cast<double>(l1));
            add(name, model);
            const auto per_item =
                static_cast<double>(model.weights().matrix().nonzeros()) / static_cast<double>(model.items());
            report_.add(
                {.name = name + " weights", .ours = bench::single(per_item), .unit = "per item", .setup = setup_});
        }
    }

    void compare_associations() {
        using enum cf::Association;
        for (const auto& [name, association] : {std::pair{"log-likelihood ratio", LogLikelihoodRatio},
                                                std::pair{"lift", Lift}, std::pair{"confidence", Confidence}}) {
            const auto model = cf::BoughtTogether::fit(split_.train, {.association = association}, pool_);
            add(std::string("BoughtTogether ") + name, model);
            const auto figures = metrics::evaluate(model, split_.train, split_.test, {}, pool_).warm();
            report_.add({.name = std::string("BoughtTogether ") + name + " coverage",
                         .ours = bench::single(figures.at("coverage@10")),
                         .unit = "coverage@10",
                         .setup = setup_});
        }
    }

private:
    template <class Model>
    void add(const std::string& name, const Model& model) {
        const auto figures = metrics::evaluate(model, split_.train, split_.test, {}, pool_).warm();
        report_.add({.name = name, .ours = bench::single(figures.at("ndcg@10")), .unit = "ndcg@10", .setup = setup_});
    }

    bench::Report& report_;
    data::Split split_;
    std::string setup_;
    Threads pool_;
};

}  // namespace

int main(int argc, char** argv) {
    const bool has_movielens = std::filesystem::exists(movielens);
    const data::Interactions log = has_movielens ? data::read_interactions(movielens) : data::SyntheticWorld().log();
    bench::Report report("neighbours", argc, argv);
    Quality quality(report, log, has_movielens ? "MovieLens-100K" : "synthetic");
    quality.compare_models();
    quality.vary_neighbours();
    quality.vary_walks();
    quality.vary_svd();
    quality.vary_slim();
    quality.compare_associations();
    return report.finish();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Evaluation: is one model better than another, and is the difference significant? The log is split by time. The models
// learn from the earlier part, and their lists are compared with the later part.
//
//     g++ -std=c++20 -O2 -I include examples/04_evaluate.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/data/synthetic_oracle.hpp>
#include <funnel/metrics/evaluate.hpp>

#include <cmath>
#include <cstddef>
#include <cstdio>
#include <vector>

namespace {

using funnel::cf::ItemKNN;
using funnel::cf::Popularity;
using funnel::metrics::Report;
using funnel::metrics::Summary;

// Any type with recommend(user, {.k = 10}) can be evaluated. This one combines two models; the second serves users
// without a history.
struct SimilarOrPopular {
    const ItemKNN& similar;
    const Popularity& popular;

    std::vector<funnel::Scored<>> recommend(std::size_t user, const funnel::cf::RecommendOptions& options) const {
        const auto list = similar.recommend(user, options);
        return list.empty() ? popular.recommend(user, options) : list;
    }
};

void print(const char* name, const Summary& summary) {
    std::printf("  %-22s", name);
    for (const char* figure : {"ndcg@10", "recall@10", "hit_rate@10"}) {
        std::printf("%.3f +- %.3f    ", summary.at(figure), summary.standard_error(figure));
    }
    std::printf("%.3f\n", summary.at("coverage@10"));  // computed over all lists, so it has no standard error
}

// Two reports on one split have the same users, so compare them user by user. Most of the variation between users
// cancels, so the mean gain has a smaller standard error than the two means.
void print_gain(const Report& from, const Report& to) {
    const auto before = from.per_user("ndcg@10");
    const auto after = to.per_user("ndcg@10");
    const auto users = static_cast<double>(before.size());
    double sum = 0.0;
    double squares = 0.0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        const double gain = after[i] - before[i];
        sum += gain;
        squares += gain * gain;
    }
    const double mean = sum / users;
    const double standard_error = std::sqrt((squares / users - mean * mean) / (users - 1.0));
    std::printf("gain in ndcg@10: %+.3f +- %.3f\n", mean, standard_error);
}

}  // namespace

int main() {
    // Synthetic data, so that this runs without files. For your own data: funnel::data::read_csv, read_movielens, ...
    const funnel::data::SyntheticWorld world({.users = 1500, .items = 600, .rows = 60'000});
    const auto [train, test] = funnel::data::split_by_time(world.log(), {.test_fraction = 0.2});

    const auto popular = Popularity::fit(train);
    const auto similar = ItemKNN::fit(train, {.neighbours = 100, .shrinkage = 10.0F});
    const SimilarOrPopular both{similar, popular};
    const funnel::data::SyntheticOracle oracle(world, train, test);  // knows the true tastes

    const auto of_popular = funnel::metrics::evaluate(popular, train, test);
    const auto of_similar = funnel::metrics::evaluate(similar, train, test);
    const auto of_both = funnel::metrics::evaluate(both, train, test);
    const auto of_oracle = funnel::metrics::evaluate(oracle, train, test);

    std::printf("                        ndcg@10            recall@10          hit_rate@10        coverage@10\n");
    std::printf("%zu users with a history\n", of_popular.warm_users());
    print("popular", of_popular.warm());
    print("item-knn", of_similar.warm());
    print("best possible", of_oracle.warm());
    std::printf("%zu users without one\n", of_popular.cold_users());
    print("popular", of_popular.cold());
    print("item-knn", of_similar.cold());  // returns empty lists for them
    print("best possible", of_oracle.cold());
    std::printf("all users\n");
    print("popular", of_popular);
    print("item-knn or popular", of_both);
    print_gain(of_popular, of_both);
}

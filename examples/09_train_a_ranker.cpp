// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Training a ranker from a log. Items that users took are positive examples, randomly drawn items are negative ones.
// Two models learn to separate them by features. Features are computed only from rows earlier than the example.
//
//     g++ -std=c++20 -O2 -I include examples/09_train_a_ranker.cpp -o /tmp/example
//     /tmp/example
#include <funnel/cf/item_knn.hpp>
#include <funnel/cf/popularity.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/data/negatives.hpp>
#include <funnel/data/splits.hpp>
#include <funnel/data/synthetic.hpp>
#include <funnel/metrics/auc.hpp>
#include <funnel/ranking/fm.hpp>
#include <funnel/ranking/logistic_regression.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace {

using namespace funnel::data;

constexpr const char* names[] = {"popularity", "trend", "like the history", "has a history"};
constexpr std::size_t features = 4;

struct Examples {
    funnel::Matrix<float> rows;
    std::vector<float> labels;
    std::vector<float> popularity;  // a baseline that needs no training
};

// Each row of the window is a positive example. Three items that its user did not take are negative examples. Popular
// items are drawn more often.
Examples describe(const Interactions& past, const Interactions& window, const NegativeSampler& sampler) {
    const auto popular = funnel::cf::Popularity::fit(past);
    const auto trending = funnel::cf::Popularity::fit(past, {.half_life = 14.0 * 86'400});
    const auto similar = funnel::cf::ItemKNN::fit(past, {.neighbours = 100, .shrinkage = 10.0F});

    constexpr std::size_t negatives = 3;
    Examples examples{funnel::Matrix<float>(window.size() * (1 + negatives), features), {}, {}};
    for (std::size_t i = 0; i < window.size(); ++i) {
        const std::uint32_t user = window[i].user;
        std::vector<std::uint32_t> items = sampler.sample(user, negatives, i);
        items.insert(items.begin(), window[i].item);

        const auto all_time = popular.score(user, items);
        const auto lately = trending.score(user, items);
        const auto likeness = similar.score(user, items);
        const bool has_history = !similar.recommend(user, {.k = 1}).empty();
        for (std::size_t j = 0; j < items.size(); ++j) {
            const auto row = examples.rows.row(examples.labels.size());
            row[0] = std::log1p(all_time[j]);
            row[1] = std::log1p(lately[j]) - row[0];
            row[2] = std::log1p(likeness[j]);
            row[3] = has_history ? 1.0F : 0.0F;
            examples.labels.push_back(j == 0 ? 1.0F : 0.0F);
            examples.popularity.push_back(all_time[j]);
        }
    }
    return examples;
}

// LogisticRegression standardizes its features, FM does not. So FM gets features with the regression's standardization.
funnel::Matrix<float> standardised(funnel::Matrix<float> rows, const funnel::ranking::LogisticRegression& linear) {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (std::size_t j = 0; j < features; ++j) {
            rows(i, j) = (rows(i, j) - linear.means()[j]) / linear.scales()[j];
        }
    }
    return rows;
}

}  // namespace

int main() {
    const SyntheticWorld world({.users = 800, .items = 600, .rows = 30'000, .taste = 2.5});

    // Three time windows. Features of the middle window come from the past, those of the end from both earlier windows.
    const auto [known, end] = split_by_time(world.log(), {.test_fraction = 0.1});
    const auto [past, middle] = split_by_time(known, {.test_fraction = 0.1});
    const Examples train = describe(past, middle, NegativeSampler(known, {.alpha = 0.5}));
    const Examples test = describe(known, end, NegativeSampler(world.log(), {.alpha = 0.5}));

    const auto linear = funnel::ranking::LogisticRegression::fit(train.rows, train.labels);
    const auto machine =
        funnel::ranking::FM::fit(standardised(train.rows, linear), train.labels, {.factors = 4, .init_scale = 0.1F});

    std::printf("%zu examples to learn from. Weight of a standard deviation of\n", train.labels.size());
    for (std::size_t j = 0; j < features; ++j) {
        std::printf("  %-18s %+.2f\n", names[j], static_cast<double>(linear.weights()[j]));
    }
    std::printf("AUC on the %zu of the last window\n", test.labels.size());
    std::printf("  popularity alone       %.3f\n", funnel::metrics::auc(test.popularity, test.labels));
    std::printf("  logistic regression    %.3f\n", funnel::metrics::auc(linear.score(test.rows), test.labels));
    std::printf("  factorisation machine  %.3f\n",
                funnel::metrics::auc(machine.score(standardised(test.rows, linear)), test.labels));
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Learning to rank: LambdaMART on lists of graded items. Validation lists decide when to stop, test lists judge. The model is
// saved as a LightGBM file, and loaded again.
//
//     g++ -std=c++20 -O2 -I include examples/14_train_lambdamart.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/metrics/mean_ndcg.hpp>
#include <funnel/ranking/lambdamart.hpp>
#include <funnel/ranking/lightgbm.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

namespace {

constexpr std::size_t list_size = 20;

// Lists of items, one after the other: a row of features for each item, and a label from 0 to 3.
struct Lists {
    funnel::Matrix<float> rows;
    std::vector<float> labels;
    std::vector<std::size_t> sizes;
};

// The features are popularity, the match with the user's taste, price relative to what the user spends, and age. No single
// one orders a list well: a price that is too low is as bad as one that is too high, and the match is not always known.
Lists draw_lists(std::size_t n, std::uint64_t seed) {
    Lists lists{funnel::Matrix<float>(n * list_size, 4), {}, std::vector<std::size_t>(n, list_size)};
    for (std::size_t i = 0; i < lists.rows.rows(); ++i) {
        funnel::Random random(seed, i);
        const double popularity = random.normal();
        const double match = random.normal();
        const double price = random.normal();
        const double age = random.normal();
        const double value =
            0.5 * popularity + match - std::abs(price) - (age > 1.0 ? 1.0 : 0.0) + 0.5 * random.normal();

        const bool is_known = random.below(5) > 0;
        const double features[] = {popularity, is_known ? match : std::numeric_limits<double>::quiet_NaN(), price, age};
        std::copy(std::begin(features), std::end(features), lists.rows.row(i).begin());
        lists.labels.push_back(value > 1.5 ? 3.0F : value > 0.5 ? 2.0F : value > -0.5 ? 1.0F : 0.0F);
    }
    return lists;
}

double ndcg_of(const Lists& lists, const std::vector<double>& scores) {
    return funnel::metrics::mean_ndcg(scores, lists.labels, lists.sizes, 10, funnel::metrics::ExponentialGain{});
}

}  // namespace

int main() {
    const Lists train = draw_lists(400, 1);
    const Lists validation = draw_lists(100, 2);
    const Lists test = draw_lists(100, 3);

    const auto model = funnel::ranking::LambdaMART::fit(
        train.rows, train.labels, train.sizes,
        {.rows = validation.rows, .labels = validation.labels, .group_sizes = validation.sizes},
        {.trees = 300, .leaves = 15, .patience = 20});
    const auto& trees = model.forest().trees().trees;
    std::printf(
        "%zu trees were grown, and %zu are kept; NDCG@10 of the validation lists: %.3f after the first, %.3f at best\n",
        model.validation_scores().size(), trees.size(), model.validation_scores()[0],
        model.validation_scores()[trees.size() - 1]);

    std::vector<double> popularity;
    for (std::size_t i = 0; i < test.rows.rows(); ++i) {
        popularity.push_back(test.rows(i, 0));
    }
    const std::vector<double> scores = model.forest().score(test.rows);
    std::printf("NDCG@10 of the test lists: by popularity %.3f, by LambdaMART %.3f\n", ndcg_of(test, popularity),
                ndcg_of(test, scores));

    // LightGBM can load this file, too: lightgbm.Booster(model_file=path).
    std::string path = "/tmp/funnel_example_XXXXXX";
    ::close(::mkstemp(path.data()));
    funnel::ranking::save_lightgbm(model.forest(), path);
    const bool is_same = funnel::ranking::load_lightgbm(path).score(test.rows) == scores;
    ::unlink(path.c_str());
    std::printf("The saved model gives %s scores.\n", is_same ? "the same" : "other");
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Time to train LambdaMART on a random learning-to-rank set: 50,000 rows in lists of 100, 136 features of which some are
// mostly zero and some have few values, 31 leaves, 255 bins. Then the parts of it on their own.
//
//   training_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/nn/pairwise_losses.hpp>
#include <funnel/ranking/lambdamart.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t list_size = 100;
constexpr std::size_t features = 136;

struct Data {
    Matrix<float> rows;
    std::vector<float> labels;
    std::vector<std::size_t> group_sizes;
};

Data random_lists(std::size_t lists) {
    Random random(1);
    Data data{.rows = Matrix<float>(lists * list_size, features),
              .labels = std::vector<float>(lists * list_size),
              .group_sizes = std::vector<std::size_t>(lists, list_size)};
    for (std::size_t i = 0; i < data.labels.size(); ++i) {
        const auto row = data.rows.row(i);
        for (std::size_t j = 0; j < features; ++j) {
            const double x = random.normal();
            row[j] = static_cast<float>(j < 100 ? x : (j < 120 ? std::max(x, 0.0) : std::floor(std::abs(x) * 5.0)));
        }
        const float signal = row[0] + row[1] * row[2] + row[3] + row[110];
        const double relevance = static_cast<double>(signal) + random.normal();
        data.labels[i] = static_cast<float>(std::clamp(std::floor(relevance), 0.0, 4.0));
    }
    return data;
}

constexpr bench::TimingOptions timing{.samples = 5, .sample_seconds = 0.05, .clock = bench::Clock::ThreadCPU};

template <class Work>
bench::Samples time_ms(const Work& work) {
    return bench::scaled(bench::time_ns(work, timing), 1.0e-6);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("training", argc, argv);
    const Data data = random_lists(500);
    const std::size_t n = data.labels.size();
    const std::string setup = std::to_string(n) + " rows x 136, 255 bins; 1 thread";
    Serial serial;

    report.add({.name = "binning",
                .ours = time_ms([&] { bench::keep(ranking::detail::BinnedRows(data.rows, 255, serial)); }),
                .unit = "ms",
                .setup = setup});

    const ranking::detail::Objective objective(ranking::BoostingObjective::LambdaRank, nn::LambdaRank{}, 1, data.labels,
                                               data.group_sizes, {}, n, "training_bench");
    std::vector<double> scores(n);
    for (std::size_t i = 0; i < n; ++i) {
        scores[i] = static_cast<double>(data.rows(i, 0));
    }
    std::vector<ranking::detail::RowGradient> gradients(n);
    report.add({.name = "LambdaRank gradients",
                .ours = time_ms([&] { bench::keep(objective.derive(scores, 0, gradients, serial)); }),
                .unit = "ms",
                .setup = std::to_string(n) + " rows in lists of 100, truncation 30; 1 thread"});

    const ranking::detail::BinnedRows binned(data.rows, 255, serial);
    std::vector<std::uint32_t> all_rows(n);
    std::iota(all_rows.begin(), all_rows.end(), 0U);
    std::vector<std::uint32_t> all_features(features);
    std::iota(all_features.begin(), all_features.end(), 0U);
    for (const std::size_t leaves : {2U, 31U, 255U}) {
        ranking::detail::TreeGrower grower(
            binned, {.leaves = leaves,
                     .max_depth = 65536,
                     .learning_rate = 0.1,
                     .rules = {.min_rows = 20, .min_hessian = 1e-3, .l2 = 0.0, .min_gain = 0.0}});
        report.add({.name = "growing a tree of " + std::to_string(leaves) + " leaves",
                    .ours = time_ms([&] { bench::keep(grower.grow(gradients, all_rows, all_features, serial)); }),
                    .unit = "ms",
                    .setup = setup});
    }

    const ranking::LambdaMARTOptions options{.trees = 10};
    const auto train = [&] {
        bench::keep(ranking::LambdaMART::fit(data.rows, data.labels, data.group_sizes, options));
    };
    report.add(
        {.name = "LambdaMART, 10 trees of 31 leaves, with binning",
         .ours = bench::scaled(
             bench::time_ns(train, {.samples = 3, .sample_seconds = 0.0, .clock = bench::Clock::ThreadCPU}), 1.0e-6),
         .unit = "ms",
         .setup = setup});
    return report.finish();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Time to score rows with forests that are drawn at random: 1,000 rows of 136 features, all different, as one request of
// a ranker would. The tree shapes resemble those of LightGBM: the larger of two leaves is split.
//
//   forest_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/ranking/forest.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr std::size_t features = 136;

// Splits are drawn at quantiles of a uniform feature in [0, 1), of which there are about 200 per feature.
ranking::TreeEnsemble random_forest(std::size_t trees, std::size_t leaves) {
    struct Leaf {
        std::int32_t* link;
        double share;  // of the rows
    };
    Random random(1);
    ranking::TreeEnsemble forest;
    forest.features = features;
    for (std::size_t t = 0; t < trees; ++t) {
        ranking::Tree tree;
        tree.splits.resize(leaves - 1);
        std::int32_t root = ~0;
        std::vector<Leaf> open{{&root, 1.0}};
        for (std::size_t i = 0; i + 1 < leaves; ++i) {
            const std::size_t a = random.below(open.size());
            const std::size_t b = random.below(open.size());
            const std::size_t at = open[a].share > open[b].share ? a : b;
            const Leaf leaf = open[at];
            ranking::TreeSplit& split = tree.splits[i];
            split.feature = static_cast<std::uint32_t>(random.below(features));
            const double below = std::floor(200.0 * (0.1 + 0.8 * random.uniform())) / 200.0;
            split.threshold = below;
            split.missing_goes_left = random.below(2) == 0;
            split.left = *leaf.link;
            split.right = ~static_cast<std::int32_t>(i + 1);
            *leaf.link = static_cast<std::int32_t>(i);
            open[at] = {&split.left, leaf.share * below};
            open.push_back({&split.right, leaf.share * (1.0 - below)});
        }
        for (std::size_t i = 0; i < leaves; ++i) {
            tree.leaf_values.push_back(random.uniform());
        }
        forest.trees.push_back(tree);
    }
    return forest;
}

Matrix<float> random_rows(std::size_t n, double missing) {
    Random random(2);
    Matrix<float> rows(n, features);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = random.uniform() < missing ? std::numeric_limits<float>::quiet_NaN()
                                           : static_cast<float>(random.uniform());
        }
    }
    return rows;
}

constexpr bench::TimingOptions timing{.clock = bench::Clock::ThreadCPU};

// Milliseconds per call, with the quantisation.
template <class Forest>
bench::Samples time_ms(const Forest& forest, MatrixView<const float> rows) {
    auto scratch = forest.scratch();
    std::vector<double> out(rows.rows());
    return bench::scaled(bench::time_ns([&] { bench::keep(forest.score(rows, scratch, out)); }, timing), 1.0e-6);
}

// Microseconds per row, each in a call of its own.
template <class Forest>
bench::Samples time_us_alone(const Forest& forest, MatrixView<const float> rows) {
    auto scratch = forest.scratch();
    std::vector<double> out(1);
    const auto score_all = [&] {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            bench::keep(forest.score(rows.rows_from(i, 1), scratch, out));
        }
    };
    return bench::scaled(bench::time_ns(score_all, timing), 1.0e-3 / static_cast<double>(rows.rows()));
}

void measure(bench::Report& report, std::size_t trees, std::size_t leaves) {
    const ranking::TreeEnsemble ensemble = random_forest(trees, leaves);
    const ranking::BasicForest<kernels::Scalar> scalar(ensemble);
    const ranking::Forest simd(ensemble);
    const std::string name = std::to_string(trees) + " trees x " + std::to_string(leaves) + " leaves";
    const auto per_pair = [&](const bench::Samples& ms, std::size_t rows) {
        return bench::Rate{ms.median * 1.0e6 / static_cast<double>(rows * trees), "ns/row.tree"};
    };
    for (const double missing : {0.0, 0.1}) {
        const Matrix<float> rows = random_rows(1000, missing);
        const std::string setup = "1000 rows, " + std::string(missing > 0.0 ? "10 %" : "no") + " NaN; 1 thread";
        const bench::Samples ms = time_ms(simd, rows);
        report.add({.name = name, .ours = ms, .unit = "ms", .setup = setup, .rate = per_pair(ms, 1000)});
        const bench::Samples scalar_ms = time_ms(scalar, rows);
        report.add({.name = name + ", Scalar",
                    .ours = scalar_ms,
                    .unit = "ms",
                    .setup = setup,
                    .rate = per_pair(scalar_ms, 1000)});
#if FUNNEL_HAS_SIMD && defined(__AVX512F__)
        const ranking::BasicForest<kernels::Simd<xsimd::fma3<xsimd::avx2>>> avx2(ensemble);
        const bench::Samples avx2_ms = time_ms(avx2, rows);
        report.add(
            {.name = name + ", AVX2", .ours = avx2_ms, .unit = "ms", .setup = setup, .rate = per_pair(avx2_ms, 1000)});
#endif
    }
    const Matrix<float> rows = random_rows(1000, 0.1);
    for (const std::size_t n : {2U, 4U, 8U, 16U, 32U, 64U}) {
        const bench::Samples ms = time_ms(simd, rows.view().rows_from(0, n));
        report.add({.name = name + ", " + std::to_string(n) + " rows",
                    .ours = ms,
                    .unit = "ms",
                    .setup = "10 % NaN; 1 thread",
                    .rate = per_pair(ms, n)});
    }
    report.add({.name = name + ", single rows",
                .ours = time_us_alone(simd, rows),
                .unit = "us/row",
                .setup = "1000 rows, 10 % NaN, one call per row; 1 thread"});
    report.add({.name = name + ", making the forest",
                .ours = bench::scaled(bench::time_ns([&] { bench::keep(ranking::Forest(ensemble)); }, timing), 1.0e-6),
                .unit = "ms",
                .setup = "from a TreeEnsemble, with its copy"});
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("ranking", argc, argv);
    measure(report, 500, 31);
    measure(report, 500, 64);
    measure(report, 100, 255);
    return report.finish();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Time to pick diverse slates from random embeddings: dpp, window_dpp and mmr, with candidates that were checked before.
// dpp is timed beside the usual way: form the n x n kernel, then pick greedily from it. Both are in this program and in
// one thread; the picks of both are compared.
//
//   rerank_bench [JSON]
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/rerank/dpp.hpp>
#include <funnel/rerank/mmr.hpp>
#include <funnel/rerank/window_dpp.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

using namespace funnel;

namespace {

constexpr bench::TimingOptions timing{.clock = bench::Clock::ThreadCPU};

// The kernel, then greedy MAP by its Cholesky rows (Chen, Zhang & Zhou, 2018, algorithm 1).
std::vector<std::size_t> dense_dpp(std::span<const float> relevance, MatrixView<const float> unit_rows, std::size_t k) {
    const std::size_t n = unit_rows.rows();
    std::vector<double> quality(n);
    for (std::size_t i = 0; i < n; ++i) {
        quality[i] = std::exp(static_cast<double>(relevance[i]));
    }
    Matrix<float> kernel(n, n);
    for (std::size_t i = 0; i < n; ++i) {
        kernels::score_rows<kernels::InnerProduct>(unit_rows.row(i), unit_rows, kernel.row(i));
        for (std::size_t j = 0; j < n; ++j) {
            kernel(i, j) *= static_cast<float>(quality[i] * quality[j]);
        }
    }
    std::vector<double> left(n);
    for (std::size_t i = 0; i < n; ++i) {
        left[i] = static_cast<double>(kernel(i, i));
    }
    Matrix<double> factors(k, n);
    std::vector<std::size_t> slate;
    while (slate.size() < k) {
        const auto pick = static_cast<std::size_t>(std::max_element(left.begin(), left.end()) - left.begin());
        const std::span<double> factor = factors.row(slate.size());
        std::copy(kernel.row(pick).begin(), kernel.row(pick).end(), factor.begin());
        for (std::size_t p = 0; p < slate.size(); ++p) {
            const std::span<const double> earlier = factors.row(p);
            const double at_pick = earlier[pick];
            for (std::size_t i = 0; i < n; ++i) {
                factor[i] -= at_pick * earlier[i];
            }
        }
        const double inverse = 1.0 / std::sqrt(left[pick]);
        for (std::size_t i = 0; i < n; ++i) {
            factor[i] *= inverse;
            left[i] -= factor[i] * factor[i];
        }
        left[pick] = -1.0;
        slate.push_back(pick);
    }
    return slate;
}

struct Case {
    std::size_t n, d, k;
    bool is_dense_too;
};

void measure(bench::Report& report, const Case& size) {
    Random random(1);
    Matrix<float> rows(size.n, size.d);
    std::vector<float> relevance(size.n);
    for (std::size_t i = 0; i < size.n; ++i) {
        double squared = 0.0;
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.normal());
            squared += static_cast<double>(x) * static_cast<double>(x);
        }
        for (float& x : rows.row(i)) {
            x /= static_cast<float>(std::sqrt(squared));
        }
        relevance[i] = static_cast<float>(random.uniform());
    }
    const std::string setup = "n " + std::to_string(size.n) + ", d " + std::to_string(size.d) + ", k " +
                              std::to_string(size.k) + "; 1 thread";
    const rerank::SlateCandidates<> candidates(rows);
    rerank::SlateScratch scratch(size.n, size.d, size.k);
    std::vector<std::size_t> out(size.k);
    const auto add = [&](const std::string& name, const auto& work) {
        report.add(
            {.name = name, .ours = bench::scaled(bench::time_ns(work, timing), 1e-6), .unit = "ms", .setup = setup});
    };
    const auto pick = [&] {
        bench::keep(rerank::dpp(relevance, candidates, scratch, out, {.k = size.k, .alpha = 1.0F}));
    };
    if (size.is_dense_too) {
        pick();
        const auto dense = dense_dpp(relevance, rows, size.k);
        std::size_t differing = 0;
        for (std::size_t t = 0; t < size.k; ++t) {
            differing += dense[t] != out[t] ? 1U : 0U;
        }
        report.add({.name = "dpp", .peer = "dense", .unit = "ms", .differing = differing, .setup = setup},
                   bench::compare(pick, [&] { bench::keep(dense_dpp(relevance, rows, size.k)); }, timing), 1e6);
    } else {
        add("dpp", pick);
    }
    add("dpp, candidates checked in the call",
        [&] { bench::keep(rerank::dpp(relevance, rows, {.k = size.k, .alpha = 1.0F})); });
    add("mmr", [&] { bench::keep(rerank::mmr(relevance, candidates, scratch, out, {.k = size.k})); });
    add("mmr, candidates checked in the call", [&] { bench::keep(rerank::mmr(relevance, rows, {.k = size.k})); });
    add("window_dpp, window 10",
        [&] { bench::keep(rerank::window_dpp(relevance, candidates, {.k = size.k, .alpha = 1.0F})); });
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("rerank", argc, argv);
    measure(report, {.n = 1'000, .d = 64, .k = 20, .is_dense_too = true});
    measure(report, {.n = 1'000, .d = 64, .k = 50, .is_dense_too = true});
    measure(report, {.n = 10'000, .d = 64, .k = 50, .is_dense_too = false});
    measure(report, {.n = 10'000, .d = 256, .k = 100, .is_dense_too = false});
    return report.finish();
}

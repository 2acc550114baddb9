// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// HNSW on vectors like those of a recommender, and on Gaussian noise, which has no structure. Measures time and memory
// of the build, then recall and time of a search at several values of ef. --quick uses 10,000 vectors, not 100,000.

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"
#include "support/shop.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using funnel::Matrix;
using funnel::Random;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::bench::Report;
using funnel::bench::Shop;

constexpr std::size_t dim = Shop::dim;
constexpr std::size_t query_count = 1000;

Matrix<float> noise(std::size_t n, std::uint64_t seed) {
    Matrix<float> vectors(n, dim);
    for (std::size_t i = 0; i < n; ++i) {
        Random random(seed, i);
        for (float& x : vectors.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return vectors;
}

template <class M>
void measure(Report& report, const std::string& data, const Matrix<float>& vectors, const Matrix<float>& queries,
             std::size_t k, bool has_promise) {
    const std::string name = data + " " + std::string(M::name) + " top " + std::to_string(k) + " ";
    const std::string setup =
        std::to_string(vectors.rows()) + " x " + std::to_string(dim) + ", M 16, ef_construction 200, f32";
    for (const std::size_t threads : {1U, 2U}) {
        funnel::Threads pool(threads);
        const double seconds =
            funnel::bench::time_once_s([&] { funnel::bench::keep(HNSW<M>::build(vectors, {}, pool)); });
        report.add({.name = name + "build, threads " + std::to_string(threads),
                    .ours = funnel::bench::single(seconds),
                    .unit = "s",
                    .setup = setup});
    }
    funnel::Threads pool(2);
    const auto index = HNSW<M>::build(vectors, {}, pool);
    report.add(
        {.name = name + "memory",
         .ours = funnel::bench::single(static_cast<double>(index.memory_bytes()) / static_cast<double>(vectors.rows())),
         .unit = "bytes/vector",
         .setup = setup});

    const auto truth = Flat<M>::build(vectors).search_batch(queries, {.k = k}, pool);
    typename HNSW<M>::Scratch scratch;
    std::vector<Scored<>> out(k);
    for (const std::size_t ef : {16U, 32U, 64U, 128U, 256U, 512U}) {
        std::size_t found = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            out.resize(k);
            out.resize(index.search(queries.row(i), {.k = k, .ef = ef}, scratch, out));
            for (const Scored<>& hit : out) {
                found += static_cast<std::size_t>(std::count_if(
                    truth[i].begin(), truth[i].end(), [&](const Scored<>& other) { return other.id == hit.id; }));
            }
        }
        const double recall = static_cast<double>(found) / static_cast<double>(k * queries.rows());
        out.resize(k);
        const auto all_queries = [&] {
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                funnel::bench::keep(index.search(queries.row(i), {.k = k, .ef = ef}, scratch, out));
            }
        };
        const auto ns = funnel::bench::scaled(
            funnel::bench::time_ns(all_queries, {.samples = 5, .clock = funnel::bench::Clock::ThreadCPU}),
            1.0 / static_cast<double>(queries.rows()));
        const bool is_promise = has_promise && ef == 64;
        report.add({.name = name + "search, ef " + std::to_string(ef),
                    .ours = ns,
                    .unit = "ns",
                    .setup = setup,
                    .rate = funnel::bench::Rate{recall, "recall@" + std::to_string(k)}});
        if (is_promise) {
            std::printf("recall@10 of at least 0.95 at ef 64: %s\n", recall >= 0.95 ? "pass" : "missed");
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<char*> arguments(argv, argv + argc);
    const std::size_t n = funnel::bench::take_flag(arguments, "--quick") ? 10'000 : 100'000;
    Report report("ann", static_cast<int>(arguments.size()), arguments.data());
    const Shop shop;
    const Matrix<float> items = shop.items(n);
    const Matrix<float> users = shop.users(query_count);
    measure<Cosine>(report, "shop", items, users, 10, true);
    measure<InnerProduct>(report, "shop", items, users, 10, false);
    measure<InnerProduct>(report, "shop", items, users, 100, false);
    measure<L2>(report, "noise", noise(n, 3), noise(query_count, 4), 10, false);
    return report.finish();
}

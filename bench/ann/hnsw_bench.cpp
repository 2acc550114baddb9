// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// HNSW on vectors like those of a recommender, and on Gaussian noise, which has no structure. Measures time and memory
// of the build, then recall and time of a search at several values of ef. --quick uses 10,000 vectors, not 100,000.

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>

#include "support/arguments.hpp"
#include "support/bench.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
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

constexpr std::size_t dim = 64;
constexpr std::size_t query_count = 1000;

// Items in 500 clusters of Zipf-distributed sizes, in a space of 16 factors, mapped to 64 dimensions, with noise.
// Popular items have longer vectors. Users mix the tastes of three clusters.
class Shop {
public:
    Shop() : centres_(clusters, factors), mix_(factors, dim) {
        Random random(12345);
        for (auto* matrix : {&centres_, &mix_}) {
            for (std::size_t i = 0; i < matrix->rows(); ++i) {
                for (float& x : matrix->row(i)) {
                    x = static_cast<float>(random.normal());
                }
            }
        }
        double sum = 0.0;
        for (std::size_t cluster = 0; cluster < clusters; ++cluster) {
            sum += 1.0 / static_cast<double>(cluster + 1);
            cumulative_.push_back(sum);
        }
    }

    [[nodiscard]] Matrix<float> items(std::size_t n) const {
        Matrix<float> vectors(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(1, i);
            const auto centre = centres_.row(draw_cluster(random));
            const double popularity = std::exp(0.35 * random.normal());
            std::array<double, factors> taste{};
            for (std::size_t f = 0; f < factors; ++f) {
                taste[f] = popularity * (double{centre[f]} + 0.6 * random.normal());
            }
            emit(taste, random, vectors.row(i));
        }
        return vectors;
    }

    [[nodiscard]] Matrix<float> users(std::size_t n) const {
        Matrix<float> vectors(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(2, i);
            std::array<double, factors> taste{};
            std::array<double, 3> weights{};
            double sum = 0.0;
            for (double& weight : weights) {
                weight = -std::log(random.uniform());
                sum += weight;
            }
            for (const double weight : weights) {
                const auto centre = centres_.row(draw_cluster(random));
                for (std::size_t f = 0; f < factors; ++f) {
                    taste[f] += weight / sum * double{centre[f]};
                }
            }
            for (double& x : taste) {
                x += 0.4 * random.normal();
            }
            emit(taste, random, vectors.row(i));
        }
        return vectors;
    }

private:
    static constexpr std::size_t factors = 16;
    static constexpr std::size_t clusters = 500;

    [[nodiscard]] std::size_t draw_cluster(Random& random) const {
        const double at = random.uniform() * cumulative_.back();
        return static_cast<std::size_t>(std::lower_bound(cumulative_.begin(), cumulative_.end(), at) -
                                        cumulative_.begin());
    }

    void emit(std::span<const double> taste, Random& random, std::span<float> out) const {
        for (std::size_t j = 0; j < dim; ++j) {
            double sum = 0.25 * random.normal();
            for (std::size_t f = 0; f < factors; ++f) {
                sum += taste[f] * double{mix_(f, j)} / 4.0 * (1.5 - static_cast<double>(f) / factors);
            }
            out[j] = static_cast<float>(sum);
        }
    }

    Matrix<float> centres_;
    Matrix<float> mix_;
    std::vector<double> cumulative_;
};

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
    const std::string name = data + " " + std::string(M::name) + " ";
    const std::string setup =
        std::to_string(vectors.rows()) + " x " + std::to_string(dim) + ", M 16, ef_construction 200, f32";
    for (const std::size_t threads : {1U, 2U}) {
        funnel::Threads pool(threads);
        const double seconds =
            funnel::bench::time_once_s([&] { funnel::bench::keep(HNSW<M>::build(vectors, {}, pool)); });
        report.add({.name = name + "build",
                    .peer = "",
                    .ours = seconds,
                    .unit = "s",
                    .setup = setup + ", threads " + std::to_string(threads)});
    }
    funnel::Threads pool(2);
    const auto index = HNSW<M>::build(vectors, {}, pool);
    report.add({.name = name + "memory",
                .peer = "",
                .ours = static_cast<double>(index.memory_bytes()) / static_cast<double>(vectors.rows()),
                .unit = "bytes/vector",
                .setup = setup});

    const auto truth = Flat<M>::build(vectors).search_batch(queries, {.k = k}, pool);
    typename HNSW<M>::Scratch scratch;
    std::vector<Scored<>> out(k);
    for (const std::size_t ef : {16U, 32U, 64U, 128U, 256U, 512U}) {
        if (ef < k) {
            continue;
        }
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
        const double ns =
            funnel::bench::time_ns(all_queries, {.samples = 5, .clock = funnel::bench::Clock::ThreadCPU}).median /
            static_cast<double>(queries.rows());
        char text[64];
        std::snprintf(text, sizeof text, "recall@%zu %.4f, %.0f queries/s", k, recall, 1.0e9 / ns);
        const bool is_promise = has_promise && ef == 64;
        report.add({.name = name + "search, ef " + std::to_string(ef),
                    .peer = "",
                    .ours = ns,
                    .unit = "ns",
                    .setup = setup,
                    .rate = text});
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

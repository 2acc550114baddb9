// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What product codes find, by both definitions of recall, and the memory they take: the figures of the page about PQ.
//
//   codes_bench [JSON]
#include "support/bench.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <vector>

using namespace funnel;
using ann::Cosine;
using ann::IVFPQIndex;

namespace {

using Lists = std::vector<std::vector<Scored<>>>;

constexpr std::size_t dim = 64;
constexpr std::size_t items = 100'000;
constexpr std::size_t users = 1000;
constexpr std::size_t tastes = 16;
constexpr std::size_t clusters = 500;

/// Items and users of a shop: clusters of Zipf sizes in a space of 16 tastes, mapped to 64 dimensions, with noise. A user
/// mixes the tastes of three clusters.
class Shop {
public:
    Shop() : centres_(clusters, tastes), mix_(tastes, dim) {
        Random random(1, 0);
        for (std::size_t i = 0; i < clusters; ++i) {
            for (float& x : centres_.row(i)) {
                x = static_cast<float>(random.normal());
            }
            ends_.push_back((ends_.empty() ? 0.0 : ends_.back()) + 1.0 / static_cast<double>(i + 1));
        }
        for (std::size_t t = 0; t < tastes; ++t) {
            const double scale = (1.5 - static_cast<double>(t) / tastes) / std::sqrt(static_cast<double>(tastes));
            for (float& x : mix_.row(t)) {
                x = static_cast<float>(scale * random.normal());
            }
        }
    }

    [[nodiscard]] Matrix<float> items_of(std::size_t n) const {
        Matrix<float> rows(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(2, i);
            const auto centre = centres_.row(cluster(random));
            std::array<double, tastes> point;
            for (std::size_t t = 0; t < tastes; ++t) {
                point[t] = static_cast<double>(centre[t]) + 0.6 * random.normal();
            }
            emit(point, random, rows.row(i));
        }
        return rows;
    }

    [[nodiscard]] Matrix<float> users_of(std::size_t n) const {
        Matrix<float> rows(n, dim);
        for (std::size_t i = 0; i < n; ++i) {
            Random random(3, i);
            std::array<double, tastes> point{};
            std::array<double, 3> weights;
            std::generate(weights.begin(), weights.end(), [&] { return -std::log(1.0 - random.uniform()); });
            const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
            for (const double weight : weights) {
                const auto centre = centres_.row(cluster(random));
                for (std::size_t t = 0; t < tastes; ++t) {
                    point[t] += weight / sum * static_cast<double>(centre[t]);
                }
            }
            for (double& x : point) {
                x += 0.4 * random.normal();
            }
            emit(point, random, rows.row(i));
        }
        return rows;
    }

private:
    [[nodiscard]] std::size_t cluster(Random& random) const {
        const auto at = std::upper_bound(ends_.begin(), ends_.end() - 1, random.uniform() * ends_.back());
        return static_cast<std::size_t>(at - ends_.begin());
    }

    void emit(const std::array<double, tastes>& point, Random& random, std::span<float> row) const {
        for (std::size_t j = 0; j < dim; ++j) {
            double x = 0.25 * random.normal();
            for (std::size_t t = 0; t < tastes; ++t) {
                x += point[t] * static_cast<double>(mix_(t, j));
            }
            row[j] = static_cast<float>(x);
        }
    }

    Matrix<float> centres_;
    Matrix<float> mix_;
    std::vector<double> ends_;  // of the clusters, in a line as long as their weights
};

void add(bench::Report& report, const std::string& name, double value, const std::string& unit) {
    report.add({.name = name,
                .ours = bench::single(value),
                .unit = unit,
                .setup = "100,000 x 64, Cosine, k 100, 256 lists, nprobe 16, 1,000 queries"});
}

/// How often the nearest vector is in the list, and which part of the nearest ones is.
void add_recall(bench::Report& report, const std::string& name, const Lists& found, const Lists& exact) {
    double best = 0.0;
    double overlap = 0.0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        std::vector<std::uint32_t> ids;
        for (const Scored<>& hit : found[i]) {
            ids.push_back(hit.id);
        }
        std::sort(ids.begin(), ids.end());
        const auto is_found = [&](const Scored<>& hit) { return std::binary_search(ids.begin(), ids.end(), hit.id); };
        best += is_found(exact[i][0]) ? 1.0 : 0.0;
        const auto common = std::count_if(exact[i].begin(), exact[i].end(), is_found);
        overlap += static_cast<double>(common) / static_cast<double>(exact[i].size());
    }
    add(report, name + " best in the list", best / static_cast<double>(exact.size()), "1");
    add(report, name + " overlap", overlap / static_cast<double>(exact.size()), "1");
}

template <class Index>
void add_index(bench::Report& report, const std::string& name, bool opq, const Matrix<float>& vectors,
               const Matrix<float>& queries, const Lists& exact) {
    Threads threads(2);
    const auto index = Index::build(vectors, {.lists = 256, .opq = opq, .seed = 1}, threads);
    for (const std::size_t refine : {0U, 4U, 10U}) {
        add_recall(report, name + " refine " + std::to_string(refine),
                   index.search_batch(queries, {.k = 100, .nprobe = 16, .refine = refine}, threads), exact);
    }
    const auto bare = Index::build(vectors, {.lists = 256, .opq = opq, .seed = 1, .keep_vectors = false}, threads);
    add(report, name + " memory", static_cast<double>(index.memory_bytes()) / items, "bytes/vector");
    add(report, name + " memory without vectors", static_cast<double>(bare.memory_bytes()) / items, "bytes/vector");
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("codes", argc, argv);
    const Shop shop;
    const Matrix<float> vectors = shop.items_of(items);
    const Matrix<float> queries = shop.users_of(users);
    const auto flat = ann::Flat<Cosine, dim, ann::Int8>::build(vectors);
    const Lists exact = flat.search_batch(queries, {.k = 100});
    add_index<IVFPQIndex<dim, 8, Cosine>>(report, "PQ8x8", false, vectors, queries, exact);
    add_index<IVFPQIndex<dim, 8, Cosine>>(report, "OPQ8x8", true, vectors, queries, exact);
    add_index<IVFPQIndex<dim, 32, Cosine, 4>>(report, "PQ32x4", false, vectors, queries, exact);
    return report.finish();
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Claims about vector search that are often repeated, measured on 87,000 vectors of 64 floats in one thread: the recall
// of IVF256,PQ8x8 with nprobe 16 by both definitions, its memory and its time, and how much faster a graph is than brute
// force.
//
//   claims_bench [JSON]
#include "support/bench.hpp"
#include "support/searches.hpp"
#include "support/shop.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <cstddef>
#include <string>
#include <utility>

using namespace funnel;
using ann::Cosine;
using ann::Int8;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t items = 87'000;

class Claims {
public:
    Claims(bench::Report& report, MatrixView<const float> vectors, MatrixView<const float> queries)
        : report_(&report), vectors_(vectors), queries_(queries) {}

    /// IVF256,PQ8x8 and its relatives, for the hundred nearest.
    void check_codes() {
        const auto exact = ann::Flat<Cosine, dim, Int8>::build(vectors_).search_batch(queries_, {.k = 100});
        const auto lists = ann::IVFFlat<Cosine, dim>::build(vectors_, {.lists = 256, .seed = 1});
        add_codes("IVF256,Flat nprobe 16", lists, {.k = 100, .nprobe = 16}, exact);
        using Codes = ann::IVFPQIndex<dim, 8, Cosine>;
        const auto plain = Codes::build(vectors_, {.lists = 256, .seed = 1});
        add_codes("PQ8x8 nprobe 16", plain, {.k = 100, .nprobe = 16, .refine = 0}, exact);
        add_codes("PQ8x8 nprobe 64", plain, {.k = 100, .nprobe = 64, .refine = 0}, exact);
        add_codes("PQ8x8 nprobe 16 refine 4", plain, {.k = 100, .nprobe = 16, .refine = 4}, exact);
        add_codes("PQ8x8 nprobe 16 refine 10", plain, {.k = 100, .nprobe = 16, .refine = 10}, exact);
        const auto rotated = Codes::build(vectors_, {.lists = 256, .opq = true, .seed = 1});
        add_codes("OPQ8x8 nprobe 16", rotated, {.k = 100, .nprobe = 16, .refine = 0}, exact);
        const auto bare = Codes::build(vectors_, {.lists = 256, .seed = 1, .keep_vectors = false});
        add("memory, floats alone", items * dim * sizeof(float) / 1000.0, "KB");
        add("memory, codes alone", items * 8 / 1000.0, "KB");
        add("memory, PQ8x8 without vectors", static_cast<double>(bare.memory_bytes()) / 1000.0, "KB");
        add("memory, PQ8x8 with vectors", static_cast<double>(plain.memory_bytes()) / 1000.0, "KB");
    }

    /// More hits than a graph expands nodes.
    void check_ef() {
        constexpr std::size_t k = 1000;
        const auto exact = ann::Flat<Cosine, dim, Int8>::build(vectors_).search_batch(queries_, {.k = k});
        const auto graph = ann::HNSW<Cosine, dim>::build(vectors_, {.seed = 1});
        const auto found = graph.search_batch(queries_, {.k = k, .ef = 200});
        add("HNSW f32, recall@1000 with ef 200", bench::recall_of(found, exact).overlap, "1");
        const auto ef = bench::smallest_effort(graph, queries_, exact, {.k = k}, 0.95, items).value_or(items);
        add("HNSW f32, ef for a recall@1000 of 0.95", static_cast<double>(ef), "nodes");
    }

    /// Graphs with a recall of 0.95 beside exact scans.
    void check_speed(std::size_t n) {
        const auto some = vectors_.rows_from(0, n);
        const auto floats = ann::Flat<Cosine, dim>::build(some);
        const auto bytes = ann::Flat<Cosine, dim, Int8>::build(some);
        const auto graph = ann::HNSW<Cosine, dim>::build(some, {.seed = 1});
        for (const std::size_t k : {std::size_t{10}, std::size_t{100}}) {
            const std::string what = ", n " + std::to_string(n) + ", k " + std::to_string(k);
            const auto exact = bytes.search_batch(queries_, {.k = k});
            ann::HNSWSearchOptions options{.k = k};
            options.ef = bench::smallest_effort(graph, queries_, exact, options, 0.95, n).value_or(n);
            const double walk = add_time("HNSW f32" + what, graph, options);
            const double scan = add_time("Flat f32" + what, floats, {.k = k});
            const double scan_of_bytes = add_time("Flat int8" + what, bytes, {.k = k});
            add("speed-up of HNSW f32 over Flat f32" + what, scan / walk, "1");
            add("speed-up of HNSW f32 over Flat int8" + what, scan_of_bytes / walk, "1");
        }
    }

private:
    void add(const std::string& name, double value, const std::string& unit) {
        report_->add({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup});
    }

    template <class Index>
    double add_time(const std::string& name, const Index& index, const typename Index::SearchOptions& options) {
        const bench::Samples mean = bench::search_times(index, queries_, options).mean;
        report_->add({.name = name + ", time", .ours = mean, .unit = "us", .setup = setup});
        return mean.median;
    }

    template <class Index>
    void add_codes(const std::string& name, const Index& index, const typename Index::SearchOptions& options,
                   const bench::HitLists& exact) {
        const bench::Recall recall = bench::recall_of(index.search_batch(queries_, options), exact);
        add(name + ", best in the list", recall.best, "1");
        add(name + ", overlap", recall.overlap, "1");
        add_time(name, index, options);
    }

    static constexpr const char* setup = "87,000 x 64 unless n says else, Cosine, 256 lists, 1,000 queries, 1 thread";

    bench::Report* report_;
    MatrixView<const float> vectors_;
    MatrixView<const float> queries_;
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("claims", argc, argv);
    const bench::Shop shop;
    const Matrix<float> vectors = shop.items(items);
    const Matrix<float> queries = shop.users(1000);
    Claims claims(report, vectors, queries);
    claims.check_codes();
    claims.check_ef();
    claims.check_speed(10'000);
    claims.check_speed(items);
    return report.finish();
}

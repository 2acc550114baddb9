// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What a vector search in service costs, on 100,000 vectors of 64 floats: shards beside one graph, exact
// searches one by one and in batches, taking a snapshot, and the memory that indexes of 100 million vectors would need.
//
//   scale_bench [JSON]
#include "support/bench.hpp"
#include "support/searches.hpp"
#include "support/shop.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/ann/snapshot.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>

#include <cstddef>
#include <string>

using namespace funnel;
using ann::Cosine;
using ann::Int8;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t items = 100'000;
constexpr std::size_t many = 100'000'000;

using Graph = ann::HNSW<Cosine, dim>;
using Scan = ann::Flat<Cosine, dim, Int8>;

class Bench {
public:
    explicit Bench(bench::Report& report) : report_(&report) {
        const bench::Shop shop;
        vectors_ = shop.items(items);
        queries_ = shop.users(1000);
        scan_ = Scan::build(vectors_);
    }

    /// Graphs that find 95 % of the ten nearest.
    void add_shards() {
        const auto exact = scan_.search_batch(queries_, {.k = 10});
        for (const std::size_t shards : {1U, 2U, 4U, 8U}) {
            const std::string name = "shards " + std::to_string(shards);
            const double begin = bench::thread_seconds();
            const auto index = ann::Sharded<Graph>::build(vectors_, shards, {.seed = 1});
            add(name + ", build", bench::thread_seconds() - begin, "s");
            ann::HNSWSearchOptions options{.k = 10};
            options.ef = bench::smallest_effort(index, queries_, exact, options, 0.95, items).value_or(items);
            add(name + ", ef", static_cast<double>(options.ef), "candidates");
            add(name + ", recall", bench::recall_of(index.search_batch(queries_, options), exact).overlap, "1");
            add_time(name, bench::search_times(index, queries_, options));
        }
    }

    /// Exact searches in one call for all queries, which reads the vectors once for 64 of them.
    void add_batches() {
        add_time("one by one, Flat int8", bench::search_times(scan_, queries_, {.k = 10}));
        const double begin = bench::thread_seconds();
        bench::keep(scan_.search_batch(queries_, {.k = 10}));
        add("batch, Flat int8, time", 1.0e6 * (bench::thread_seconds() - begin) / static_cast<double>(queries_.rows()),
            "us");
    }

    void add_snapshot() {
        const ann::Snapshot<Scan> live(scan_);
        const auto take = bench::time_ns([&] { bench::keep(live.take()); }, {.clock = bench::Clock::ThreadCPU});
        report_->add({.name = "take a snapshot", .ours = take, .unit = "ns", .setup = "uncontended"});
    }

    /// By memory_estimate().
    void add_memory() {
        const auto gigabytes = [&](const std::string& name, std::size_t bytes) {
            report_->add({.name = "memory of 100 million, " + name,
                          .ours = bench::single(static_cast<double>(bytes) / 1.0e9),
                          .unit = "GB",
                          .setup = "x 64, Cosine, 20,000 lists, M 16"});
        };
        gigabytes("Flat f32", ann::Flat<Cosine, dim>::memory_estimate(many, dim));
        gigabytes("Flat int8", Scan::memory_estimate(many, dim));
        gigabytes("IVFFlat int8", ann::IVFFlat<Cosine, dim, Int8>::memory_estimate(many, dim, {.lists = 20'000}));
        gigabytes("HNSW f32", Graph::memory_estimate(many, dim));
        gigabytes("HNSW int8", ann::HNSW<Cosine, dim, Int8>::memory_estimate(many, dim));
        using Codes = ann::IVFPQIndex<dim, 8, Cosine>;
        gigabytes("IVFPQ 8 bytes", Codes::memory_estimate(many, dim, {.lists = 20'000, .keep_vectors = false}));
        gigabytes("IVFPQ 8 bytes, with vectors", Codes::memory_estimate(many, dim, {.lists = 20'000}));
    }

private:
    void add(const std::string& name, double value, const std::string& unit) {
        report_->add({.name = name, .ours = bench::single(value), .unit = unit, .setup = setup});
    }

    void add_time(const std::string& name, const bench::SearchTimes& times) {
        report_->add({.name = name + ", time", .ours = times.mean, .unit = "us", .setup = setup});
        add(name + ", p99", times.p99, "us");
    }

    static constexpr const char* setup = "100,000 x 64, Cosine, k 10, recall@10 0.95, 1,000 queries, 1 thread";

    bench::Report* report_;
    Matrix<float> vectors_;
    Matrix<float> queries_;
    Scan scan_ = Scan::build(Matrix<float>(0, dim));
};

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("scale", argc, argv);
    Bench bench(report);
    bench.add_shards();
    bench.add_batches();
    bench.add_snapshot();
    bench.add_memory();
    return report.finish();
}

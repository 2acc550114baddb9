// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// Which index for how many items: the time of a search that finds 95 % of the ten nearest, its 99th percentile, the time
// of the build and the memory, for 1,000 to a million vectors, and the number from which one index is faster than
// another. One thread. Graphs end at 300,000 vectors, because a million would take minutes to build.
//
//   crossover_bench [JSON]
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

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <map>
#include <optional>
#include <string>
#include <vector>

using namespace funnel;
using ann::Cosine;
using ann::Int8;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t k = 10;
constexpr double target = 0.95;
constexpr std::array<std::size_t, 7> sizes{1000, 3000, 10'000, 30'000, 100'000, 300'000, 1'000'000};
constexpr std::size_t largest_graph = 300'000;

struct Figures {
    bench::SearchTimes times;  // microseconds
    double build = 0.0;        // seconds
    double bytes = 0.0;        // per vector
    double recall = 1.0;
    std::optional<std::size_t> effort;  // ef or nprobe
};

using Results = std::map<std::string, std::map<std::size_t, Figures>>;  // by index and number of vectors

/// The indexes of the first n items.
class Round {
public:
    Round(MatrixView<const float> items, MatrixView<const float> queries, Results& results)
        : items_(items), queries_(queries), results_(&results) {}

    void run() {
        const std::size_t n = items_.rows();
        const auto lists = static_cast<std::size_t>(std::lround(2.0 * std::sqrt(static_cast<double>(n))));
        exact_ = add_flat<ann::Flat<Cosine, dim, Int8>>("Flat int8");
        add_flat<ann::Flat<Cosine, dim>>("Flat f32");
        if (n <= largest_graph) {
            add_graphs();
        }
        const auto [ivf, ivf_seconds] =
            bench::timed_build<ann::IVFFlat<Cosine, dim, Int8>>(items_, {.lists = lists, .seed = 1});
        add("IVFFlat int8", ivf, ivf_seconds, target, lists);
        // Codes alone may not reach the target. The nprobe is chosen that finds 95 % of what reading all lists finds.
        const auto [codes, codes_seconds] = bench::timed_build<ann::IVFPQIndex<dim, 16, Cosine>>(
            items_, {.lists = lists, .opq = true, .seed = 1, .keep_vectors = false});
        const double most = bench::recall_of(codes.search_batch(queries_, {.k = k, .nprobe = lists}), exact_).overlap;
        add("IVFPQ 16 bytes", codes, codes_seconds, target * most, lists);
        std::printf("%zu vectors done\n", n);
        std::fflush(stdout);
    }

private:
    Figures& figures_of(const std::string& index, double seconds, std::size_t bytes) {
        Figures& figures = (*results_)[index][items_.rows()];
        figures.build = seconds;
        figures.bytes = static_cast<double>(bytes) / static_cast<double>(items_.rows());
        return figures;
    }

    template <class Index>
    bench::HitLists add_flat(const std::string& name) {
        const auto [index, seconds] = bench::timed_build<Index>(items_, {});
        figures_of(name, seconds, index.memory_bytes()).times = bench::search_times(index, queries_, {.k = k});
        return index.search_batch(queries_, {.k = k});
    }

    template <class Index>
    void add(const std::string& name, const Index& index, double seconds, double wanted, std::size_t most) {
        Figures& figures = figures_of(name, seconds, index.memory_bytes());
        typename Index::SearchOptions options;
        options.k = k;
        figures.effort = bench::smallest_effort(index, queries_, exact_, options, wanted, most).value_or(most);
        options = bench::with_effort(options, *figures.effort);
        figures.recall = bench::recall_of(index.search_batch(queries_, options), exact_).overlap;
        figures.times = bench::search_times(index, queries_, options);
    }

    // Links do not depend on the codes, so one graph serves both.
    void add_graphs() {
        const auto [graph, seconds] = bench::timed_build<ann::HNSW<Cosine, dim>>(items_, {.seed = 1});
        add("HNSW f32", graph, seconds, target, items_.rows());
        const auto coded = ann::HNSW<Cosine, dim, Int8>::import(items_, graph.to_graph_file());
        add("HNSW int8", coded, seconds, target, items_.rows());
    }

    MatrixView<const float> items_;
    MatrixView<const float> queries_;
    Results* results_;
    bench::HitLists exact_;
};

/// Rows of one unit for all indexes and sizes.
template <class Value>
void report_all(bench::Report& report, const Results& results, const std::string& what, const std::string& unit,
                const Value& value) {
    for (const auto& [index, of_size] : results) {
        for (const auto& [n, figures] : of_size) {
            const std::optional<bench::Samples> samples = value(figures);
            if (samples) {
                report.add({.name = what + " " + index + " " + std::to_string(n),
                            .ours = *samples,
                            .unit = unit,
                            .setup = "1,000 to 1,000,000 x 64, Cosine, recall@10 0.95, 1,000 queries, 1 thread"});
            }
        }
    }
}

/// The smallest number of vectors from which on `a` was faster at each size that both have.
[[nodiscard]] std::optional<std::size_t> crossover(const Results& results, const std::string& a, const std::string& b) {
    std::optional<std::size_t> from;
    for (const auto& [n, figures] : results.at(a)) {
        const auto other = results.at(b).find(n);
        if (other == results.at(b).end()) {
            continue;
        }
        if (figures.times.mean.median >= other->second.times.mean.median) {
            from.reset();
        } else if (!from) {
            from = n;
        }
    }
    return from;
}

void report_crossovers(bench::Report& report, const Results& results) {
    constexpr std::array<std::array<const char*, 2>, 8> pairs{{{"IVFFlat int8", "Flat f32"},
                                                               {"HNSW f32", "Flat f32"},
                                                               {"HNSW int8", "Flat f32"},
                                                               {"IVFFlat int8", "Flat int8"},
                                                               {"HNSW f32", "Flat int8"},
                                                               {"HNSW int8", "Flat int8"},
                                                               {"HNSW f32", "IVFFlat int8"},
                                                               {"HNSW int8", "IVFFlat int8"}}};
    for (const auto& [a, b] : pairs) {
        const std::string claim = std::string(a) + " is faster than " + b;
        if (const auto from = crossover(results, a, b)) {
            report.add({.name = claim + " from",
                        .ours = bench::single(static_cast<double>(*from)),
                        .unit = "vectors",
                        .setup = "of the sizes measured"});
        } else {
            std::printf("%s: not at the largest size\n", claim.c_str());
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("crossover", argc, argv);
    const bench::Shop shop;
    const Matrix<float> items = shop.items(sizes.back());
    const Matrix<float> queries = shop.users(1000);
    Results results;
    for (const std::size_t n : sizes) {
        Round(items.view().rows_from(0, n), queries, results).run();
    }
    report_all(report, results, "time", "us", [](const Figures& f) { return std::optional(f.times.mean); });
    report_all(report, results, "p99", "us",
               [](const Figures& f) { return std::optional(bench::single(f.times.p99)); });
    report_all(report, results, "build", "s", [](const Figures& f) { return std::optional(bench::single(f.build)); });
    report_all(report, results, "memory", "bytes/vector",
               [](const Figures& f) { return std::optional(bench::single(f.bytes)); });
    report_all(report, results, "recall", "1", [](const Figures& f) { return std::optional(bench::single(f.recall)); });
    report_all(report, results, "effort", "ef or nprobe", [](const Figures& f) {
        return f.effort ? std::optional(bench::single(static_cast<double>(*f.effort))) : std::nullopt;
    });
    report_crossovers(report, results);
    return report.finish();
}

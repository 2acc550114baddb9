// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// What product codes find, by both definitions of recall, and the memory they take: the figures of the page about PQ.
//
//   codes_bench [JSON]
#include "support/bench.hpp"
#include "support/searches.hpp"
#include "support/shop.hpp"

#include <funnel/ann/code_types.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>

#include <cstddef>
#include <string>

using namespace funnel;
using ann::Cosine;
using ann::IVFPQIndex;

namespace {

constexpr std::size_t dim = bench::Shop::dim;
constexpr std::size_t items = 100'000;
constexpr std::size_t users = 1000;

void add(bench::Report& report, const std::string& name, double value, const std::string& unit) {
    report.add({.name = name,
                .ours = bench::single(value),
                .unit = unit,
                .setup = "100,000 x 64, Cosine, k 100, 256 lists, nprobe 16, 1,000 queries"});
}

void add_recall(bench::Report& report, const std::string& name, const bench::HitLists& found,
                const bench::HitLists& exact) {
    const bench::Recall recall = bench::recall_of(found, exact);
    add(report, name + " best in the list", recall.best, "1");
    add(report, name + " overlap", recall.overlap, "1");
}

template <class Index>
void add_index(bench::Report& report, const std::string& name, bool opq, const Matrix<float>& vectors,
               const Matrix<float>& queries, const bench::HitLists& exact) {
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
    const bench::Shop shop;
    const Matrix<float> vectors = shop.items(items);
    const Matrix<float> queries = shop.users(users);
    const auto flat = ann::Flat<Cosine, dim, ann::Int8>::build(vectors);
    const bench::HitLists exact = flat.search_batch(queries, {.k = 100});
    add_index<IVFPQIndex<dim, 8, Cosine>>(report, "PQ8x8", false, vectors, queries, exact);
    add_index<IVFPQIndex<dim, 8, Cosine>>(report, "OPQ8x8", true, vectors, queries, exact);
    add_index<IVFPQIndex<dim, 32, Cosine, 4>>(report, "PQ32x4", false, vectors, queries, exact);
    return report.finish();
}

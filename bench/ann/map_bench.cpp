// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

// A saved index that is mapped, beside one that is loaded: the time until it answers, the memory it owns, and searches.
//
//   map_bench [JSON]
#include "support/bench.hpp"
#include "support/shop.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/parallel.hpp>

#include <cstddef>
#include <filesystem>
#include <string>

using namespace funnel;
using ann::Cosine;

namespace {

constexpr std::size_t count = 100'000;
constexpr bench::TimingOptions timing{.clock = bench::Clock::ThreadCPU};

template <class Index>
void add_index(bench::Report& report, const std::string& name) {
    const bench::Shop shop;
    const auto vectors = shop.items(count);
    Threads threads(2);
    const std::string path = std::filesystem::temp_directory_path() / ("funnel_map_bench_" + name + ".fnl");
    Index::build(vectors, threads).save(path);
    const std::string setup = "100,000 x 64, Cosine; the file is in the cache of the system";
    report.add({.name = name + " map", .peer = "load", .setup = setup},
               bench::compare([&] { bench::keep(Index::map(path)); }, [&] { bench::keep(Index::load(path)); }, timing));
    const auto mapped = Index::map(path);
    const auto loaded = Index::load(path);
    const auto queries = vectors.view().rows_from(0, 20);
    const auto search = [&](const Index& index) { bench::keep(index.search_batch(queries, {.k = 10})); };
    report.add({.name = name + " search, mapped", .peer = "loaded", .setup = setup + "; 20 queries"},
               bench::compare([&] { search(mapped); }, [&] { search(loaded); }, timing));
    const auto bytes_of = [](const Index& index) { return static_cast<double>(index.memory_bytes()) / count; };
    report.add({.name = name + " own memory, mapped",
                .peer = "loaded",
                .ours = bench::single(bytes_of(mapped)),
                .theirs = bench::single(bytes_of(loaded)),
                .unit = "bytes/vector",
                .setup = setup});
    std::filesystem::remove(path);
}

}  // namespace

int main(int argc, char** argv) {
    bench::Report report("map", argc, argv);
    add_index<ann::Flat<Cosine>>(report, "Flat");
    add_index<ann::HNSW<Cosine>>(report, "HNSW");
    return report.finish();
}

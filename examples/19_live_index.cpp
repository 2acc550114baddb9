// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// An index in service: keys of the shop, filters, the ef that reaches a recall, stats of a search, shards, and a new index
// that replaces the old one while threads search.
//
//     g++ -std=c++20 -O2 -I include examples/19_live_index.cpp -pthread -o /tmp/example
//     /tmp/example
#include <funnel/ann/filters.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/keyed.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/ann/snapshot.hpp>
#include <funnel/ann/tune.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace {

using Graph = funnel::ann::HNSW<funnel::ann::Cosine>;

// Random vectors in place of item vectors that a model has learned.
funnel::Matrix<float> draw_vectors(std::size_t rows, std::uint64_t seed) {
    funnel::Matrix<float> vectors(rows, 24);
    for (std::size_t i = 0; i < rows; ++i) {
        funnel::Random random(seed, i);
        for (float& x : vectors.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return vectors;
}

}  // namespace

int main() {
    const auto items = draw_vectors(3000, 1);
    const auto queries = draw_vectors(100, 2);
    funnel::Threads pool(2);
    const auto graph = Graph::build(items, {.M = 16, .ef_construction = 100}, pool);

    // The smallest ef that finds 95 % of the ten nearest, measured on a sample of queries.
    const auto tuned = funnel::ann::tune(graph, queries, 0.95, {.k = 10}, pool);
    std::printf("ef %zu: recall@10 %.3f%s\n", tuned.options.ef, tuned.recall, tuned.reached ? "" : ", not enough");

    // Items in stock as a bitmap, and the items of one shop as a list of ids. The stats say what a search did.
    std::vector<std::uint64_t> in_stock((items.rows() + 63) / 64, 0x5555555555555555);  // every second item
    const std::vector<std::uint32_t> shop{17, 18, 256, 1999};
    auto scratch = graph.scratch(tuned.options);
    std::vector<funnel::Scored<>> hits(10);
    std::size_t found = graph.search(queries.row(0), tuned.options, funnel::ann::Bitmap(in_stock), scratch, hits);
    std::printf("In stock: %zu hits, %llu distances\n", found,
                static_cast<unsigned long long>(scratch.stats().distances));
    found = graph.search(queries.row(0), tuned.options, funnel::ann::SortedIds(shop), scratch, hits);
    std::printf("Of the shop: %zu hits, %llu distances\n", found,
                static_cast<unsigned long long>(scratch.stats().distances));

    // Keys of your own, here names of articles. An article whose picture has changed gets a new vector.
    std::vector<std::string> names;
    for (std::size_t i = 0; i < items.rows(); ++i) {
        names.push_back("article " + std::to_string(i));
    }
    auto catalogue =
        funnel::ann::Keyed<Graph, std::string>::build(names, items, {.M = 16, .ef_construction = 100}, pool);
    catalogue.replace("article 7", queries.row(0));
    catalogue.remove("article 8");
    catalogue.add("a new article", items.row(8));
    std::printf("Nearest: %s\n", catalogue.search(queries.row(0), {.k = 1})[0].key.c_str());

    // Shards answer as one index, and threads share one search.
    const auto shards = funnel::ann::Sharded<Graph>::build(items, 4, {.M = 16, .ef_construction = 100}, pool);
    std::printf("%zu shards of %zu vectors, nearest: %u\n", shards.shards(), shards.size(),
                shards.search(queries.row(0), tuned.options, pool)[0].id);

    // Threads take the index of the moment and keep it as long as they need it; publish() does not wait for them.
    funnel::ann::Snapshot<Graph> live(graph);
    const auto before = live.take();
    live.publish(Graph::build(draw_vectors(2000, 3), {.M = 16, .ef_construction = 100}, pool));
    std::printf("This reader still has %zu vectors, the next one has %zu\n", before->size(), live.take()->size());
}

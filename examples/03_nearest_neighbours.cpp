// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Nearest neighbors: an exact and an approximate index of the same vectors, how often they agree, a search with a
// filter, and adding and removing vectors.
//
//     g++ -std=c++20 -O2 -I include examples/03_nearest_neighbours.cpp -o /tmp/example
//     /tmp/example
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <vector>

namespace {

using funnel::ann::Cosine;  // also available: L2 and InnerProduct

// Random vectors in place of item vectors that a model has learned.
funnel::Matrix<float> draw_vectors(std::size_t rows, std::uint64_t seed) {
    funnel::Matrix<float> vectors(rows, 24);
    for (std::size_t i = 0; i < rows; ++i) {
        funnel::Random random(seed, i);  // each row has its own sequence
        for (float& x : vectors.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return vectors;
}

std::size_t count_common(const std::vector<funnel::Scored<>>& some, const std::vector<funnel::Scored<>>& others) {
    std::size_t common = 0;
    for (const auto& a : some) {
        for (const auto& b : others) {
            common += a.id == b.id ? 1 : 0;
        }
    }
    return common;
}

}  // namespace

int main() {
    const auto items = draw_vectors(3000, 1);
    const auto queries = draw_vectors(100, 2);

    // Flat compares a query with every vector. HNSW searches a graph of the vectors and compares with only a few.
    const auto exact = funnel::ann::Flat<Cosine>::build(items);
    auto index = funnel::ann::HNSW<Cosine>::build(items, {.M = 16, .ef_construction = 100});

    // ef is the number of candidates kept during a search. A larger ef improves recall and takes longer.
    for (const std::size_t ef : {10U, 40U, 160U}) {
        std::size_t found = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const auto truth = exact.search(queries.row(i), {.k = 10});
            found += count_common(index.search(queries.row(i), {.k = 10, .ef = ef}), truth);
        }
        std::printf("ef %3zu: recall@10 %.3f\n", ef, static_cast<double>(found) / (10.0 * 100.0));
    }

    // IVFFlat divides the vectors into lists and reads the nearest ones: quick to build. Its lists hold bytes here.
    const auto lists =
        funnel::ann::IVFFlat<Cosine, std::dynamic_extent, funnel::ann::Int8>::build(items, {.lists = 50});
    std::size_t in_lists = 0;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        in_lists += count_common(lists.search(queries.row(i), {.k = 10, .nprobe = 10}),
                                 exact.search(queries.row(i), {.k = 10}));
    }
    std::printf("10 of 50 lists: recall@10 %.3f\n", static_cast<double>(in_lists) / (10.0 * 100.0));

    // With a filter, a search still returns k items if k of them pass.
    const auto is_in_stock = [](std::uint32_t id) { return id % 50 == 0; };
    std::printf("The nearest in stock:");
    for (const auto& [id, score] : index.search(queries.row(0), {.k = 3}, is_in_stock)) {
        std::printf("  %u (%.2f)", id, static_cast<double>(score));
    }
    std::printf("\n");

    // add() returns the next id, never that of an item that was removed.
    const std::uint32_t added = index.add(queries.row(0));
    const auto with_it = index.search(queries.row(0), {.k = 1});
    std::printf("Added as %u, and found as %u (%.2f)\n", added, with_it[0].id, static_cast<double>(with_it[0].score));

    index.remove(added);
    const auto without_it = index.search(queries.row(0), {.k = 1});
    std::printf("Removed, and the nearest is %u (%.2f)\n", without_it[0].id, static_cast<double>(without_it[0].score));
}

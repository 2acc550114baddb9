// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/index.hpp>

#include "ann/filter_checks.hpp"
#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/vectors.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Threads;
using funnel::ann::Bitmap;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::IVFFlat;
using funnel::ann::L2;
using funnel::ann::SortedIds;
using funnel::testing::Allowed;
using funnel::testing::every;
using funnel::testing::Hits;
using funnel::testing::tastes;

TEST_CASE_TEMPLATE("Index: reads stored vectors back", Index, Flat<L2>, HNSW<L2>, IVFFlat<L2>) {
    const std::vector<float> numbers{1.0F, 2.0F, 3.0F, 4.0F};
    auto index = Index::build(MatrixView<const float>(numbers, 2, 2));
    CHECK(std::ranges::equal(index.vector(1), std::vector{3.0F, 4.0F}));
    CHECK(index.contains(1));
    CHECK_FALSE(index.contains(2));
    CHECK(index.add(std::vector{5.0F, 6.0F}) == 2);
    CHECK(std::ranges::equal(index.vector(2), std::vector{5.0F, 6.0F}));
    index.remove(1);
    CHECK_FALSE(index.contains(1));
    CHECK_THROWS_WITH_AS((void)index.vector(1), "Index::vector: id 1 is not in the index", InvalidArgument);
    CHECK_THROWS_AS((void)index.vector(3), InvalidArgument);
}

TEST_CASE("Index: a stored vector has unit length under Cosine") {
    const std::vector<float> numbers{3.0F, 4.0F};
    const auto index = Flat<Cosine>::build(MatrixView<const float>(numbers, 1, 2));
    CHECK(index.vector(0)[0] == doctest::Approx(0.6));
    CHECK(index.vector(0)[1] == doctest::Approx(0.8));
}

TEST_CASE_TEMPLATE("Index: a bitmap, a list of ids and a callable allow the same, also after removals", Index,
                   Flat<Cosine>, HNSW<Cosine>, Flat<L2>, HNSW<InnerProduct>, IVFFlat<L2>, IVFFlat<Cosine>) {
    const auto vectors = tastes(1500, 8, 1);
    const auto queries = tastes(7, 8, 2);
    auto index = Index::build(vectors);
    using Exact = Flat<typename Index::Metric>;
    auto exact = Exact::build(vectors);
    for (const bool has_removals : {false, true}) {
        for (std::uint32_t id = 0; has_removals && id < 1500; id += 3) {
            index.remove(id);
            exact.remove(id);
        }
        for (const std::uint32_t step : {1U, 2U, 7U, 40U, 200U, 5000U}) {
            CAPTURE(step);
            const Allowed allowed(1500, every(step, 1500));
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                const auto query = queries.row(i);
                const Hits expected = exact.search(query, {.k = 12}, allowed.callable());
                const Hits listed = index.search(query, {.k = 12}, SortedIds(allowed.ids));
                CHECK(listed == expected);
                const Hits mapped = index.search(query, {.k = 12}, Bitmap(allowed.words));
                CHECK(mapped.size() == expected.size());
                const auto passes = allowed.callable();
                for (const auto& hit : mapped) {
                    CHECK(passes(hit.id));
                    CHECK(index.contains(hit.id));
                }
                if (Index::file_kind == "ann.Flat" || (Index::file_kind == "ann.HNSW" && step >= 40)) {
                    CHECK(mapped == expected);
                }
            }
        }
    }
}

TEST_CASE("Index: ids of a filter that the index does not have are ignored") {
    const auto index = Flat<L2>::build(tastes(70, 4, 1));
    const auto query = tastes(1, 4, 2);
    const std::vector<std::uint32_t> ids{3, 69, 70, 4'000'000'000U};
    CHECK(index.search(query.row(0), {.k = 5}, SortedIds(ids)).size() == 2);
    std::vector<std::uint64_t> words(3, 0);
    words[1] = 0xFF0;  // 68 .. 75
    words[2] = 1;
    CHECK(index.search(query.row(0), {.k = 5}, Bitmap(words)).size() == 2);
    CHECK(index.search(query.row(0), {.k = 5}, Bitmap(std::span(words).first(1))).empty());
    CHECK(index.search(query.row(0), {.k = 5}, SortedIds({})).empty());
}

TEST_CASE_TEMPLATE("Index: a batch takes one filter, or one per query", Index, Flat<L2>, HNSW<L2>, IVFFlat<L2>) {
    const auto vectors = tastes(900, 8, 1);
    const auto queries = tastes(20, 8, 2);
    const auto index = Index::build(vectors);
    const Allowed third(900, every(3, 900));
    std::vector<std::function<bool(std::uint32_t)>> filters;
    std::vector<Bitmap> bitmaps;
    std::vector<Allowed> steps;
    for (std::uint32_t i = 0; i < 20; ++i) {
        filters.emplace_back([i](std::uint32_t id) { return id % 20 == i; });
        steps.emplace_back(900, every(i + 1, 900));
    }
    for (const Allowed& step : steps) {
        bitmaps.emplace_back(step.words);
    }
    Threads pool(3);
    const auto batch = index.search_batch(queries, {.k = 4}, filters, pool);
    const auto mapped = index.search_batch(queries, {.k = 4}, bitmaps);
    const auto same = index.search_batch(queries, {.k = 4}, third.callable(), pool);
    const auto listed = index.search_batch(queries, {.k = 4}, SortedIds(third.ids));
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const auto query = queries.row(i);
        CHECK(batch[i] == index.search(query, {.k = 4}, filters[i]));
        CHECK(mapped[i] == index.search(query, {.k = 4}, bitmaps[i]));
        CHECK(same[i] == index.search(query, {.k = 4}, third.callable()));
        CHECK(listed[i] == index.search(query, {.k = 4}, SortedIds(third.ids)));
    }
    filters.pop_back();
    CHECK_THROWS_AS((void)index.search_batch(queries, {.k = 4}, filters), InvalidArgument);
}

TEST_CASE("Index: a scratch says what the last search did") {
    const auto vectors = tastes(3000, 8, 1);
    const auto queries = tastes(2, 8, 2);
    const auto query = queries.row(0);
    Hits out(10);

    const auto flat = Flat<L2>::build(vectors);
    auto flat_scratch = flat.scratch();
    CHECK(flat_scratch.stats() == funnel::ann::SearchStats{});
    flat.search(query, {.k = 10}, flat_scratch, out);
    CHECK(flat_scratch.stats() == funnel::ann::SearchStats{.distances = 3000, .hops = 0, .scanned = true});
    const Allowed few(3000, every(100, 3000));
    flat.search(query, {.k = 10}, SortedIds(few.ids), flat_scratch, out);
    CHECK(flat_scratch.stats() == funnel::ann::SearchStats{.distances = 30, .hops = 0, .scanned = true});
    flat.search(query, {.k = 10}, Bitmap(few.words), flat_scratch, out);
    CHECK(flat_scratch.stats() == funnel::ann::SearchStats{.distances = 30, .hops = 0, .scanned = true});

    const auto graph = HNSW<L2>::build(vectors);
    auto scratch = graph.scratch({.k = 10, .ef = 64});
    graph.search(query, {.k = 10, .ef = 10}, scratch, out);
    const auto narrow = scratch.stats();
    CHECK_FALSE(narrow.scanned);
    CHECK(narrow.hops >= 10);
    CHECK(narrow.distances > narrow.hops);
    CHECK(narrow.distances < 3000);
    graph.search(query, {.k = 10, .ef = 64}, scratch, out);
    CHECK(scratch.stats().distances > narrow.distances);
    graph.search(query, {.k = 10, .ef = 10}, scratch, out);
    CHECK(scratch.stats() == narrow);
    graph.search(query, {.k = 10, .ef = 10}, Bitmap(few.words), scratch, out);
    CHECK(scratch.stats() == funnel::ann::SearchStats{.distances = 30, .hops = 0, .scanned = true});
    graph.search(query, {.k = 0, .ef = 10}, scratch, out);
    CHECK(scratch.stats() == funnel::ann::SearchStats{});
}

TEST_CASE_TEMPLATE("Index: memory_bytes is what a copy allocates", Index, Flat<L2>, Flat<Cosine>, HNSW<L2>,
                   HNSW<InnerProduct>) {
    auto index = Index::build(tastes(700, 20, 1));
    index.remove(3);
    if (funnel::testing::allocations_are_counted) {
        CHECK(funnel::testing::allocated_bytes_of([&] { const Index copy = index; }) == index.memory_bytes());
    }
    const auto estimate = static_cast<double>(Index::memory_estimate(700, 20));
    CHECK(static_cast<double>(index.memory_bytes()) == doctest::Approx(estimate).epsilon(0.02));
    CHECK(Index::memory_estimate(0, 20) == 0);
    CHECK(Index::memory_estimate(7000, 20) > 9 * Index::memory_estimate(700, 20));
    CHECK_THROWS_AS((void)Index::memory_estimate(std::size_t{1} << 31, 20), InvalidArgument);
    CHECK_THROWS_AS((void)Index::memory_estimate(7, std::size_t{1} << 28), InvalidArgument);
}

TEST_CASE("Index: the estimate of the memory of a graph follows M, and rejects an M that build rejects") {
    const auto vectors = tastes(4000, 20, 1);
    for (const std::size_t M : {2U, 4U, 16U, 20U}) {
        CAPTURE(M);
        const auto estimate = static_cast<double>(HNSW<L2>::memory_estimate(4000, 20, {.M = M}));
        const auto index = HNSW<L2>::build(vectors, {.M = M, .ef_construction = 20});
        CHECK(static_cast<double>(index.memory_bytes()) == doctest::Approx(estimate).epsilon(0.02));
    }
    CHECK_THROWS_AS((void)HNSW<L2>::memory_estimate(4000, 20, {.M = 1}), InvalidArgument);
}

TEST_CASE("Index: a search whose filter passes no vector near the query walks little before it scans") {
    const auto vectors = tastes(20'000, 8, 1);
    const auto queries = tastes(3, 8, 2);
    const auto exact = Flat<L2>::build(vectors);
    const auto graph = HNSW<L2>::build(vectors, {.M = 8, .ef_construction = 30});
    auto scratch = graph.scratch({.k = 10, .ef = 20});
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const auto query = queries.row(i);
        const Hits all = exact.search(query, {.k = 20'000});
        std::vector<std::uint64_t> words(20'000 / 64 + 1);
        for (const auto& far : std::span(all).last(10'000)) {
            words[far.id / 64] |= std::uint64_t{1} << (far.id % 64);
        }
        const Bitmap filter(words);
        Hits out(10);
        REQUIRE(graph.search(query, {.k = 10, .ef = 20}, filter, scratch, out) == 10);
        CHECK(out == exact.search(query, {.k = 10}, filter));
        CHECK(scratch.stats().scanned);
        CHECK(scratch.stats().distances > 10'000);  // it did walk
        CHECK(scratch.stats().distances <= 12'000);

        std::vector<std::uint64_t> half(words.size());
        for (std::uint32_t id = 0; id < 20'000; id += 2) {
            half[id / 64] |= std::uint64_t{1} << (id % 64);
        }
        graph.search(query, {.k = 10, .ef = 20}, Bitmap(half), scratch, out);
        CHECK(scratch.stats().distances < 8000);
    }
}

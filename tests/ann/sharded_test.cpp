// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/sharded.hpp>

#include "ann/sample_vectors.hpp"
#include "support/index_contract.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

using funnel::InvalidArgument;
using funnel::MatrixView;
using funnel::Threads;
using funnel::ann::Bitmap;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::FlatSearchOptions;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::L2;
using funnel::ann::Sharded;
using funnel::ann::SortedIds;
using funnel::testing::check_index;
using funnel::testing::Hits;
using funnel::testing::tastes;

TEST_CASE("Sharded: worked by hand, vectors go to the shards in turn") {
    const std::vector<float> numbers{0.0F, 1.0F, 2.0F, 3.0F, 4.0F};
    auto index = Sharded<Flat<L2>>::build(MatrixView<const float>(numbers, 5, 1), 2);
    CHECK(index.shards() == 2);
    CHECK(index.size() == 5);
    const std::vector<float> query{2.4F};
    const Hits hits = index.search(query, {.k = 3});
    REQUIRE(hits.size() == 3);
    CHECK(hits[0].id == 2);  // distances 0.4, 0.6 and 1.4
    CHECK(hits[1].id == 3);
    CHECK(hits[2].id == 1);
    CHECK(index.vector(3)[0] == 3.0F);
    CHECK(index.add(std::vector{2.4F}) == 5);
    CHECK(index.search(query, {.k = 1})[0].id == 5);
    CHECK(index.remove(5));
    CHECK_FALSE(index.remove(5));
    CHECK_FALSE(index.contains(5));
    CHECK(index.contains(4));
    CHECK_THROWS_AS((void)index.vector(5), InvalidArgument);
    CHECK_THROWS_AS((void)index.remove(6), InvalidArgument);
    CHECK(index.next_id() == 6);
}

TEST_CASE("Sharded: keeps the promises of an index") {
    check_index<L2>([](MatrixView<const float> vectors,
                       auto& executor) { return Sharded<Flat<L2>>::build(vectors, 3, {}, executor); },
                    FlatSearchOptions{});
    check_index<Cosine>(
        [](MatrixView<const float> vectors, auto& executor) {
            return Sharded<HNSW<Cosine>>::build(vectors, 2, {.M = 6, .ef_construction = 40}, executor);
        },
        funnel::ann::HNSWSearchOptions{.k = 10, .ef = 300});
}

TEST_CASE_TEMPLATE("Sharded: the bits of one Flat, for any number of shards and threads", M, Cosine, L2, InnerProduct) {
    const auto vectors = tastes(1003, 24, 1);
    const auto queries = tastes(9, 24, 2);
    auto one = Flat<M>::build(vectors);
    for (const std::size_t shards : {1U, 2U, 7U, 256U}) {
        for (const std::size_t threads : {1U, 4U}) {
            Threads pool(threads);
            auto index = Sharded<Flat<M>>::build(vectors, shards, {}, pool);
            CHECK(index.search_batch(queries, {.k = 20}, pool) == one.search_batch(queries, {.k = 20}));
            std::vector<std::uint32_t> ids;
            std::vector<std::uint64_t> words(20);
            for (std::uint32_t id = 5; id < 1100; id += 50) {
                ids.push_back(id);
                words[id / 64] |= std::uint64_t{1} << (id % 64);
            }
            for (std::size_t i = 0; i < queries.rows(); ++i) {
                const auto query = queries.row(i);
                CHECK(index.search(query, {.k = 20}, pool) == one.search(query, {.k = 20}));
                const Hits expected = one.search(query, {.k = 15}, SortedIds(ids));
                CHECK(index.search(query, {.k = 15}, SortedIds(ids), pool) == expected);
                CHECK(index.search(query, {.k = 15}, Bitmap(words), pool) == expected);
                const auto passes = [](std::uint32_t id) { return id % 50 == 5; };
                CHECK(index.search(query, {.k = 15}, passes, pool) == expected);
            }
            CHECK(index.search_batch(queries, {.k = 15}, SortedIds(ids), pool) ==
                  one.search_batch(queries, {.k = 15}, SortedIds(ids)));
        }
    }
}

TEST_CASE("Sharded: a batch asks a callable about each vector once, and about no id that the index does not have") {
    const auto vectors = tastes(1001, 8, 1);
    const auto index = Sharded<Flat<L2, 8, Int8>>::build(vectors, 10);
    std::size_t calls = 0;
    const auto one = [&](std::uint32_t id) {
        REQUIRE(id < 1001);
        ++calls;
        return id == 3;
    };
    for (const Hits& hits : index.search_batch(vectors.view().rows_from(0, 4), {.k = 3}, one)) {
        REQUIRE(hits.size() == 1);
        CHECK(hits[0].id == 3);
    }
    CHECK(calls <= 1001 + 10 * 128);  // each shard asks for a sample first
}

TEST_CASE("Sharded: errors say what is wrong") {
    auto vectors = tastes(10, 3, 1);
    using Index = Sharded<Flat<L2>>;
    CHECK_THROWS_WITH_AS((void)Index::build(vectors, 0), "Sharded::build: shards must lie in [1, 256], got 0",
                         InvalidArgument);
    CHECK_THROWS_AS((void)Index::build(vectors, 257), InvalidArgument);
    vectors(7, 1) = 1e30F;
    CHECK_THROWS_WITH_AS((void)Index::build(vectors, 3),
                         "Sharded::build: row 7 is too long: its length must be at most 2^62", InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/tune.hpp>

#include "ann/sample_vectors.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Threads;
using funnel::ann::Flat;
using funnel::ann::FlatSearchOptions;
using funnel::ann::HNSW;
using funnel::ann::L2;
using funnel::ann::Sharded;
using funnel::ann::SortedIds;
using funnel::ann::tune;
using funnel::testing::Hits;
using funnel::testing::tastes;

namespace {

template <class Index>
double recall_by_definition(const Index& index, const Flat<L2>& exact, MatrixView<const float> queries,
                            std::size_t ef) {
    double sum = 0.0;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        std::set<std::uint32_t> truth;
        for (const auto& hit : exact.search(queries.row(i), {.k = 5})) {
            truth.insert(hit.id);
        }
        for (const auto& hit : index.search(queries.row(i), {.k = 5, .ef = ef})) {
            sum += truth.count(hit.id) > 0 ? 1.0 : 0.0;
        }
    }
    return sum / 5.0 / static_cast<double>(queries.rows());
}

// An index with a known recall: min(nprobe, 6) of 8 hits are right.
struct Stub {
    struct SearchOptions {
        std::size_t k = 8;
        std::size_t nprobe = 1;
    };
    [[nodiscard]] static std::size_t size() { return 1000; }
    [[nodiscard]] static std::size_t next_id() { return 1000; }
    [[nodiscard]] static bool contains(std::uint32_t) { return true; }
    [[nodiscard]] static std::span<const float> vector(std::uint32_t) { return {}; }

    template <class E>
    [[nodiscard]] static std::vector<Hits> search_batch(MatrixView<const float> queries, const SearchOptions&,
                                                        const SortedIds& all, E&&) {
        CHECK(all.ids().size() == 1000);
        return std::vector<Hits>(queries.rows(), hits_from(0));
    }
    template <funnel::Executor E>
    [[nodiscard]] static std::vector<Hits> search_batch(MatrixView<const float> queries, const SearchOptions& options,
                                                        E&&) {
        Hits hits = hits_from(0);
        for (std::size_t i = options.nprobe < 6 ? options.nprobe : 6; i < 8; ++i) {
            hits[i].id += 100;
        }
        return std::vector<Hits>(queries.rows(), hits);
    }
    [[nodiscard]] static Hits hits_from(std::uint32_t first) {
        Hits hits;
        for (std::uint32_t i = 0; i < 8; ++i) {
            hits.push_back({first + i, -static_cast<float>(i)});
        }
        return hits;
    }
};

template <class O>
concept CanBeTuned = funnel::ann::TunableOptions<O>;
static_assert(!CanBeTuned<FlatSearchOptions>);

}  // namespace

TEST_CASE("tune: worked by hand, the smallest nprobe that reaches the target") {
    const Matrix<float> queries(3, 2);
    for (const auto& [target, nprobe] :
         {std::pair{0.1, 1U}, {0.125, 1U}, {0.126, 2U}, {0.5, 4U}, {0.6, 5U}, {0.75, 6U}}) {
        const auto tuned = tune(Stub{}, queries, target);
        CHECK(tuned.reached);
        CHECK(tuned.options.nprobe == nprobe);
        CHECK(tuned.options.k == 8);
        CHECK(tuned.recall == nprobe / 8.0);
    }
}

TEST_CASE("tune: says that a target cannot be reached, and what can") {
    const auto tuned = tune(Stub{}, Matrix<float>(3, 2), 0.8);
    CHECK_FALSE(tuned.reached);
    CHECK(tuned.recall == 0.75);
    CHECK(tuned.options.nprobe == 8);  // 1, 2, 4, 8, 16, ... were tried
}

TEST_CASE("tune: finds the ef of a graph, after removals, for any number of threads") {
    const auto vectors = tastes(3000, 12, 1);
    const auto queries = tastes(40, 12, 2);
    auto exact = Flat<L2>::build(vectors);
    auto index = HNSW<L2>::build(vectors, {.M = 4, .ef_construction = 20});
    for (std::uint32_t id = 0; id < 300; ++id) {
        exact.remove(id);
        index.remove(id);
    }
    for (const double target : {0.5, 0.9, 0.99, 1.0}) {
        CAPTURE(target);
        const auto tuned = tune(index, queries, target, {.k = 5});
        CHECK(tuned.reached);
        CHECK(tuned.recall >= target);
        CHECK(tuned.recall == doctest::Approx(recall_by_definition(index, exact, queries, tuned.options.ef)));
        if (tuned.options.ef > 5) {
            CHECK(recall_by_definition(index, exact, queries, tuned.options.ef - 1) < target);
        }
        Threads pool(3);
        CHECK(tune(index, queries, target, {.k = 5}, pool).options.ef == tuned.options.ef);
    }
    const auto shards = Sharded<HNSW<L2>>::build(vectors, 2, {.M = 4, .ef_construction = 20});
    CHECK(tune(shards, queries, 0.9, {.k = 5}).reached);
}

TEST_CASE("tune: rejects targets, k and samples that say nothing") {
    const auto vectors = tastes(10, 2, 1);
    auto index = HNSW<L2>::build(vectors);
    for (const double target : {0.0, -0.1, 1.1}) {
        CHECK_THROWS_AS((void)tune(index, vectors, target), InvalidArgument);
    }
    CHECK_THROWS_AS((void)tune(index, vectors, 0.9, {.k = 0}), InvalidArgument);
    CHECK_THROWS_AS((void)tune(index, Matrix<float>(0, 2), 0.9), InvalidArgument);
    CHECK_THROWS_AS((void)tune(index, Matrix<float>(3, 3), 0.9), InvalidArgument);
    for (std::uint32_t id = 0; id < 10; ++id) {
        index.remove(id);
    }
    CHECK_THROWS_AS((void)tune(index, vectors, 0.9), InvalidArgument);
}

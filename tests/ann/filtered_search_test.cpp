// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/index_search.hpp>

#include "ann/filter_checks.hpp"
#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/list_search.hpp>
#include <funnel/ann/search_stats.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::Bitmap;
using funnel::ann::Cosine;
using funnel::ann::F32;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::IVFFlat;
using funnel::ann::L2;
using funnel::ann::SearchStats;
using funnel::ann::SortedIds;
using funnel::testing::Allowed;
using funnel::testing::Hits;
using funnel::testing::tastes;

namespace {

// The ids in an order: worst for the query first, or spread.
std::vector<std::uint32_t> some_ids(const Hits& ranking, std::size_t count, bool far) {
    std::vector<std::uint32_t> ids;
    for (std::size_t i = 0; i < count; ++i) {
        ids.push_back(far ? ranking[ranking.size() - 1 - i].id
                          : static_cast<std::uint32_t>(i * ranking.size() / count));
    }
    return ids;
}

// Every filter, near and far from the query: k hits, all of them eligible, with the work of little more than a scan.
template <class M, class Codes, class Index>
void check_work(const Index& index, const typename Index::SearchOptions& options, const Matrix<float>& vectors,
                const Matrix<float>& queries) {
    const std::size_t n = vectors.rows();
    const auto exact = Flat<M, std::dynamic_extent, Codes>::build(vectors);
    auto scratch = index.scratch(options);
    Hits out(10);
    for (std::size_t q = 0; q < queries.rows(); ++q) {
        const auto query = queries.row(q);
        const Hits ranking = exact.search(query, {.k = n});
        for (const bool far : {false, true}) {
            for (const std::size_t divisor : {2U, 4U, 10U, 50U, 200U}) {
                CAPTURE(far);
                CAPTURE(divisor);
                const Allowed allowed(n, some_ids(ranking, n / divisor, far));
                std::size_t calls = 0;
                const auto callable = [&](std::uint32_t id) {
                    ++calls;
                    return allowed.flags[id] != 0;
                };
                const auto check = [&](std::size_t hits, bool must_be_exact) {
                    REQUIRE(hits == 10);
                    const Hits best = exact.search(query, {.k = 10}, Bitmap(allowed.words));
                    if (must_be_exact || scratch.stats().scanned) {
                        CHECK(out == best);
                    }
                    CHECK(std::all_of(out.begin(), out.end(), [&](auto hit) { return allowed.flags[hit.id] != 0; }));
                    CHECK(scratch.stats().distances <= n + n / 5);
                };
                check(index.search(query, options, callable, scratch, out), false);
                CHECK(calls <= 128 + n + n / 8);
                check(index.search(query, options, Bitmap(allowed.words), scratch, out), false);
                check(index.search(query, options, SortedIds(allowed.ids), scratch, out), true);
            }
        }
    }
}

// 200 inverted lists of 20,000 vectors, and the ranking of all vectors for a query: filters may pass what is near or far.
struct RankedLists {
    Matrix<float> vectors = tastes(20'000, 16, 1);
    Matrix<float> query = tastes(1, 16, 2);
    IVFFlat<L2, 16> index = IVFFlat<L2, 16>::build(vectors, {.lists = 200});
    Hits ranking = Flat<L2>::build(vectors).search(query.row(0), {.k = 20'000});
    Hits out = Hits(10);

    /// The work of a search for the ten best of these ids.
    SearchStats search(const std::vector<std::uint32_t>& ids, std::size_t nprobe) {
        const Allowed allowed(20'000, ids);
        auto scratch = index.scratch({.k = 10, .nprobe = nprobe});
        REQUIRE(index.search(query.row(0), {.k = 10, .nprobe = nprobe}, Bitmap(allowed.words), scratch, out) == 10);
        return scratch.stats();
    }
};

}  // namespace

TEST_CASE_TEMPLATE("Filtered search: costs little more than a scan, whatever passes", Codes, F32, Int8) {
    const auto vectors = tastes(10'000, 32, 1);
    const auto queries = tastes(4, 32, 2);
    check_work<L2, Codes>(HNSW<L2, std::dynamic_extent, Codes>::build(vectors, {.M = 8, .ef_construction = 40}),
                          {.k = 10, .ef = 40}, vectors, queries);
    check_work<Cosine, Codes>(HNSW<Cosine, 32, Codes>::build(vectors, {.M = 8, .ef_construction = 40}),
                              {.k = 10, .ef = 40}, vectors, queries);
    check_work<L2, Codes>(IVFFlat<L2, std::dynamic_extent, Codes>::build(vectors, {.lists = 64}),
                          {.k = 10, .nprobe = 8}, vectors, queries);
    check_work<Cosine, Codes>(IVFFlat<Cosine, 32, Codes>::build(vectors, {.lists = 64}), {.k = 10, .nprobe = 8},
                              vectors, queries);
}

// The walk must end where it shows that a scan is cheaper.
TEST_CASE("Filtered search: a walk that meets too few eligible vectors stops at a sixth of a scan") {
    const auto vectors = tastes(20'000, 16, 1);
    const auto query = tastes(1, 16, 2);
    const auto index = HNSW<L2, 16, Int8>::build(vectors, {.M = 8, .ef_construction = 30});
    const Hits ranking = Flat<L2>::build(vectors).search(query.row(0), {.k = 20'000});
    const Allowed allowed(20'000, some_ids(ranking, 10'000, true));
    auto scratch = index.scratch({.k = 10, .ef = 20});
    Hits out(10);
    REQUIRE(index.search(query.row(0), {.k = 10, .ef = 20}, Bitmap(allowed.words), scratch, out) == 10);
    CHECK(scratch.stats().scanned);
    CHECK(scratch.stats().distances > 20'000);                // it did walk
    CHECK(scratch.stats().distances < 20'000 + 20'000 / 20);  // codes are read at random for a fifth of a scan's time
}

TEST_CASE("Filtered search: lists with too few eligible vectors near the query are given up at an eighth of a scan") {
    RankedLists lists;
    const SearchStats stats = lists.search(some_ids(lists.ranking, 10'000, true), 20);
    CHECK(stats.scanned);
    CHECK(stats.distances > 10'000);  // it did read lists, and then scored those that pass
    CHECK(stats.distances < 10'000 + 20'000 / 12);
    CHECK(lists.out == Hits(lists.ranking.begin() + 10'000, lists.ranking.begin() + 10'010));
}

TEST_CASE("Filtered search: more lists are read where fewer vectors pass near the query than elsewhere") {
    RankedLists lists;
    std::vector<std::uint32_t> ids;  // a quarter of the nearest 10,000, and three quarters of the others
    for (std::size_t i = 0; i < lists.ranking.size(); ++i) {
        if (i < 10'000 ? i % 4 == 0 : i % 4 != 0) {
            ids.push_back(lists.ranking[i].id);
        }
    }
    const SearchStats stats = lists.search(ids, 10);
    CHECK(!stats.scanned);
    CHECK(stats.hops > 25);  // 20 lists would do if half of the vectors passed everywhere
    CHECK(stats.hops < 60);
}

TEST_CASE("fewest_lists: worked by hand, so few that chance is no reason to give up") {
    using funnel::ann::detail::fewest_lists;
    CHECK(fewest_lists(1000, 10, 100, 1000) == 80);  // (100 + 2 * 10 + 4) / 1000 = 0.124, and 10 / 0.124 = 80.6
    CHECK(fewest_lists(1000, 10, 0, 40) == 100);     // 4 / 40
    CHECK(fewest_lists(1000, 10, 0, 4) == 10);
    CHECK(fewest_lists(1000, 10, 0, 4000) == 1000);  // there are no more
}

// Where one vector in two passes, but none of the hundred in the nearest list, 20 lists cannot be enough.
TEST_CASE("Filtered search: lists are given up as soon as it is likely that a scan is cheaper") {
    RankedLists lists;
    const SearchStats stats = lists.search(some_ids(lists.ranking, 10'000, true), 20);
    CHECK(stats.scanned);
    CHECK(stats.hops >= 1);
    CHECK(stats.hops <= 3);
}

TEST_CASE_TEMPLATE("Filtered search: lists are not read on and on for the last hit", Codes, F32, Int8) {
    Matrix<float> vectors(20'000, 2);
    for (std::size_t i = 0; i < vectors.rows(); ++i) {
        vectors(i, 0) = static_cast<float>(i);
    }
    const auto index = IVFFlat<L2, 2, Codes>::build(vectors, {.lists = 1000});
    std::vector<std::uint32_t> ids;  // the 24 nearest, and the farthest
    for (std::uint32_t i = 0; i < 1000; ++i) {
        ids.push_back(i < 24 ? i : 19'000 + i);
    }
    const Allowed allowed(vectors.rows(), ids);
    const typename IVFFlat<L2, 2, Codes>::SearchOptions options{.k = 25, .nprobe = 1};
    auto scratch = index.scratch(options);
    Hits out(25);
    REQUIRE(index.search(vectors.row(0), options, Bitmap(allowed.words), scratch, out) == 25);
    CHECK(out.back().id == 19'024);
    CHECK(scratch.stats().scanned);
    CHECK(scratch.stats().distances < 1000 + 20'000 / 10);
}

TEST_CASE_TEMPLATE("Filtered search: a callable is not asked about removed vectors, in a batch neither", Codes, F32,
                   Int8) {
    const auto vectors = tastes(1000, 16, 1);
    const auto check = [&](auto index, const auto& options) {
        for (std::uint32_t id = 0; id < 500; ++id) {
            index.remove(id);
        }
        const auto one = [](std::uint32_t id) {
            REQUIRE(id >= 500);
            return id == 700;
        };
        const auto queries = vectors.view().rows_from(0, 20);
        for (const Hits& hits : index.search_batch(queries, options, one)) {
            CHECK(hits.size() == 1);
        }
        CHECK(index.search(queries.row(0), options, one).size() == 1);
    };
    check(Flat<L2, 16, Codes>::build(vectors), funnel::ann::FlatSearchOptions{.k = 10});
    check(HNSW<L2, 16, Codes>::build(vectors, {.M = 8, .ef_construction = 30}),
          funnel::ann::HNSWSearchOptions{.k = 10, .ef = 20});
    check(IVFFlat<L2, 16, Codes>::build(vectors, {.lists = 30}), funnel::ann::IVFSearchOptions{.k = 10, .nprobe = 4});
}

TEST_CASE_TEMPLATE("Filtered search: a callable that few vectors pass is asked once for all queries of a batch", Codes,
                   F32, Int8) {
    const auto vectors = tastes(5000, 16, 1);
    const auto queries = tastes(30, 16, 2);
    const auto check = [&](const auto& index, const auto& options) {
        std::size_t calls = 0;
        const auto few = [&](std::uint32_t id) {
            ++calls;
            return id % 250 == 7;
        };
        const auto lists = index.search_batch(queries, options, few);
        CHECK(calls <= (5000 + 2 * 128) * ((queries.rows() + 7) / 8));  // a batch may be searched in parts
        const auto exact = Flat<L2>::build(vectors);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            CHECK(lists[i] == exact.search(queries.row(i), {.k = 10}, few));
        }
    };
    using funnel::ann::HNSWSearchOptions;
    using funnel::ann::IVFSearchOptions;
    check(Flat<L2, 16, Codes>::build(vectors), funnel::ann::FlatSearchOptions{.k = 10});
    check(HNSW<L2, 16, Codes>::build(vectors, {.M = 8, .ef_construction = 30}), HNSWSearchOptions{.k = 10, .ef = 20});
    check(IVFFlat<L2, 16, Codes>::build(vectors, {.lists = 70}), IVFSearchOptions{.k = 10, .nprobe = 4});
}

TEST_CASE_TEMPLATE_DEFINE("Filtered search: a scan of codes by a graph or by lists equals one of floats, to the bit",
                          Backend, scans_of_codes) {
    const auto check = [](auto metric, const Matrix<float>& rows, const Matrix<float>& queries) {
        using M = decltype(metric);
        const auto exact = Flat<M, std::dynamic_extent, F32, Backend>::build(rows);
        auto graph = HNSW<M, std::dynamic_extent, Int8, Backend>::build(rows.view().rows_from(0, 500),
                                                                        {.M = 4, .ef_construction = 10});
        auto lists = IVFFlat<M, std::dynamic_extent, Int8, Backend>::build(rows.view().rows_from(0, 500), {.lists = 7});
        for (std::size_t i = 500; i < rows.rows(); ++i) {
            graph.add(rows.row(i));
            lists.add(rows.row(i));
        }
        for (const std::uint32_t divisor : {2U, 5U}) {
            const auto passes = [&](std::uint32_t id) { return id % divisor == 1; };
            for (const std::size_t k : {1U, 10U, 100U}) {
                CAPTURE(k);
                for (std::size_t i = 0; i < queries.rows(); ++i) {
                    const Hits hits = exact.search(queries.row(i), {.k = k}, passes);
                    REQUIRE(graph.search(queries.row(i), {.k = k, .ef = 100}, passes) == hits);
                    REQUIRE(lists.search(queries.row(i), {.k = k, .nprobe = 7}, passes) == hits);
                }
            }
        }
    };
    for (const std::size_t d : {3U, 64U, 70U}) {
        for (const int spread : {0, 20}) {  // lengths from 2^-spread to 2^spread
            for (const bool has_copies : {false, true}) {
                Matrix<float> rows = tastes(600, d, 1);
                for (std::size_t i = 0; i < rows.rows(); ++i) {
                    const auto from = rows.row(has_copies ? i % 9 : i);
                    std::vector<float> row(from.begin(), from.end());
                    for (float& x : row) {
                        x = std::ldexp(x, has_copies || spread == 0 ? 0 : static_cast<int>(i % 41) - spread);
                    }
                    std::copy(row.begin(), row.end(), rows.row(i).begin());
                }
                Matrix<float> queries = tastes(4, d, 2);
                std::copy(rows.row(3).begin(), rows.row(3).end(), queries.row(0).begin());
                check(L2{}, rows, queries);
                check(InnerProduct{}, rows, queries);
                check(Cosine{}, rows, queries);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(scans_of_codes, funnel::testing::HostBackends);

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/ivf.hpp>

#include "ann/filter_checks.hpp"
#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"
#include "support/damage.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::ann::Cosine;
using funnel::ann::F16;
using funnel::ann::F32;
using funnel::ann::Flat;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::IVFFlat;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::recall;
using funnel::testing::signs;
using funnel::testing::small_integers;
using funnel::testing::tastes;

TEST_CASE_TEMPLATE("IVFFlat: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return IVFFlat<M>::build(vectors, {.lists = 12}, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::IVFSearchOptions{.nprobe = 12});  // all lists: exact
    funnel::testing::check_index_searches<M>(build, funnel::ann::IVFSearchOptions{.nprobe = 3}, {.min_recall = 0.5});
}

namespace {

template <class M, class Codes>
void check_promises_with_codes() {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return IVFFlat<M, std::dynamic_extent, Codes>::build(vectors, {.lists = 12}, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::IVFSearchOptions{.nprobe = 12});  // all lists: exact
    funnel::testing::check_index_searches<M>(build, funnel::ann::IVFSearchOptions{.nprobe = 3}, {.min_recall = 0.5});
    funnel::testing::check_index_searches<M>(build, funnel::ann::IVFSearchOptions{.nprobe = 3, .refine = 0},
                                             {.min_recall = 0.5, .scores_are_exact = false});
}

// The most vectors that a search of one list reads, over all vectors as queries.
template <class Index>
std::size_t most_read(const Index& index, const Matrix<float>& vectors) {
    auto scratch = index.scratch();
    Hits out(1);
    std::size_t most = 0;
    for (std::size_t i = 0; i < vectors.rows(); ++i) {
        CHECK(index.search(vectors.row(i), {.k = 1, .nprobe = 1, .refine = 0}, scratch, out) == 1);
        most = std::max<std::size_t>(most, scratch.stats().distances);
    }
    return most;
}

}  // namespace

TEST_CASE_TEMPLATE("IVFFlat: keeps what every index promises, with lists of bytes", M, L2, InnerProduct, Cosine) {
    check_promises_with_codes<M, Int8>();
}

TEST_CASE_TEMPLATE("IVFFlat: keeps what every index promises, with lists of halves", M, L2, InnerProduct, Cosine) {
    check_promises_with_codes<M, F16>();
}

TEST_CASE("IVFFlat: worked by hand") {
    // Two lists, {0, 1} and {2, 3}, whose centroids are (0, 0.5) and (9, 0.5). The query (4, 0) is nearer to the first:
    // squared distances 16, 17, 25, 26. With one list, it finds two; with k = 3, it has to read the other as well.
    const std::vector<float> corners{0.0F, 0.0F, 0.0F, 1.0F, 9.0F, 0.0F, 9.0F, 1.0F};
    const auto index = IVFFlat<L2>::build(MatrixView<const float>(corners, 4, 2), {.lists = 2});
    const std::vector<float> query{4.0F, 0.0F};
    CHECK(index.search(query, {.k = 2, .nprobe = 1}) == Hits{{0, -16.0F}, {1, -17.0F}});
    CHECK(index.search(query, {.k = 3, .nprobe = 1}) == Hits{{0, -16.0F}, {1, -17.0F}, {2, -25.0F}});
    auto scratch = index.scratch();
    Hits out(2);
    CHECK(index.search(query, {.k = 2, .nprobe = 1}, scratch, out) == 2);
    CHECK(scratch.stats() == funnel::ann::SearchStats{.distances = 2, .hops = 1, .scanned = false});
    CHECK(index.search(query, {.k = 2, .nprobe = 2}, scratch, out) == 2);
    CHECK(scratch.stats().hops == 2);
}

TEST_CASE_TEMPLATE_DEFINE("IVFFlat: exact, ties included, once all lists are read", Backend, ivf_exact) {
    const auto check = []<class M>(M, const Matrix<float>& vectors, const Matrix<float>& queries) {
        const auto index = IVFFlat<M, std::dynamic_extent, F32, Backend>::build(vectors, {.lists = 15, .seed = 1});
        const std::size_t n = vectors.rows();
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const Hits all = nearest_by_definition<M>(vectors, queries.row(i), n);
            CHECK(index.search(queries.row(i), {.k = 10, .nprobe = 15}) == Hits(all.begin(), all.begin() + 10));
            CHECK(index.search(queries.row(i), {.k = n + 1, .nprobe = 1}) == all);
        }
    };
    check(L2{}, small_integers(700, 9, 1), small_integers(5, 9, 2));
    check(InnerProduct{}, small_integers(700, 9, 3), small_integers(5, 9, 4));
    check(Cosine{}, signs(700, 1), signs(5, 2));
}
TEST_CASE_TEMPLATE_APPLY(ivf_exact, funnel::testing::HostBackends);

TEST_CASE("IVFFlat: a search equals one of the vectors in the lists of the nearest centroids") {
    const Matrix<float> vectors = tastes(1000, 8, 1);
    const Matrix<float> queries = tastes(20, 8, 2);
    const auto kmeans = funnel::quantise::KMeans<>::fit(vectors, {.clusters = 20, .seed = 3});
    const auto list_of = kmeans.assign(vectors);
    const auto centroids = Flat<InnerProduct>::build(kmeans.centroids());
    const auto index = IVFFlat<InnerProduct>::build(vectors, {.lists = 20, .seed = 3});
    const auto flat = Flat<InnerProduct>::build(vectors);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const Hits nearest = centroids.search(queries.row(i), {.k = 4});
        const auto is_read = [&](std::uint32_t id) {
            return std::any_of(nearest.begin(), nearest.end(), [&](auto hit) { return hit.id == list_of[id]; });
        };
        CHECK(index.search(queries.row(i), {.k = 5, .nprobe = 4}) == flat.search(queries.row(i), {.k = 5}, is_read));
    }
}

// To a query that is this long, all vectors are as far as rounding allows to tell, and compilers that may reorder sums
// round the scores of rows that are scored together otherwise.
TEST_CASE("IVFFlat: rounding errors do not make a search read a list twice") {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        Matrix<float> vectors(255, 65);
        std::vector<float> query(65);
        Random random(seed, 1);
        for (std::size_t j = 0; j < query.size(); ++j) {
            query[j] = (static_cast<float>(random.below(2000)) - 1000.0F) * 1e14F;
            for (std::size_t i = 0; i < vectors.rows(); ++i) {
                vectors.row(i)[j] = static_cast<float>(random.below(1000));
            }
        }
        const auto index = IVFFlat<L2>::build(vectors, {.lists = 255});
        for (const std::size_t k : {40U, 100U, 255U}) {
            std::set<std::uint32_t> ids;
            for (const auto& hit : index.search(query, {.k = k, .nprobe = 16})) {
                ids.insert(hit.id);
            }
            CHECK(ids.size() == k);
        }
    }
}

TEST_CASE("IVFFlat: recall of ten with an eighth of the lists is at least 0.95") {
    const auto recall_at_10 = []<class M>(M, const Matrix<float>& vectors, const Matrix<float>& queries) {
        const auto index = IVFFlat<M>::build(vectors, {.lists = 64});
        return recall(index.search_batch(queries, {.k = 10, .nprobe = 8}),
                      Flat<M>::build(vectors).search_batch(queries, {.k = 10}));
    };
    const Matrix<float> vectors = tastes(3000, 16, 1);
    const Matrix<float> queries = tastes(100, 16, 2);
    CHECK(recall_at_10(Cosine{}, vectors, queries) >= 0.95);
    CHECK(recall_at_10(L2{}, vectors, queries) >= 0.95);
    CHECK(recall_at_10(InnerProduct{}, vectors, queries) >= 0.95);
}

TEST_CASE_TEMPLATE("IVFFlat: bytes lose next to nothing where candidates are scored again, and little where not", M, L2,
                   InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(3000, 19, 1);
    const Matrix<float> queries = tastes(100, 19, 2);
    const auto exact = IVFFlat<M>::build(vectors, {.lists = 64});
    const auto bytes = IVFFlat<M, 19, Int8>::build(vectors, {.lists = 64});
    const auto expected = exact.search_batch(queries, {.k = 10, .nprobe = 8});
    CHECK(recall(bytes.search_batch(queries, {.k = 10, .nprobe = 8}), expected) >= 0.999);
    const auto approximate = bytes.search_batch(queries, {.k = 10, .nprobe = 8, .refine = 0});
    const double recall_of_codes = recall(approximate, expected);
    CHECK(recall_of_codes >= 0.95);
    CHECK(recall_of_codes < 1.0);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const auto query = queries.row(i);
        double length = 0.0;
        for (const float x : query) {
            length += static_cast<double>(x) * static_cast<double>(x);
        }
        for (const auto& hit : approximate[i]) {
            const double score = funnel::testing::score_by_definition<M>(query, vectors.row(hit.id));
            CHECK(std::abs(static_cast<double>(hit.score) - score) < 0.02 * (M::normalises ? 1.0 : length + 10.0));
        }
    }
    // With all lists, the result is exact.
    const auto all = Flat<M>::build(vectors).search_batch(queries, {.k = 10});
    CHECK(bytes.search_batch(queries, {.k = 10, .nprobe = 64, .refine = 1}) == all);
}

TEST_CASE_TEMPLATE("IVFFlat: halves lose nothing where candidates are scored again, and next to nothing where not", M,
                   L2, InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(3000, 19, 1);
    const Matrix<float> queries = tastes(100, 19, 2);
    const auto halves = IVFFlat<M, 19, F16>::build(vectors, {.lists = 64});
    const auto expected = IVFFlat<M>::build(vectors, {.lists = 64}).search_batch(queries, {.k = 10, .nprobe = 8});
    CHECK(halves.search_batch(queries, {.k = 10, .nprobe = 8}) == expected);
    const auto approximate = halves.search_batch(queries, {.k = 10, .nprobe = 8, .refine = 0});
    CHECK(recall(approximate, expected) >= 0.99);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const auto query = queries.row(i);
        for (const auto& hit : approximate[i]) {
            const auto vector = vectors.row(hit.id);
            const double score = funnel::testing::score_by_definition<M>(query, vector);
            const double squares = funnel::testing::score_by_definition<InnerProduct>(query, query) +
                                   funnel::testing::score_by_definition<InnerProduct>(vector, vector);
            CHECK(std::abs(static_cast<double>(hit.score) - score) < 0x1p-10 * (M::normalises ? 1.0 : squares));
        }
    }
    const auto all = Flat<M>::build(vectors).search_batch(queries, {.k = 10});
    CHECK(halves.search_batch(queries, {.k = 10, .nprobe = 64, .refine = 1}) == all);
}

TEST_CASE_TEMPLATE("IVFFlat: with codes, a few vectors of length 2^61 do not spoil the scores of the others", Codes,
                   Int8, F16) {
    Matrix<float> vectors = tastes(2000, 24, 1);
    const Matrix<float> queries = tastes(50, 24, 2);
    for (std::size_t i = 0; i < 2000; i += 400) {
        for (float& x : vectors.row(i)) {
            x *= 0x1p55F;
        }
    }
    const auto exact = IVFFlat<L2>::build(vectors, {.lists = 20});
    const auto coded = IVFFlat<L2, std::dynamic_extent, Codes>::build(vectors, {.lists = 20});
    CHECK(recall(coded.search_batch(queries, {.k = 10, .nprobe = 10}),
                 exact.search_batch(queries, {.k = 10, .nprobe = 10})) >= 0.999);
}

TEST_CASE_TEMPLATE("IVFFlat: only candidates near the k-th best are scored again, however many refine allows", M, L2,
                   InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(3000, 19, 1);
    const Matrix<float> queries = tastes(100, 19, 2);
    const auto exact = IVFFlat<M>::build(vectors, {.lists = 64});
    const auto bytes = IVFFlat<M, 19, Int8>::build(vectors, {.lists = 64});
    auto exact_scratch = exact.scratch();
    auto scratch = bytes.scratch();
    Hits expected(10);
    Hits found(10);
    std::size_t scored_again = 0;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        CHECK(exact.search(queries.row(i), {.k = 10, .nprobe = 16}, exact_scratch, expected) == 10);
        CHECK(bytes.search(queries.row(i), {.k = 10, .nprobe = 16, .refine = 50}, scratch, found) == 10);
        CHECK(found == expected);
        scored_again += scratch.stats().distances - exact_scratch.stats().distances;
    }
    MESSAGE("scored again per hit: ", static_cast<double>(scored_again) / 1000.0);
    CHECK(scored_again >= 1000);
    CHECK(scored_again < 4000);  // of 50,000
}

TEST_CASE("IVFFlat: a dimension that is part of the type is checked") {
    const Matrix<float> vectors = small_integers(20, 3, 1);
    CHECK_THROWS_WITH_AS((void)(IVFFlat<L2, 4>::build(vectors)),
                         "IVFFlat::build: the vectors have 3 elements, the index has dimension 4", InvalidArgument);
    const auto index = IVFFlat<L2, 3>::build(vectors);
    const funnel::testing::TempDir dir;
    index.save(dir / "three.fnl");
    CHECK(IVFFlat<L2, 3>::load(dir / "three.fnl").search(vectors.row(0)) == index.search(vectors.row(0)));
    CHECK_THROWS_AS((void)(IVFFlat<L2, 4>::load(dir / "three.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(IVFFlat<L2, 3, Int8>::load(dir / "three.fnl")), funnel::CorruptData);  // of other codes
    CHECK_THROWS_AS((void)(IVFFlat<L2, std::dynamic_extent, Int8>::build(Matrix<float>(1, 16385))), InvalidArgument);
    CHECK((IVFFlat<L2, std::dynamic_extent, F16>::build(Matrix<float>(1, 16385)).size()) == 1);
}

TEST_CASE("IVFFlat: filters of any selectivity give k hits if they exist, and good ones") {
    const Matrix<float> vectors = tastes(3000, 8, 1);
    const auto index = IVFFlat<Cosine>::build(vectors, {.lists = 50});
    funnel::testing::check_filters(index, vectors, tastes(20, 8, 2), {.k = 10, .nprobe = 8}, 0.95);
}

TEST_CASE("IVFFlat: a filter that passes only what is far from the query gives the best of it") {
    const Matrix<float> vectors = tastes(3000, 8, 1);
    const auto index = IVFFlat<L2>::build(vectors, {.lists = 60});
    const auto flat = Flat<L2>::build(vectors);
    std::vector<Hits> found;
    std::vector<Hits> expected;
    for (std::size_t i = 0; i < 20; ++i) {
        const auto query = vectors.row(i);
        const Hits all = flat.search(query, {.k = 3000});
        std::vector<bool> is_far(3000);
        for (std::size_t rank = 1500; rank < all.size(); ++rank) {
            is_far[all[rank].id] = true;
        }
        const auto passes = [&](std::uint32_t id) { return is_far[id]; };
        expected.push_back(flat.search(query, {.k = 10}, passes));
        found.push_back(index.search(query, {.k = 10, .nprobe = 8}, passes));
    }
    CHECK(recall(found, expected) >= 0.9);
}

TEST_CASE("IVFFlat: a removed vector leaves its list, and its memory is given back") {
    const Matrix<float> vectors = small_integers(500, 6, 1);
    auto index = IVFFlat<L2>::build(vectors, {.lists = 10});
    const std::size_t before = index.memory_bytes();
    auto scratch = index.scratch();
    Hits out(10);
    for (std::uint32_t id = 0; id < 400; ++id) {
        CHECK(index.remove((id * 7) % 500));
        CHECK_FALSE(index.remove((id * 7) % 500));
    }
    CHECK(index.size() == 100);
    CHECK(before - index.memory_bytes() == 400 * (64 + 4));  // a row of its list and an id
    CHECK(index.search(vectors.row(0), {.k = 10, .nprobe = 10}, scratch, out) == 10);
    CHECK(scratch.stats().distances == 100);
    const auto is_left = [&](std::uint32_t id) { return (id * 143) % 500 >= 400; };  // 7 x 143 = 1001
    CHECK(out == nearest_by_definition<L2>(vectors, vectors.row(0), 10, is_left));
}

TEST_CASE("IVFFlat: hits do not depend on the order of changes") {
    const Matrix<float> vectors = small_integers(300, 5, 1);  // many ties
    const auto queries = small_integers(10, 5, 2);
    const auto build = [&] { return IVFFlat<L2>::build(vectors.view().rows_from(0, 200), {.lists = 9}); };
    auto one = build();
    auto other = build();
    for (std::uint32_t id = 200; id < 300; ++id) {
        one.add(vectors.row(id));
        other.add(vectors.row(id));
    }
    for (std::uint32_t id = 0; id < 300; id += 2) {
        one.remove(id);
        other.remove(298 - id);
    }
    CHECK(one.search_batch(queries, {.k = 7, .nprobe = 2}) == other.search_batch(queries, {.k = 7, .nprobe = 2}));
}

TEST_CASE("IVFFlat: vectors can be added to a built, an empty and a loaded index") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(900, 8, 1);
    const Matrix<float> queries = tastes(50, 8, 2);
    const auto expected = Flat<Cosine>::build(vectors).search_batch(queries, {.k = 10});
    for (const std::size_t built : {0U, 1U, 400U}) {
        CAPTURE(built);
        auto index = IVFFlat<Cosine>::build(vectors.view().rows_from(0, built), {.lists = 16});
        for (std::uint32_t id = static_cast<std::uint32_t>(built); id < 900; ++id) {
            if (id == 700) {
                index.save(dir / "grown.fnl");
                index = IVFFlat<Cosine>::load(dir / "grown.fnl");
            }
            REQUIRE(index.add(vectors.row(id)) == id);
        }
        CHECK(index.size() == 900);
        CHECK(recall(index.search_batch(queries, {.k = 10, .nprobe = 8}), expected) >= 0.95);
    }
    // A vector goes where build would have put it.
    const auto kmeans = funnel::quantise::KMeans<>::fit(vectors, {.clusters = 16});
    const auto together = kmeans.assign(vectors);
    for (std::size_t i = 0; i < 900; ++i) {
        REQUIRE(kmeans.assign(vectors.view().rows_from(i, 1))[0] == together[i]);
    }
}

TEST_CASE("IVFFlat: the same file for any number of threads, and for what was loaded from it") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(2000, 7, 1);
    const funnel::ann::IVFOptions options{.lists = 30, .seed = 7, .rows_per_list = 50};
    IVFFlat<L2>::build(vectors, options).save(dir / "serial.fnl");
    const auto expected = funnel::testing::bytes_of(dir / "serial.fnl");
    for (const std::size_t threads : {2U, 4U}) {
        funnel::Threads pool(threads);
        IVFFlat<L2>::build(vectors, options, pool).save(dir / "threads.fnl");
        CHECK(funnel::testing::bytes_of(dir / "threads.fnl") == expected);
    }
    const auto loaded = IVFFlat<L2>::load(dir / "serial.fnl");
    CHECK(loaded.options().lists == 30);
    CHECK(loaded.options().seed == 7);
    CHECK(loaded.options().rows_per_list == 50);
    loaded.save(dir / "again.fnl");
    CHECK(funnel::testing::bytes_of(dir / "again.fnl") == expected);
}

TEST_CASE("IVFFlat: every list and centroid of a file is checked") {
    const funnel::testing::TempDir dir;
    // The checksums are right: only the meaning can be wrong.
    struct Parts {
        std::uint64_t lists = 2;
        std::uint64_t rows_per_list = 128;
        double balance = 1.0;
        std::vector<float> centroids{0.0F, 1.0F};
        std::size_t dimension = 1;
        std::vector<std::uint32_t> list_of{0, 1, 0xFFFFFFFFU};
    };
    const auto is_refused = [&](const Parts& parts) {
        const std::string metric("L2");
        const Matrix<float> vectors(3, 1);
        const std::vector<std::uint8_t> is_removed{0, 0, 1};
        const MatrixView<const float> centroids(parts.centroids, parts.centroids.size() / parts.dimension,
                                                parts.dimension);
        funnel::io::ContainerWriter file("ann.IVFFlat", 1);
        file.strings("metric", std::span(&metric, 1));
        file.matrix("vectors", vectors);
        file.array("is_removed", is_removed);
        file.value("lists", parts.lists);
        file.value("seed", std::uint64_t{0});
        file.value("rows_per_list", parts.rows_per_list);
        file.value("balance", parts.balance);
        file.matrix("centroids", centroids);
        file.array("list_of", parts.list_of);
        file.save(dir / "forged.fnl");
        try {
            (void)IVFFlat<L2>::load(dir / "forged.fnl");
        } catch (const funnel::CorruptData&) {
            return true;
        }
        return false;
    };
    CHECK_FALSE(is_refused({}));
    CHECK_FALSE(is_refused({.lists = 3}));
    CHECK(is_refused({.lists = 1}));
    CHECK(is_refused({.lists = (std::uint64_t{1} << 24) + 1}));
    CHECK(is_refused({.rows_per_list = 0}));
    CHECK(is_refused({.balance = 0.5}));
    CHECK(is_refused({.balance = 1e8}));
#ifndef __FAST_MATH__
    CHECK(is_refused({.balance = std::numeric_limits<double>::quiet_NaN()}));
#endif
    CHECK(is_refused({.centroids = {0.0F, std::numeric_limits<float>::quiet_NaN()}}));
    CHECK(is_refused({.centroids = {0.0F, 1e30F}}));
    CHECK(is_refused({.centroids = {0.0F, 1.0F, 2.0F, 3.0F}, .dimension = 2}));
    CHECK(is_refused({.centroids = {}}));
    CHECK(is_refused({.list_of = {0, 2, 0xFFFFFFFFU}}));
    CHECK(is_refused({.list_of = {0, 0xFFFFFFFFU, 0xFFFFFFFFU}}));  // live, but in no list
    CHECK(is_refused({.list_of = {0, 1, 1}}));                      // removed, but in a list
    CHECK(is_refused({.list_of = {0, 1}}));
}

TEST_CASE("IVFFlat: without a number of lists, there are twice the root of the number of vectors") {
    CHECK(*IVFFlat<L2>::build(tastes(900, 4, 1)).options().lists == 60);
    CHECK(*IVFFlat<L2>::build(tastes(1, 4, 1)).options().lists == 2);
    CHECK(*IVFFlat<L2>::build(Matrix<float>(0, 4)).options().lists == 1);
    CHECK(IVFFlat<L2>::memory_estimate(900, 4, {}) == IVFFlat<L2>::memory_estimate(900, 4, {.lists = 60}));
    CHECK(*funnel::ann::IVFPQIndex<4, 2>::build(tastes(900, 4, 1)).options().lists == 60);
}

TEST_CASE_TEMPLATE("IVFFlat: balanced lists bound what a search reads, and keep what every index promises", Codes, F32,
                   Int8) {
    using Index = IVFFlat<L2, std::dynamic_extent, Codes>;
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return Index::build(vectors, {.lists = 12, .balance = 1.2}, executor);
    };
    funnel::testing::check_index<L2>(build, funnel::ann::IVFSearchOptions{.nprobe = 12});
    funnel::testing::check_index_searches<L2>(build, funnel::ann::IVFSearchOptions{.nprobe = 3}, {.min_recall = 0.5});
    // 90 % of the vectors are copies.
    Matrix<float> vectors = tastes(1000, 6, 1);
    for (std::size_t i = 0; i < 1000; ++i) {
        if (i % 10 != 0) {
            std::copy(vectors.row(1).begin(), vectors.row(1).end(), vectors.row(i).begin());
        }
    }
    CHECK(most_read(Index::build(vectors, {.lists = 20}), vectors) >= 900);
    const auto index = Index::build(vectors, {.lists = 20, .balance = 1.2});
    CHECK(most_read(index, vectors) == 60);
    const funnel::testing::TempDir dir;
    index.save(dir / "balanced.fnl");
    const auto loaded = Index::load(dir / "balanced.fnl");
    CHECK(loaded.options().balance == 1.2);
    CHECK(most_read(loaded, vectors) == 60);
    CHECK_FALSE(Index::build(vectors, {.lists = 20}).options().balance.has_value());
}

TEST_CASE("IVFPQIndex: balanced lists bound what a search reads") {
    using Index = funnel::ann::IVFPQIndex<6, 3>;
    const Matrix<float> vectors = tastes(1000, 6, 1);
    CHECK(most_read(Index::build(vectors, {.lists = 20}), vectors) > 60);
    const auto index = Index::build(vectors, {.lists = 20, .balance = 1.0});
    CHECK(most_read(index, vectors) == 50);
    const funnel::testing::TempDir dir;
    index.save(dir / "balanced.fnl");
    const auto loaded = Index::load(dir / "balanced.fnl");
    CHECK(loaded.options().balance == 1.0);
    CHECK(most_read(loaded, vectors) == 50);
}

TEST_CASE("IVFFlat: options out of range are rejected") {
    const Matrix<float> vectors = small_integers(20, 3, 1);
    CHECK_THROWS_WITH_AS((void)IVFFlat<L2>::build(vectors, {.balance = 0.5}),
                         "IVFFlat::build: balance must lie in [1, 1.67772e+07], got 0.5", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)(funnel::ann::IVFPQIndex<3, 3>::build(vectors, {.balance = 0.5})),
                         "IVFPQIndex::build: balance must lie in [1, 1.67772e+07], got 0.5", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)IVFFlat<L2>::build(vectors, {.lists = 0}),
                         "IVFFlat::build: lists must lie in [1, 16777216], got 0", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)IVFFlat<L2>::build(vectors, {.rows_per_list = 0}),
                         "IVFFlat::build: rows_per_list must be at least 1, got 0", InvalidArgument);
    const auto index = IVFFlat<L2>::build(vectors);
    CHECK_THROWS_WITH_AS((void)index.search(vectors.row(0), {.nprobe = 0}),
                         "IVFFlat::search: nprobe must be at least 1, got 0", InvalidArgument);
    CHECK_THROWS_AS((void)index.search_batch(vectors, {.nprobe = 0}), InvalidArgument);
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(index.search(vectors.row(0), {.k = most, .nprobe = most, .refine = most}).size() == 20);
}

TEST_CASE("IVFFlat: the memory of an index is estimated before it is built") {
    const Matrix<float> vectors = tastes(1000, 20, 1);
    CHECK(IVFFlat<L2>::memory_estimate(1000, 20, {.lists = 30}) ==
          IVFFlat<L2>::build(vectors, {.lists = 30}).memory_bytes());
}

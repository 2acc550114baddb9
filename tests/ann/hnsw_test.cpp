// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw.hpp>

#include "ann/filter_checks.hpp"
#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"
#include "support/damage.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/filters.hpp>
#include <funnel/ann/flat.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::F32;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::recall;
using funnel::testing::signs;
using funnel::testing::small_integers;
using funnel::testing::tastes;

namespace {

template <class M>
double recall_at_10(const Matrix<float>& vectors, const Matrix<float>& queries, std::size_t ef) {
    const auto index = HNSW<M>::build(vectors, {.M = 16, .ef_construction = 60, .seed = 1});
    return recall(index.search_batch(queries, {.k = 10, .ef = ef}),
                  Flat<M>::build(vectors).search_batch(queries, {.k = 10}));
}

template <class M, class Backend, std::size_t Dim = std::dynamic_extent>
void check_exact(const Matrix<float>& vectors, const Matrix<float>& queries) {
    const auto index = HNSW<M, Dim, F32, Backend>::build(vectors, {.M = 5, .ef_construction = 30, .seed = 1});
    const std::size_t n = vectors.rows();
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const Hits all = nearest_by_definition<M>(vectors, queries.row(i), n);
        CHECK(index.search(queries.row(i), {.k = 10, .ef = n}) == Hits(all.begin(), all.begin() + 10));
        CHECK(index.search(queries.row(i), {.k = n + 1, .ef = 1}) == all);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("HNSW: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return HNSW<M>::build(vectors, {.M = 5, .ef_construction = 30}, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::HNSWSearchOptions{.ef = 400});  // all vectors: exact
    funnel::testing::check_index_searches<M>(build, funnel::ann::HNSWSearchOptions{.ef = 20}, {.min_recall = 0.8});
}

TEST_CASE("HNSW: worked by hand") {
    // Four corners of a square, and a query near the second: squared distances 0.5, 0.1, 0.9, 1.3 from (0.1, 0.7).
    const std::vector<float> corners{0.0F, 0.0F, 0.0F, 1.0F, 1.0F, 1.0F, 1.0F, 0.0F};
    const auto index = HNSW<L2>::build(MatrixView<const float>(corners, 4, 2));
    const Hits hits = index.search(std::vector<float>{0.1F, 0.7F}, {.k = 3, .ef = 4});
    REQUIRE(hits.size() == 3);
    CHECK(hits[0].id == 1);
    CHECK(hits[0].score == doctest::Approx(-0.1));
    CHECK(hits[1].id == 0);
    CHECK(hits[2].id == 2);
}

TEST_CASE_TEMPLATE_DEFINE("HNSW: exact, ties included, once ef is the number of vectors", Backend, hnsw_exact) {
    check_exact<L2, Backend>(small_integers(400, 9, 1), small_integers(5, 9, 2));
    check_exact<InnerProduct, Backend>(small_integers(400, 9, 3), small_integers(5, 9, 4));
    check_exact<Cosine, Backend>(signs(400, 1), signs(5, 2));
}
TEST_CASE_TEMPLATE_APPLY(hnsw_exact, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE("HNSW: a dimension known at compile time changes neither the graph nor the hits", M, L2,
                   InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(600, 32, 1);
    const Matrix<float> queries = tastes(20, 32, 2);
    const funnel::testing::TempDir dir;
    const auto fixed = HNSW<M, 32>::build(vectors, {.M = 8, .ef_construction = 40});
    const auto any = HNSW<M>::build(vectors, {.M = 8, .ef_construction = 40});
    fixed.save(dir / "fixed.fnl");
    any.save(dir / "any.fnl");
    CHECK(funnel::testing::bytes_of(dir / "fixed.fnl") == funnel::testing::bytes_of(dir / "any.fnl"));
    const auto loaded = HNSW<M, 32>::load(dir / "any.fnl");
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        const Hits hits = any.search(queries.row(i), {.k = 10, .ef = 20});
        CHECK(fixed.search(queries.row(i), {.k = 10, .ef = 20}) == hits);
        CHECK(loaded.search(queries.row(i), {.k = 10, .ef = 20}) == hits);
    }
}

TEST_CASE("HNSW: recall of ten at ef 64 is at least 0.95") {
    const Matrix<float> vectors = tastes(2500, 16, 1);
    const Matrix<float> queries = tastes(100, 16, 2);
    CHECK(recall_at_10<Cosine>(vectors, queries, 64) >= 0.98);
    CHECK(recall_at_10<L2>(vectors, queries, 64) >= 0.98);
    CHECK(recall_at_10<InnerProduct>(vectors, queries, 64) >= 0.95);
}

TEST_CASE("HNSW: recall of a hundred largest inner products does not stop below 0.95") {
    const Matrix<float> vectors = tastes(2500, 16, 1);
    const Matrix<float> queries = tastes(50, 16, 2);
    const auto index = HNSW<InnerProduct>::build(vectors, {.ef_construction = 60});
    CHECK(recall(index.search_batch(queries, {.k = 100, .ef = 400}),
                 Flat<InnerProduct>::build(vectors).search_batch(queries, {.k = 100})) >= 0.95);
}

TEST_CASE("HNSW: filters of any selectivity give k hits if they exist") {
    const Matrix<float> vectors = tastes(2500, 8, 1);
    const auto index = HNSW<Cosine>::build(vectors, {.ef_construction = 60});
    // With few candidates it walks where half pass, and scans where one in a hundred does.
    funnel::testing::check_filters(index, vectors, tastes(20, 8, 2), {.k = 10, .ef = 20}, 0.9);
}

TEST_CASE("HNSW: a filter that passes only what is far from the query still gives the best of it") {
    const Matrix<float> vectors = tastes(2500, 8, 1);
    const auto index = HNSW<L2>::build(vectors, {.ef_construction = 40});
    const auto flat = Flat<L2>::build(vectors);
    const auto query = vectors.row(5);
    const Hits all = flat.search(query, {.k = 2500});
    std::vector<bool> is_far(2500);
    for (std::size_t i = 1000; i < all.size(); ++i) {
        is_far[all[i].id] = true;
    }
    const auto passes = [&](std::uint32_t id) { return is_far[id]; };
    CHECK(index.search(query, {.k = 10, .ef = 10}, passes) == flat.search(query, {.k = 10}, passes));
}

TEST_CASE("HNSW: removed vectors are no hits but still lead to others") {
    const Matrix<float> vectors = tastes(1500, 8, 1);
    const Matrix<float> queries = tastes(30, 8, 2);
    auto index = HNSW<L2>::build(vectors, {.ef_construction = 60});
    std::size_t live = 1500;
    for (const std::uint32_t keep_one_in : {2U, 50U}) {  // a walk among the first, a scan of the second
        CAPTURE(keep_one_in);
        for (std::uint32_t id = 0; id < 1500; ++id) {
            live -= id % keep_one_in != 0 && index.remove(id) ? 1 : 0;
        }
        CHECK(index.size() == live);
        std::vector<Hits> expected;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            expected.push_back(nearest_by_definition<L2>(vectors, queries.row(i), 10,
                                                         [&](std::uint32_t id) { return id % keep_one_in == 0; }));
        }
        const auto found = index.search_batch(queries, {.k = 10, .ef = 20});
        for (const Hits& hits : found) {
            CHECK(hits.size() == 10);
            CHECK(std::all_of(hits.begin(), hits.end(), [&](auto hit) { return hit.id % keep_one_in == 0; }));
        }
        CHECK(recall(found, expected) >= 0.9);
    }
    CHECK(index.search(queries.row(0), {.k = 1500}).size() == live);
    CHECK_FALSE(index.remove(1));
    CHECK_THROWS_AS(index.remove(1500), InvalidArgument);
    for (std::uint32_t id = 0; id < 1500; ++id) {
        index.remove(id);
    }
    CHECK(index.size() == 0);
    CHECK(index.search(queries.row(0)).empty());
}

TEST_CASE("HNSW: vectors can be added to a built, an empty and a loaded index, without a limit") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(1500, 8, 1);
    const Matrix<float> queries = tastes(50, 8, 2);
    const auto expected = Flat<Cosine>::build(vectors).search_batch(queries, {.k = 10});
    for (const std::size_t built : {0U, 1U, 700U}) {
        CAPTURE(built);
        auto index =
            HNSW<Cosine>::build(MatrixView<const float>(vectors).rows_from(0, built), {.M = 8, .ef_construction = 60});
        for (std::uint32_t id = static_cast<std::uint32_t>(built); id < 1500; ++id) {
            if (id == 1100) {
                index.save(dir / "grown.fnl");
                index = HNSW<Cosine>::load(dir / "grown.fnl");
            }
            REQUIRE(index.add(vectors.row(id)) == id);
        }
        CHECK(index.size() == 1500);
        CHECK(index.unreachable() == 0);
        CHECK(recall(index.search_batch(queries, {.k = 10, .ef = 64}), expected) >= 0.95);
    }
}

TEST_CASE("HNSW: an added vector longer than all before is found by inner product") {
    const Matrix<float> vectors = tastes(500, 6, 1);
    auto index = HNSW<InnerProduct>::build(vectors, {.M = 6, .ef_construction = 40});
    std::vector<float> longer(vectors.row(3).begin(), vectors.row(3).end());
    for (float& x : longer) {
        x *= 100.0F;
    }
    CHECK(index.add(longer) == 500);
    CHECK(index.search(vectors.row(3), {.k = 1})[0].id == 500);
    CHECK(index.unreachable() == 0);
}

TEST_CASE("HNSW: the form for hot paths gives the same hits, and fewer where there is less room") {
    const Matrix<float> vectors = tastes(1000, 8, 1);
    const auto index = HNSW<L2>::build(vectors, {.M = 8, .ef_construction = 40});
    HNSW<L2>::Scratch scratch;
    std::array<Scored<>, 8> out{};
    static_assert(noexcept(index.search(vectors.row(9), {.k = 8}, scratch, out)));
    for (std::size_t i = 0; i < 20; ++i) {
        REQUIRE(index.search(vectors.row(i), {.k = 8, .ef = 16}, scratch, out) == 8);
        CHECK(Hits(out.begin(), out.end()) == index.search(vectors.row(i), {.k = 8, .ef = 16}));
    }
    CHECK(index.search(vectors.row(9), {.k = 3}, scratch, out) == 3);
    CHECK(index.search(vectors.row(9), {.k = 100}, scratch, out) == 8);
    CHECK(index.search(vectors.row(9), {.k = 8}, [](std::uint32_t id) { return id < 2; }, scratch, out) == 2);
    const std::vector<float> wrong_dimension(4);
    CHECK(index.search(wrong_dimension, {}, scratch, out) == 0);
    CHECK(index.search(vectors.row(9), {.k = 8, .ef = 0}, scratch, out) == 0);
}

TEST_CASE("HNSW: an ef below k gives k hits for fewer distances; with a filter it counts as k") {
    const Matrix<float> vectors = tastes(3000, 16, 1);
    const Matrix<float> queries = tastes(50, 16, 2);
    const auto index = HNSW<Cosine, 16>::build(vectors);
    const auto exact = Flat<Cosine, 16>::build(vectors).search_batch(queries, {.k = 20});
    HNSW<Cosine, 16>::Scratch scratch;
    Hits out(20);
    std::vector<std::size_t> distances;
    std::vector<double> recalls;
    for (const std::size_t ef : {2U, 8U, 20U}) {
        const funnel::ann::HNSWSearchOptions options{.k = 20, .ef = ef};
        distances.push_back(0);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            REQUIRE(index.search(queries.row(i), options, scratch, out) == 20);
            distances.back() += scratch.stats().distances;
        }
        recalls.push_back(recall(index.search_batch(queries, options), exact));
        const auto passes = [](std::uint32_t id) { return id % 4 != 0; };
        CHECK(index.search_batch(queries, options, passes) == index.search_batch(queries, {.k = 20, .ef = 20}, passes));
    }
    CHECK(distances[0] < distances[1]);
    CHECK(distances[1] < distances[2]);
    CHECK(recalls[0] < recalls[1]);
    CHECK(recalls[1] < recalls[2]);
    CHECK(recalls[1] >= 0.6);
    MESSAGE("recall@20 with ef 2, 8, 20: " << recalls[0] << ", " << recalls[1] << ", " << recalls[2]);
}

TEST_CASE_TEMPLATE("HNSW: an ef below k finds k hits without a scan, under every metric", M, L2, InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(3000, 8, 1);
    const Matrix<float> queries = tastes(10, 8, 2);
    const auto index = HNSW<M>::build(vectors, {.M = 8, .ef_construction = 40});
    typename HNSW<M>::Scratch scratch;
    Hits out(20);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        REQUIRE(index.search(queries.row(i), {.k = 20, .ef = 2}, scratch, out) == 20);
        CHECK(!scratch.stats().scanned);
        CHECK(scratch.stats().distances < 1000);
    }
}

TEST_CASE("HNSW: an ef below k stays one after vectors were removed") {
    const Matrix<float> vectors = tastes(3000, 8, 1);
    const Matrix<float> queries = tastes(40, 8, 2);
    auto index = HNSW<L2>::build(vectors, {.M = 8, .ef_construction = 40});
    HNSW<L2>::Scratch scratch;
    Hits out(30);
    const auto distances = [&](std::size_t ef) {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            REQUIRE(index.search(queries.row(i), {.k = 30, .ef = ef}, scratch, out) == 30);
            sum += scratch.stats().distances;
        }
        return sum;
    };
    const std::size_t before = distances(3);
    CHECK(2 * before < distances(30));
    index.remove(5);
    CHECK(distances(3) < before + before / 10);
    for (std::uint32_t id = 0; id < 3000; id += 4) {
        if (index.contains(id)) {
            index.remove(id);
        }
    }
    CHECK(distances(3) < 2 * before);
    for (std::uint32_t id = 0; id < 3000; ++id) {  // hardly any is left
        if (id % 64 != 1 && index.contains(id)) {
            index.remove(id);
        }
    }
    CHECK(distances(3) > 0);
}

TEST_CASE("HNSW: a few vectors that are filtered out or removed do not cost a scan, however large k is") {
    const Matrix<float> vectors = tastes(6000, 8, 1);
    const Matrix<float> queries = tastes(100, 8, 2);
    auto index = HNSW<L2>::build(vectors, {.M = 8, .ef_construction = 40});
    const auto is_rare = [](std::uint32_t id) { return id % 50 == 7; };
    std::vector<std::uint64_t> words((6000 + 63) / 64, ~std::uint64_t{0});
    for (std::uint32_t id = 0; id < 6000; ++id) {
        words[id / 64] &= ~(std::uint64_t{is_rare(id)} << (id % 64));
    }
    HNSW<L2>::Scratch scratch;
    Hits out(20);
    const auto scans = [&](const auto& passes) {
        std::size_t count = 0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            REQUIRE(index.search(queries.row(i), {.k = 20, .ef = 20}, passes, scratch, out) == 20);
            count += scratch.stats().scanned ? 1U : 0U;
        }
        return count;
    };
    CHECK(scans([&](std::uint32_t id) { return !is_rare(id); }) <= 2);
    CHECK(scans(funnel::ann::Bitmap(words)) <= 2);
    for (std::uint32_t id = 0; id < 6000; ++id) {
        if (is_rare(id)) {
            index.remove(id);
        }
    }
    CHECK(scans(funnel::AcceptAll{}) <= 2);
}

// A filter that all of a sample pass has a share of 1, as no filter has.
TEST_CASE("HNSW: with a filter that all or nearly all vectors pass, an ef below k counts as k, too") {
    const auto vectors = tastes(2000, 8, 1);
    const auto queries = tastes(30, 8, 2);
    const auto index = HNSW<L2>::build(vectors, {.M = 4, .ef_construction = 20});
    const std::vector<std::uint64_t> words((2000 + 63) / 64, ~std::uint64_t{0});
    const auto check = [&](const auto& passes) {
        CHECK(index.search_batch(queries, {.k = 20, .ef = 1}, passes) ==
              index.search_batch(queries, {.k = 20, .ef = 20}, passes));
    };
    check([](std::uint32_t) { return true; });
    check([](std::uint32_t id) { return id != 1999; });  // none of the sample
    check(funnel::ann::Bitmap(words));
}

TEST_CASE("HNSW: empty index, one vector, k = 0 and k beyond the number of vectors") {
    const auto empty = HNSW<Cosine>::build(Matrix<float>(0, 2));
    CHECK(empty.size() == 0);
    CHECK(empty.unreachable() == 0);
    CHECK(empty.search(std::vector<float>{1.0F, 2.0F}).empty());
    CHECK(empty.search(std::vector<float>{1.0F, 2.0F}, {}, [](std::uint32_t) { return true; }).empty());

    const Matrix<float> vectors = signs(50, 1);
    const auto one = HNSW<Cosine>::build(vectors.view().rows_from(0, 1));
    CHECK(one.search(vectors.row(0)) == Hits{{0, 1.0F}});

    const auto index = HNSW<Cosine>::build(vectors);
    CHECK(index.search(vectors.row(0), {.k = 0}).empty());
    CHECK(index.search(vectors.row(0), {.k = 51, .ef = 1}).size() == 50);
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(index.search(vectors.row(0), {.k = most, .ef = most}).size() == 50);
}

TEST_CASE("HNSW: a saved index answers alike after load, and saves the same bytes") {
    const funnel::testing::TempDir dir;
    const Matrix<float> queries = tastes(20, 7, 2);
    const auto check = [&]<class M>(M) {
        auto index = HNSW<M>::build(tastes(800, 7, 1), {.M = 3, .ef_construction = 30, .seed = 5});
        index.remove(17);
        index.save(dir / "a.fnl");
        auto loaded = HNSW<M>::load(dir / "a.fnl");
        CHECK(loaded.size() == 799);
        CHECK(loaded.options().M == 3);
        CHECK(loaded.options().ef_construction == 30);
        CHECK(loaded.search_batch(queries, {.k = 10, .ef = 30}) == index.search_batch(queries, {.k = 10, .ef = 30}));
        loaded.save(dir / "b.fnl");
        CHECK(funnel::testing::bytes_of(dir / "a.fnl") == funnel::testing::bytes_of(dir / "b.fnl"));
        index.add(queries.row(0));
        loaded.add(queries.row(0));
        CHECK(loaded.search_batch(queries, {.k = 10, .ef = 30}) == index.search_batch(queries, {.k = 10, .ef = 30}));
    };
    check(L2{});
    check(InnerProduct{});
    check(Cosine{});
    HNSW<L2>::build(Matrix<float>(0, 5)).save(dir / "empty.fnl");
    CHECK(HNSW<L2>::load(dir / "empty.fnl").dimension() == 5);
}

TEST_CASE("HNSW: a loaded index grows as the saved one does, after a vector longer than all before too") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = tastes(300, 7, 1);
    auto index = HNSW<InnerProduct>::build(vectors.view().rows_from(0, 200), {.M = 3, .ef_construction = 30});
    std::vector<float> longer(vectors.row(3).begin(), vectors.row(3).end());
    for (float& x : longer) {
        x *= 10.0F;
    }
    index.add(longer);
    index.save(dir / "a.fnl");
    auto loaded = HNSW<InnerProduct>::load(dir / "a.fnl");
    for (std::size_t i = 200; i < 300; ++i) {
        index.add(vectors.row(i));
        loaded.add(vectors.row(i));
    }
    index.save(dir / "a.fnl");
    loaded.save(dir / "b.fnl");
    CHECK(funnel::testing::bytes_of(dir / "a.fnl") == funnel::testing::bytes_of(dir / "b.fnl"));
}

TEST_CASE("HNSW: every number of a file is checked") {
    const funnel::testing::TempDir dir;
    // The checksums are right: only the meaning can be wrong.
    const auto is_refused = [&](double radius_squared, std::uint64_t ef_construction) {
        const std::string metric = "InnerProduct";
        const std::vector<std::uint8_t> bytes;
        const std::vector<std::uint32_t> upper;
        const Matrix<float> vectors(0, 2);
        const Matrix<std::uint32_t> links(0, 4);
        funnel::io::ContainerWriter file("ann.HNSW", 1);
        file.strings("metric", std::span(&metric, 1));
        file.matrix("vectors", vectors);
        file.array("is_removed", bytes);
        file.value("radius_squared", radius_squared);
        file.value("ef_construction", ef_construction);
        file.value("seed", std::uint64_t{1});
        file.value("M", std::uint64_t{2});
        file.value("entry", std::uint32_t{0});
        file.value("root", std::uint32_t{0});
        file.array("levels", bytes);
        file.matrix("links", links);
        file.array("upper_links", upper);
        file.save(dir / "hnsw.fnl");
        try {
            (void)HNSW<InnerProduct>::load(dir / "hnsw.fnl");
        } catch (const funnel::CorruptData&) {
            return true;
        }
        return false;
    };
    CHECK_FALSE(is_refused(0.0, 1));
    CHECK(is_refused(0.0, 0));
    CHECK(is_refused(-1.0, 1));
    CHECK(is_refused(std::numeric_limits<double>::infinity(), 1));
    CHECK(is_refused(std::numeric_limits<double>::quiet_NaN(), 1));
    CHECK_FALSE(is_refused(0x1p124, 1));
    CHECK(is_refused(0x1.0001p124, 1));  // similarities would be infinite or NaN
    CHECK_FALSE(is_refused(0.0, std::numeric_limits<std::uint64_t>::max()));
}

TEST_CASE("HNSW: counts the bytes of vectors, links and augmentation, and the tree that add() needs") {
    const Matrix<float> vectors = signs(4, 1);
    auto distances = HNSW<L2>::build(vectors.view().rows_from(0, 3), {.M = 16, .seed = 2});
    auto products = HNSW<InnerProduct>::build(vectors.view().rows_from(0, 3), {.M = 16, .seed = 2});
    // A vector and 2 M links of 4 bytes, two flags, a position; none is on level 1.
    CHECK(distances.memory_bytes() == 3 * (64 + 128 + 2 + 8));
    CHECK(products.memory_bytes() == 3 * (64 + 128 + 2 + 8 + 4));
    distances.add(vectors.row(3));
    products.add(vectors.row(3));
    // A parent.
    CHECK(distances.memory_bytes() == 4 * (64 + 128 + 2 + 8 + 4));
    CHECK(products.memory_bytes() == 4 * (64 + 128 + 2 + 8 + 4 + 4));
    // An equal vector: all of the same, and for each vector the next equal one.
    distances.add(vectors.row(3));
    CHECK(distances.memory_bytes() == 5 * (64 + 128 + 2 + 8 + 4 + 4));
}

TEST_CASE("HNSW: no cosine of vectors of one direction is above 1, and those equal to 1 come by id") {
    const Matrix<float> directions = tastes(20, 37, 1);
    for (std::size_t direction = 0; direction < 20; ++direction) {
        Matrix<float> vectors(50, 37);
        for (std::size_t i = 0; i < 50; ++i) {
            for (std::size_t j = 0; j < 37; ++j) {
                vectors(i, j) = directions(direction, j) * (1.0F + 0.37F * static_cast<float>(i));
            }
        }
        const auto index = HNSW<Cosine>::build(vectors);
        const auto flat = Flat<Cosine>::build(vectors);
        for (const std::size_t k : {10U, 50U}) {  // all score 1: of so many ties, the k smaller ids
            CHECK(index.search(vectors.row(3), {.k = k, .ef = 50}) == flat.search(vectors.row(3), {.k = k}));
        }
    }
}

TEST_CASE("HNSW: scores and links of the longest vectors are finite, opposite ones too") {
    Matrix<float> vectors(60, 4);
    for (std::size_t i = 0; i < 60; ++i) {
        funnel::Random random(3, i);
        for (float& x : vectors.row(i)) {
            x = random.below(2) == 0 ? 0x1p61F : -0x1p61F;  // length 2^62
        }
    }
    const auto check = [&]<class M>(M) {
        auto index = HNSW<M>::build(vectors.view().rows_from(0, 40), {.M = 2, .ef_construction = 60});
        for (std::size_t i = 40; i < 60; ++i) {
            index.add(vectors.row(i));
        }
        CHECK(index.unreachable() == 0);
        for (std::size_t i = 0; i < 60; ++i) {
            const Hits hits = index.search(vectors.row(i), {.k = 60});
            CHECK(std::all_of(hits.begin(), hits.end(), [](auto hit) { return funnel::math::is_finite(hit.score); }));
            CHECK(hits == Flat<M>::build(vectors).search(vectors.row(i), {.k = 60}));
        }
    };
    check(L2{});
    check(InnerProduct{});
    check(Cosine{});
    auto index = HNSW<InnerProduct>::build(Matrix<float>(3, 4));
    CHECK_THROWS_WITH_AS(index.add(std::vector<float>(4, 0x1.0001p61F)),
                         "HNSW::add: the vector is too long: its length must be at most 2^62", InvalidArgument);
}

TEST_CASE("HNSW: an index without dimension takes no vector, and searches of it find nothing") {
    auto index = HNSW<L2>::build(Matrix<float>());
    CHECK_THROWS_WITH_AS(index.add({}), "HNSW::add: the vector must have at least one element", InvalidArgument);
    CHECK(index.size() == 0);
    CHECK(index.search({}).empty());
}

TEST_CASE("HNSW: a moved-from index is empty and can be used") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = signs(30, 1);
    auto index = HNSW<InnerProduct>::build(vectors, {.M = 3});
    index.add(vectors.row(0));
    index.remove(7);
    auto other = std::move(index);
    CHECK(other.size() == 30);
    // NOLINTBEGIN(bugprone-use-after-move,hicpp-invalid-access-moved): that is what this is about
    CHECK(index.size() == 0);
    CHECK(index.dimension() == 0);
    CHECK(index.memory_bytes() == 0);
    CHECK(index.unreachable() == 0);
    CHECK(index.search({}).empty());
    CHECK_THROWS_AS((void)index.search(vectors.row(0)), InvalidArgument);
    auto scratch = index.scratch();
    std::array<Scored<>, 3> out{};
    CHECK(index.search({}, {}, scratch, out) == 0);
    CHECK(index.search_batch(Matrix<float>(2, 0)).size() == 2);
    CHECK_THROWS_AS(index.add(vectors.row(0)), InvalidArgument);
    CHECK_THROWS_AS(index.add({}), InvalidArgument);
    CHECK_THROWS_AS(index.remove(0), InvalidArgument);
    index.save(dir / "hnsw.fnl");
    CHECK(HNSW<InnerProduct>::load(dir / "hnsw.fnl").size() == 0);
    index = other;
    CHECK(index.search(vectors.row(0), {.k = 30}) == other.search(vectors.row(0), {.k = 30}));
    index = std::move(other);
    CHECK(other.size() == 0);
    index = static_cast<const HNSW<InnerProduct>&>(index);  // itself
    CHECK(index.size() == 30);
    CHECK(index.add(vectors.row(3)) == 31);
    // NOLINTEND(bugprone-use-after-move,hicpp-invalid-access-moved)
    using Index = HNSW<InnerProduct>;
    static_assert(std::is_nothrow_move_constructible_v<Index> && std::is_nothrow_move_assignable_v<Index>);
}

TEST_CASE("HNSW: a vector of the highest level does not take the place of the entry") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = signs(20, 1);
    const auto entry_of = [&](std::size_t built) {
        auto index = HNSW<L2>::build(vectors.view().rows_from(0, built), {.M = 4096});  // all are on level 0
        for (std::size_t i = built; i < 20; ++i) {
            index.add(vectors.row(i));
        }
        index.save(dir / "hnsw.fnl");
        return funnel::io::ContainerReader(dir / "hnsw.fnl", "ann.HNSW", 1).value<std::uint32_t>("entry");
    };
    CHECK(entry_of(0) == 0);
    CHECK(entry_of(1) == 0);
}

TEST_CASE("HNSW: any damage to a file is found") {
    const funnel::testing::TempDir dir;
    HNSW<L2>::build(small_integers(40, 3, 1), {.M = 3, .ef_construction = 10}).save(dir / "hnsw.fnl");
    const auto load = [](const std::filesystem::path& path) {
        return HNSW<L2>::load(path).search(std::vector<float>{1.0F, 2.0F, 3.0F});
    };
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "hnsw.fnl"), load,
                                  {.head = 300, .bit_flips = 200, .truncations = 30});
}

TEST_CASE("HNSW: an index of another metric is refused, with the names of both") {
    const funnel::testing::TempDir dir;
    HNSW<Cosine>::build(signs(10, 1)).save(dir / "hnsw.fnl");
    std::string message;
    try {
        (void)HNSW<InnerProduct>::load(dir / "hnsw.fnl");
    } catch (const funnel::CorruptData& error) {
        message = error.what();
    }
    CHECK(message.find("expected InnerProduct, found Cosine") != std::string::npos);
}

TEST_CASE("HNSW: M of 0 or 1 and other impossible options are rejected by name") {
    const Matrix<float> vectors = signs(20, 1);
    for (const std::size_t M : {std::size_t{0}, std::size_t{1}, std::size_t{4097}}) {
        CHECK_THROWS_WITH_AS((void)HNSW<L2>::build(vectors, {.M = M}),
                             ("HNSW::build: M must lie in [2, 4096], got " + std::to_string(M)).c_str(),
                             InvalidArgument);
    }
    CHECK_THROWS_WITH_AS((void)HNSW<L2>::build(vectors, {.ef_construction = 0}),
                         "HNSW::build: ef_construction must be at least 1, got 0", InvalidArgument);
    const auto index = HNSW<L2>::build(vectors, {.M = 2, .ef_construction = 1});
    CHECK(index.search(vectors.row(3), {.k = 20}).size() == 20);
    CHECK_THROWS_WITH_AS((void)index.search(vectors.row(0), {.k = 1, .ef = 0}),
                         "HNSW::search: ef must be at least 1, got 0", InvalidArgument);
    CHECK_THROWS_AS((void)index.search_batch(vectors, {.k = 1, .ef = 0}), InvalidArgument);
}

TEST_CASE("HNSW: NaN, zero vectors under Cosine and wrong dimensions are rejected, the row is named") {
    Matrix<float> vectors = signs(20, 1);
    auto index = HNSW<Cosine>::build(vectors);
    std::vector<float> query(16, 1.0F);
    query[3] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS((void)index.search(query), "HNSW::search: the query holds a NaN or an infinity",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(index.add(query), "HNSW::add: the vector holds a NaN or an infinity", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)index.search(std::vector<float>(16)),
                         "HNSW::search: the query is the zero vector, which has no direction", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)index.search(std::vector<float>(15, 1.0F)),
                         "HNSW::search: the query has 15 elements, the index has dimension 16", InvalidArgument);
    CHECK_THROWS_AS(index.add(std::vector<float>(17, 1.0F)), InvalidArgument);
    CHECK(index.size() == 20);

    vectors(7, 0) = std::numeric_limits<float>::infinity();
    CHECK_THROWS_WITH_AS((void)HNSW<L2>::build(vectors), "HNSW::build: row 7 holds a NaN or an infinity",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS((void)index.search_batch(vectors), "HNSW::search_batch: query 7 holds a NaN or an infinity",
                         InvalidArgument);
    std::fill(vectors.row(7).begin(), vectors.row(7).end(), 0.0F);
    CHECK_THROWS_WITH_AS((void)HNSW<Cosine>::build(vectors),
                         "HNSW::build: row 7 is the zero vector, which has no direction", InvalidArgument);
}

TEST_CASE("HNSW: vectors and files of another dimension than that known at compile time are rejected") {
    const Matrix<float> vectors = tastes(20, 8, 1);
    CHECK_THROWS_WITH_AS((void)(HNSW<L2, 16>::build(vectors)),
                         "HNSW::build: the vectors have 8 elements, the index has dimension 16", InvalidArgument);
    const funnel::testing::TempDir dir;
    HNSW<L2>::build(vectors).save(dir / "index.fnl");
    CHECK_THROWS_AS((void)(HNSW<L2, 16>::load(dir / "index.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(HNSW<L2, 8>::build(vectors).search(std::vector<float>(16))), InvalidArgument);
    auto empty = HNSW<L2, 8>::build(MatrixView<const float>({}, 0, 8));
    CHECK(empty.add(vectors.row(0)) == 0);
    CHECK(empty.search(vectors.row(0), {.k = 2}).size() == 1);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_build.hpp>

#include "ann/sample_vectors.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/hnsw.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <vector>

using funnel::Matrix;
using funnel::Progress;
using funnel::Threads;
using funnel::ann::Cosine;
using funnel::ann::HNSW;
using funnel::ann::HNSWOptions;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::HNSWGraph;
using funnel::testing::Bytes;

namespace {

template <class M, class E>
Bytes saved(const Matrix<float>& vectors, const HNSWOptions& options, E&& executor) {
    const funnel::testing::TempDir dir;
    HNSW<M>::build(vectors, options, executor).save(dir / "index.fnl");
    return funnel::testing::bytes_of(dir / "index.fnl");
}

// Every stored vector is a hit for itself, if only the walk may go everywhere.
template <class M>
void check_all_found(const Matrix<float>& vectors, const HNSWOptions& options) {
    const auto index = HNSW<M>::build(vectors, options);
    CHECK(index.unreachable() == 0);
    const std::size_t n = vectors.rows();
    std::vector<bool> is_found(n);
    for (const auto& hit : index.search(vectors.row(0), {.k = n})) {
        is_found[hit.id] = true;
    }
    CHECK(std::count(is_found.begin(), is_found.end(), true) == static_cast<std::ptrdiff_t>(n));
}

}  // namespace

TEST_CASE("HNSW build: bit-identical for one, two and four threads") {
    const Matrix<float> vectors = funnel::testing::tastes(1200, 8, 1);
    const HNSWOptions options{.M = 6, .ef_construction = 40, .seed = 3};
    const auto check = [&]<class M>(M) {
        const Bytes serial = saved<M>(vectors, options, funnel::Serial{});
        for (const std::size_t count : {1U, 2U, 4U}) {
            CHECK(saved<M>(vectors, options, Threads(count)) == serial);
        }
        CHECK(saved<M>(vectors, {.M = 6, .ef_construction = 40, .seed = 4}, funnel::Serial{}) != serial);
    };
    check(L2{});
    check(InnerProduct{});
    check(Cosine{});
}

TEST_CASE("HNSW build: equal vectors are all reachable") {
    Matrix<float> equal(700, 4);
    for (std::size_t i = 0; i < equal.rows(); ++i) {
        std::fill(equal.row(i).begin(), equal.row(i).end(), 1.0F);
    }
    for (const std::size_t M : {2U, 16U}) {
        const HNSWOptions options{.M = M, .ef_construction = 20};
        check_all_found<L2>(equal, options);
        check_all_found<Cosine>(equal, options);
        check_all_found<InnerProduct>(equal, options);
    }
    CHECK(HNSW<L2>::build(equal, {.ef_construction = 20}).search(equal.row(0), {.k = 10, .ef = 10}).size() == 10);
}

TEST_CASE("HNSW build: duplicates, tight clusters far apart and a few lengths are all reachable") {
    const Matrix<float> some = funnel::testing::small_integers(20, 5, 1);
    Matrix<float> duplicates(600, 5);
    Matrix<float> clusters(600, 5);
    Matrix<float> ray(600, 5);
    for (std::size_t i = 0; i < 600; ++i) {
        funnel::Random random(9, i);
        for (std::size_t j = 0; j < 5; ++j) {
            duplicates(i, j) = some(i / 30, j);
            clusters(i, j) = 1000.0F * some(i % 20, j) + static_cast<float>(random.normal());
            ray(i, j) = static_cast<float>(1 + i % 50);
        }
    }
    for (const std::size_t M : {2U, 8U}) {
        const HNSWOptions options{.M = M, .ef_construction = 20};
        for (const auto* vectors : {&duplicates, &clusters, &ray}) {
            check_all_found<L2>(*vectors, options);
            check_all_found<InnerProduct>(*vectors, options);
        }
        check_all_found<Cosine>(clusters, options);
        check_all_found<Cosine>(ray, options);
    }
}

TEST_CASE("HNSW build: each of many duplicates is found among its like, at small ef") {
    Matrix<float> vectors(1000, 3);
    for (std::size_t i = 0; i < 1000; ++i) {
        vectors(i, 0) = static_cast<float>(i / 5);  // five of each
    }
    const auto index = HNSW<L2>::build(vectors, {.M = 8, .ef_construction = 50});
    for (std::size_t i = 0; i < 1000; ++i) {
        const auto hits = index.search(vectors.row(i), {.k = 5, .ef = 40});
        REQUIRE(std::all_of(hits.begin(), hits.end(), [](auto hit) { return hit.score == 0.0F; }));
    }
}

TEST_CASE("HNSW build: added duplicates stay reachable") {
    auto index = HNSW<L2>::build(Matrix<float>(3, 4), {.M = 2, .ef_construction = 5});
    const std::vector<float> zero(4);
    for (int i = 0; i < 500; ++i) {
        index.add(zero);
    }
    CHECK(index.unreachable() == 0);
    CHECK(index.search(zero, {.k = 503}).size() == 503);
}

TEST_CASE("HNSW build: levels shrink by M, and are the same for an id in any index") {
    std::vector<std::size_t> counts(HNSWGraph::max_level + 1);
    for (std::uint64_t id = 0; id < 20000; ++id) {
        ++counts[HNSWGraph::draw_level(8, 1, id)];
    }
    // Levels of at least 1: 20000 / 8 = 2500, standard deviation 47; of at least 2: 312, 18.
    CHECK(20000 - counts[0] == doctest::Approx(2500).epsilon(0.06));
    CHECK(20000 - counts[0] - counts[1] == doctest::Approx(312).epsilon(0.2));
}

TEST_CASE("HNSW build: reports progress up to the end, and stops when asked to") {
    const Matrix<float> vectors = funnel::testing::tastes(500, 4, 1);
    funnel::Serial serial;
    std::size_t last = 0;
    funnel::Monitored watched(serial, [&](const Progress& progress) {
        CHECK(progress.total == 500);
        CHECK(progress.done > last);
        last = progress.done;
    });
    (void)HNSW<L2>::build(vectors, {.M = 4, .ef_construction = 10}, watched);
    CHECK(last == 500);

    std::stop_source stop;
    stop.request_stop();
    funnel::Monitored stopped(serial, [](const Progress&) {}, stop.get_token());
    CHECK_THROWS_AS((void)HNSW<L2>::build(vectors, {}, stopped), funnel::Cancelled);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_build.hpp>

#include "ann/sample_vectors.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/progress.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
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
using funnel::ann::detail::for_each_target;
using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::InsertScratch;
using funnel::ann::detail::link_node;
using funnel::ann::detail::NodeSimilarity;
using funnel::ann::detail::NormAugmentation;
using funnel::ann::detail::Offer;
using funnel::ann::detail::WorkerOffers;
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
    const HNSWOptions options{.M = 6, .ef_construction = 15, .seed = 3};
    const auto check = [&]<class M>(M) {
        const Bytes serial = saved<M>(vectors, options, funnel::Serial{});
        for (const std::size_t count : {1U, 2U, 4U}) {
            CHECK(saved<M>(vectors, options, Threads(count)) == serial);
        }
        CHECK(saved<M>(vectors, {.M = 6, .ef_construction = 15, .seed = 4}, funnel::Serial{}) != serial);
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

TEST_CASE("HNSW build: options are used, and an id has the same level if it was added") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = funnel::testing::tastes(50, 4, 1);
    const auto file_of = [&](const HNSWOptions& options, std::size_t built) {
        auto index = HNSW<L2>::build(vectors.view().rows_from(0, built), options);
        for (std::size_t id = built; id < 50; ++id) {
            index.add(vectors.row(id));
        }
        index.save(dir / "index.fnl");
        return funnel::io::ContainerReader(dir / "index.fnl", "ann.HNSW", 1);
    };
    const auto levels_of = [&](std::uint64_t seed, std::size_t built) {
        return file_of({.M = 2, .ef_construction = 10, .seed = seed}, built).array<std::uint8_t>("levels");
    };
    CHECK(levels_of(1, 10) == levels_of(1, 50));
    CHECK(levels_of(2, 50) != levels_of(1, 50));
    const auto root_of = [&](std::uint64_t seed) {  // all are on level 0: the first that came in
        return file_of({.M = 4096, .ef_construction = 10, .seed = seed}, 50).value<std::uint32_t>("root");
    };
    CHECK(root_of(2) != root_of(1));
    const auto links_of = [&](std::size_t ef_construction, std::size_t built) {
        const auto links = file_of({.M = 2, .ef_construction = ef_construction}, built).matrix<std::uint32_t>("links");
        std::vector<std::uint32_t> all;
        for (std::size_t id = 0; id < 50; ++id) {
            all.insert(all.end(), links.row(id).begin(), links.row(id).end());
        }
        return all;
    };
    for (const std::size_t built : {1U, 50U}) {  // nearly all added, nearly all built
        CHECK(links_of(50, built) != links_of(1, built));
    }
    const auto upper = file_of({.M = 2, .ef_construction = 10}, 50).array<std::uint32_t>("upper_links");
    CHECK(std::count(upper.begin(), upper.end(), funnel::ann::detail::no_node) <
          static_cast<std::ptrdiff_t>(upper.size()));
}

TEST_CASE("HNSW build: an added vector becomes the entry only if its level is higher than all before") {
    const funnel::testing::TempDir dir;
    const Matrix<float> vectors = funnel::testing::tastes(60, 4, 1);
    std::size_t ties = 0;
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        auto index = HNSW<L2>::build(Matrix<float>(0, 4), {.M = 2, .ef_construction = 10, .seed = seed});
        for (std::uint32_t id = 0; id < 60; ++id) {
            index.add(vectors.row(id));
        }
        index.save(dir / "index.fnl");
        const funnel::io::ContainerReader file(dir / "index.fnl", "ann.HNSW", 1);
        const auto levels = file.array<std::uint8_t>("levels");
        const auto first_of_highest = std::max_element(levels.begin(), levels.end());
        CHECK(file.value<std::uint32_t>("entry") == first_of_highest - levels.begin());
        ties += std::count(levels.begin(), levels.end(), *first_of_highest) > 1 ? 1 : 0;
    }
    CHECK(ties > 0);
}

TEST_CASE("HNSW build: a new vector gets M links if they lead into M directions") {
    const funnel::testing::TempDir dir;
    const std::vector<float> around{1.0F, 0.0F, -1.0F, 0.0F, 0.0F, 1.0F, 0.0F, -1.0F};
    auto index = HNSW<L2>::build(funnel::MatrixView<const float>(around, 4, 2), {.M = 4});
    index.add(std::vector<float>{0.0F, 0.0F});
    index.save(dir / "index.fnl");
    const auto links = funnel::io::ContainerReader(dir / "index.fnl", "ann.HNSW", 1).matrix<std::uint32_t>("links");
    CHECK(std::count(links.row(4).begin(), links.row(4).end(), funnel::ann::detail::no_node) == 4);  // of 2 M
}

TEST_CASE("link_node: links on every level of the node, and offers the same in return") {
    Matrix<float> vectors(2, 1);
    vectors(1, 0) = 3.0F;
    const NormAugmentation<L2> augmentation(vectors, {});
    const NodeSimilarity<L2, std::dynamic_extent, funnel::kernels::DefaultBackend> similarity{vectors.view(),
                                                                                              augmentation};
    HNSWGraph graph(2, {1, 1});
    InsertScratch scratch;
    std::vector<Offer> offers;
    link_node(graph, 1, 5, similarity, scratch, offers);
    for (const std::size_t level : {0U, 1U}) {
        REQUIRE(graph.links(1, level).size() == 1);
        CHECK(graph.links(1, level)[0] == 0);
    }
    REQUIRE(offers.size() == 2);
    for (const Offer& offer : offers) {
        CHECK(offer.target == 0);
        CHECK(offer.source == 1);
        CHECK(offer.score == -9.0F);
    }
    CHECK(offers[0].level + offers[1].level == 1);
}

TEST_CASE("for_each_target: one group for each node and level, in the order of sources, whoever made the offers") {
    using Group = std::vector<std::array<std::uint32_t, 3>>;  // target, level, source
    const std::vector<Group> expected{{{3, 0, 9}}, {{5, 0, 1}, {5, 0, 4}}, {{5, 1, 2}}, {{9, 0, 0}}};
    const auto check = [&](auto& executor, std::size_t nodes) {
        std::vector<WorkerOffers> offers(executor.concurrency());
        offers.front().made = {{5, 1, 2, 0.0F}, {5, 0, 4, 0.0F}};
        for (const Offer& offer : {Offer{3, 0, 9, 0.0F}, Offer{9, 0, 0, 0.0F}, Offer{5, 0, 1, 0.0F}}) {
            offers.back().made.push_back(offer);
        }
        std::vector<Group> groups;
        std::mutex mutex;
        for_each_target(executor, nodes, std::span(offers), [&](std::span<const Offer> group, std::size_t worker) {
            const std::scoped_lock lock(mutex);
            CHECK(worker < executor.concurrency());
            Group& some = groups.emplace_back();
            for (const Offer& offer : group) {
                some.push_back({offer.target, offer.level, offer.source});
            }
        });
        std::sort(groups.begin(), groups.end());
        CHECK(groups == expected);
        CHECK(offers.front().made.empty());
        CHECK(offers.back().made.empty());
    };
    for (const std::size_t nodes : {10U, 11U, 1000U}) {
        CAPTURE(nodes);
        funnel::Serial serial;
        check(serial, nodes);
        for (const std::size_t threads : {2U, 3U, 5U}) {
            funnel::Threads pool(threads);
            check(pool, nodes);
        }
    }
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Index::replace, of every structure, against a map of ids.
#include "ann/sample_vectors.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/ann/hnsw.hpp>
#include <funnel/ann/ivf.hpp>
#include <funnel/ann/ivfpq.hpp>
#include <funnel/ann/sharded.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::ann::Cosine;
using funnel::ann::F32;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::IVFFlat;
using funnel::ann::IVFPQIndex;
using funnel::ann::L2;
using funnel::ann::Sharded;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::recall;
using funnel::testing::signs;
using funnel::testing::small_integers;
using funnel::testing::tastes;

namespace {

// An index and what it should hold: a vector per id, or none. Scores of the vectors are exact on every backend.
template <class Index>
class Life {
    using M = typename Index::Metric;

public:
    template <class Build>
    Life(const Build& build, std::size_t n, std::size_t different)
        : pool_(M::normalises ? signs(different, 1) : small_integers(different, 9, 1)), index_(build(first(n))) {
        for (std::uint32_t id = 0; id < n; ++id) {
            live_[id] = id % different;
        }
    }

    Index& index() { return index_; }

    /// One random change, the same for the index and for the map.
    void change(Random& random) {
        const auto row = static_cast<std::size_t>(random.below(pool_.rows()));
        const auto ids = static_cast<std::uint32_t>(index_.next_id());
        const auto id = static_cast<std::uint32_t>(random.below(ids));
        switch (random.below(8)) {
            case 0:
                live_[index_.add(pool_.row(row))] = row;
                break;
            case 1:
            case 2:
                REQUIRE(index_.remove(id) == (live_.erase(id) == 1));
                break;
            default:
                index_.replace(id, pool_.row(row));
                live_[id] = row;
        }
    }

    /// Lists of all vectors, and of ten under a filter, by definition. `options` must make the search exact.
    template <class Options>
    void check(Random& random, Options options) const {
        REQUIRE(index_.size() == live_.size());
        Matrix<float> rows(index_.next_id(), pool_.cols());
        for (const auto& [id, row] : live_) {
            std::copy(pool_.row(row).begin(), pool_.row(row).end(), rows.row(id).begin());
        }
        const auto query = pool_.row(static_cast<std::size_t>(random.below(pool_.rows())));
        const auto is_live = [&](std::uint32_t id) { return live_.contains(id); };
        const auto is_odd = [](std::uint32_t id) { return id % 2 == 1; };
        options.k = rows.rows();
        REQUIRE(index_.search(query, options) == nearest_by_definition<M>(rows, query, rows.rows(), is_live));
        options.k = 10;
        REQUIRE(index_.search(query, options, is_odd) ==
                nearest_by_definition<M>(rows, query, 10, [&](std::uint32_t id) { return is_odd(id) && is_live(id); }));
    }

    void save_and_load() {
        const funnel::testing::TempDir dir;
        index_.save(dir / "index.fnl");
        const std::size_t size = index_.size();
        index_ = Index::load(dir / "index.fnl");
        REQUIRE(index_.size() == size);
    }

private:
    [[nodiscard]] Matrix<float> first(std::size_t n) const {
        Matrix<float> rows(n, pool_.cols());
        for (std::size_t id = 0; id < n; ++id) {
            const auto row = pool_.row(id % pool_.rows());
            std::copy(row.begin(), row.end(), rows.row(id).begin());
        }
        return rows;
    }

    Matrix<float> pool_;
    Index index_;
    std::map<std::uint32_t, std::size_t> live_;  // by id, a row of pool_
};

// `different`: of so many different vectors, so that many are equal if it is small.
template <class Index, class Build, class Options>
void check_life(const Build& build, const Options& options) {
    for (const std::size_t n : {1U, 2U, 60U}) {
        for (const std::size_t different : {2U, 5U, 40U, 400U}) {
            CAPTURE(n);
            CAPTURE(different);
            Random random(5, 1000 * n + different);
            Life<Index> life(build, n, different);
            for (int step = 0; step < 240; ++step) {
                CAPTURE(step);
                life.change(random);
                if (step % 80 == 50) {
                    life.save_and_load();
                }
                if constexpr (requires { life.index().unreachable(); }) {
                    REQUIRE(life.index().unreachable() == 0);
                }
                if (step % 4 == 0 || step < 20) {
                    life.check(random, options);
                }
            }
        }
    }
}

template <class M, class Codes>
void check_graph() {
    using Index = HNSW<M, std::dynamic_extent, Codes>;
    for (const std::size_t M_ : {2U, 4U}) {
        check_life<Index>(
            [&](MatrixView<const float> rows) { return Index::build(rows, {.M = M_, .ef_construction = 12}); },
            funnel::ann::HNSWSearchOptions{.ef = 1000});
    }
}

}  // namespace

TEST_CASE("replace: worked by hand") {
    const std::vector<float> points{0.0F, 1.0F, 2.0F};
    auto index = HNSW<L2>::build(MatrixView<const float>(points, 3, 1));
    index.remove(1);
    CHECK(index.size() == 2);
    index.replace(1, std::vector{5.0F});  // removed: it comes back
    CHECK(index.size() == 3);
    CHECK(index.contains(1));
    CHECK(index.vector(1)[0] == 5.0F);
    index.replace(0, index.vector(1));  // a vector of the index itself, and now a copy
    CHECK(index.search(std::vector{4.0F}, {.k = 3}) == Hits{{0, -1.0F}, {1, -1.0F}, {2, -4.0F}});
    CHECK(index.next_id() == 3);
    CHECK(index.add(std::vector{9.0F}) == 3);
}

TEST_CASE_TEMPLATE("replace: every structure follows a map of ids through random changes and files", M, L2,
                   InnerProduct, Cosine) {
    check_life<Flat<M>>([](MatrixView<const float> rows) { return Flat<M>::build(rows); },
                        funnel::ann::FlatSearchOptions{});
    using Coded = Flat<M, std::dynamic_extent, Int8>;
    check_life<Coded>([](MatrixView<const float> rows) { return Coded::build(rows); },
                      funnel::ann::FlatSearchOptions{});
    const funnel::ann::IVFSearchOptions all{.nprobe = 100};
    check_life<IVFFlat<M>>([](MatrixView<const float> rows) { return IVFFlat<M>::build(rows, {.lists = 4}); }, all);
    using Bytes = IVFFlat<M, std::dynamic_extent, Int8>;
    check_life<Bytes>([](MatrixView<const float> rows) { return Bytes::build(rows, {.lists = 4}); }, all);
    check_life<Sharded<Flat<M>>>([](MatrixView<const float> rows) { return Sharded<Flat<M>>::build(rows, 3); },
                                 funnel::ann::FlatSearchOptions{});
}

TEST_CASE_TEMPLATE("replace: a graph follows a map of ids through random changes and files, and reaches all", M, L2,
                   InnerProduct, Cosine) {
    check_graph<M, F32>();
    check_graph<M, Int8>();
}

TEST_CASE_TEMPLATE("replace: an IVFPQIndex finds what it finds after a build, with and without its vectors", M, L2,
                   InnerProduct, Cosine) {
    using Index = IVFPQIndex<16, 4, M>;
    const Matrix<float> vectors = tastes(1200, 16, 1);
    for (const bool keep_vectors : {true, false}) {
        const funnel::ann::IVFPQOptions options{.lists = 8, .keep_vectors = keep_vectors};
        auto index = Index::build(vectors.view().rows_from(0, 600), options);
        const std::size_t memory = index.memory_bytes();
        const auto learned = index;
        for (std::uint32_t id = 0; id < 600; ++id) {
            if (id % 2 == 0) {
                index.remove(id);
            }
            index.replace(id, vectors.row(600 + id));
        }
        CHECK(index.memory_bytes() < memory + 600 * 8);  // lists of other lengths end in other blocks
        auto grown = learned;                            // the same codebooks, and the new vectors under higher ids
        for (std::uint32_t id = 0; id < 600; ++id) {
            grown.remove(id);
            grown.add(vectors.row(600 + id));
        }
        for (std::size_t i = 0; i < 1200; i += 31) {
            Hits hits = index.search(vectors.row(i), {.k = 600, .nprobe = 8});
            for (auto& hit : hits) {
                hit.id += 600;
            }
            const Hits expected = grown.search(vectors.row(i), {.k = 600, .nprobe = 8});
            REQUIRE(hits.size() == 600);
            CHECK((!keep_vectors || hits == expected));
            for (std::size_t rank = 0; rank < 600; ++rank) {  // scores of codes are rounded by their place in a list
                CHECK(hits[rank].score == doctest::Approx(expected[rank].score).epsilon(1e-3));
            }
        }
    }
}

TEST_CASE("replace: refuses ids that were never assigned and invalid vectors by name, and changes nothing") {
    const auto check = [](auto index, const char* name) {
        const std::string function = std::string(name) + "::replace: ";
        const std::vector<float> ones(16, 1.0F);
        CHECK_THROWS_WITH_AS(index.replace(20, ones), (function + "id 20 is out of range").c_str(), InvalidArgument);
        CHECK_THROWS_WITH_AS(index.replace(3, std::vector<float>(16)),
                             (function + "the vector is the zero vector, which has no direction").c_str(),
                             InvalidArgument);
        CHECK_THROWS_WITH_AS(index.replace(3, std::vector<float>(15, 1.0F)),
                             (function + "the vector has 15 elements, the index has dimension 16").c_str(),
                             InvalidArgument);
        const auto untouched = decltype(index)::build(signs(20, 1));
        CHECK(std::ranges::equal(index.vector(3), untouched.vector(3)));
    };
    check(Flat<Cosine>::build(signs(20, 1)), "Flat");
    check(HNSW<Cosine>::build(signs(20, 1)), "HNSW");
    check(IVFFlat<Cosine>::build(signs(20, 1)), "IVFFlat");
    auto shards = Sharded<Flat<L2>>::build(signs(5, 1), 2);
    CHECK_THROWS_WITH_AS(shards.replace(5, std::vector<float>(16)), "Sharded::replace: id 5 is out of range",
                         InvalidArgument);
    auto empty = HNSW<L2>::build(Matrix<float>(0, 16));
    CHECK_THROWS_AS(empty.replace(0, std::vector<float>(16)), InvalidArgument);
}

namespace {

// Ten rounds: of 30 % of the ids, drawn at random, each is removed and gets a new vector. The recall of one graph varies
// by 0.01 with its seed, so several are compared, with graphs that are built anew.
template <class M>
void check_churn(double worst_loss) {
    constexpr std::size_t n = 1500;
    constexpr std::size_t part = n * 3 / 10;
    constexpr std::size_t graphs = 3;
    const std::vector<std::size_t> efs{10, 20, 60};
    std::vector<double> churned(efs.size());
    std::vector<double> anew(efs.size());
    for (std::uint64_t seed = 1; seed <= graphs; ++seed) {
        const Matrix<float> all = tastes(n + 10 * part, 12, seed);
        const Matrix<float> queries = tastes(200, 12, 100 + seed);
        Matrix<float> now(all.view().rows_from(0, n));
        const funnel::ann::HNSWOptions options{.M = 6, .ef_construction = 40};
        auto index = HNSW<M>::build(now, options);
        index.replace(0, queries.row(0));  // from here on, it has the tree that changes need
        index.replace(0, now.row(0));
        const std::size_t memory = index.memory_bytes();
        for (std::size_t round = 0; round < 10; ++round) {
            const auto ids = Random(9, round).permutation<std::uint32_t>(n);
            for (std::size_t i = 0; i < part; ++i) {
                index.remove(ids[i]);
            }
            CHECK(index.size() == n - part);
            CHECK(index.search(queries.row(0), {.k = n}).size() == n - part);
            for (std::size_t i = 0; i < part; ++i) {
                const auto vector = all.row(n + round * part + i);
                index.replace(ids[i], vector);
                std::copy(vector.begin(), vector.end(), now.row(ids[i]).begin());
            }
            CHECK(index.unreachable() == 0);
            CHECK(index.reachable_fraction() == 1.0);
            CHECK(index.next_id() == n);
            CHECK(index.memory_bytes() == memory);
        }
        const auto truth = Flat<M>::build(now).search_batch(queries, {.k = 10});
        const auto fresh = HNSW<M>::build(now, options);
        for (std::size_t i = 0; i < efs.size(); ++i) {
            churned[i] += recall(index.search_batch(queries, {.k = 10, .ef = efs[i]}), truth) / graphs;
            anew[i] += recall(fresh.search_batch(queries, {.k = 10, .ef = efs[i]}), truth) / graphs;
        }
    }
    for (std::size_t i = 0; i < efs.size(); ++i) {
        CAPTURE(efs[i]);
        CHECK(churned[i] > anew[i] - worst_loss);
    }
}

}  // namespace

// The symptoms of peers: lower recall with each round of deletes and inserts, vectors that no search finds any more, memory
// that only a rebuild gives back.
TEST_CASE("HNSW: ten rounds of churn keep the recall of a fresh build, all vectors reachable and the memory constant") {
    check_churn<L2>(0.01);
    check_churn<Cosine>(0.01);
    check_churn<InnerProduct>(0.01);
}

TEST_CASE("HNSW: the entry, the root and the last node may be replaced again and again") {
    const Matrix<float> vectors = tastes(600, 6, 1);
    for (const std::size_t n : {1U, 2U, 3U, 30U}) {
        auto index = HNSW<InnerProduct>::build(vectors.view().rows_from(0, n), {.M = 2, .ef_construction = 8});
        for (std::size_t i = 0; i < 500; ++i) {
            const auto id = static_cast<std::uint32_t>(i / 10 % n);  // ten times the same
            index.replace(id, vectors.row(i + 30));
            REQUIRE(index.unreachable() == 0);
            REQUIRE(index.search(vectors.row(i), {.k = n, .ef = 1}).size() == n);
        }
    }
}

TEST_CASE("HNSW: placeholders that get their vectors one after another become a graph with levels and a radius") {
    const Matrix<float> vectors = tastes(1500, 12, 1);
    Matrix<float> equal(1500, 12);
    const auto queries = tastes(200, 12, 2);
    const auto check = [&]<class M>(M) {
        auto index = HNSW<M>::build(equal, {.M = 6, .ef_construction = 40});
        auto fresh = HNSW<M>::build(vectors, {.M = 6, .ef_construction = 40});
        for (std::uint32_t id = 0; id < 1500; ++id) {
            index.replace(id, vectors.row(id));
        }
        CHECK(index.unreachable() == 0);
        fresh.replace(0, queries.row(0));  // now it also has the tree that changes need
        fresh.replace(0, vectors.row(0));
        // The same levels, for they depend on the ids alone; and 4 bytes each to find equal vectors.
        CHECK(index.memory_bytes() == fresh.memory_bytes() + std::size_t{1500} * 4);
        const auto truth = Flat<M>::build(vectors).search_batch(queries, {.k = 10});
        CHECK(recall(index.search_batch(queries, {.k = 10, .ef = 30}), truth) >
              recall(fresh.search_batch(queries, {.k = 10, .ef = 30}), truth) - 0.03);
        for (std::uint32_t id = 0; id < 1500; ++id) {  // and back, from the largest id on, which then stands for all
            index.replace(1499 - id, equal.row(0));
            REQUIRE((id % 100 != 0 || index.unreachable() == 0));
        }
        CHECK(index.search(queries.row(0), {.k = 1500}).size() == 1500);
        CHECK(index.unreachable() == 0);
    };
    check(L2{});
    check(InnerProduct{});
}

TEST_CASE("HNSW: replacing vectors gives the same index each time") {
    const Matrix<float> vectors = tastes(400, 6, 1);
    const auto make = [&] {
        auto index = HNSW<Cosine>::build(vectors.view().rows_from(0, 100), {.M = 4, .ef_construction = 20});
        for (std::uint32_t i = 0; i < 300; ++i) {
            index.replace(i * 37 % 100, vectors.row(100 + i));
        }
        const funnel::testing::TempDir dir;
        index.save(dir / "index.fnl");
        return funnel::testing::bytes_of(dir / "index.fnl");
    };
    CHECK(make() == make());
}

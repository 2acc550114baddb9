// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw.hpp>

#include "ann/sample_vectors.hpp"
#include "support/damage.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::recall;
using funnel::testing::tastes;

namespace {

template <class M, std::size_t Dim = std::dynamic_extent>
using CodedHNSW = HNSW<M, Dim, Int8>;

}  // namespace

TEST_CASE_TEMPLATE("HNSW with codes: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return CodedHNSW<M>::build(vectors, {.M = 5, .ef_construction = 30}, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::HNSWSearchOptions{.ef = 400});  // all vectors: exact
    funnel::testing::check_index_searches<M>(build, funnel::ann::HNSWSearchOptions{.ef = 20}, {.min_recall = 0.8});
}

TEST_CASE_TEMPLATE("HNSW with codes: scores are exact, and recall reaches 0.99", M, L2, InnerProduct, Cosine) {
    const Matrix<float> vectors = tastes(3000, 24, 1);
    const Matrix<float> queries = tastes(50, 24, 2);
    const auto index = CodedHNSW<M, 24>::build(vectors, {.M = 16, .ef_construction = 60});
    const auto exact = Flat<M>::build(vectors);
    const auto all = exact.search_batch(queries, {.k = 3000});
    const auto found = index.search_batch(queries, {.k = 10, .ef = 200});
    CHECK(recall(found, exact.search_batch(queries, {.k = 10})) >= 0.99);
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        for (const auto& hit : found[i]) {
            const auto same = std::find_if(all[i].begin(), all[i].end(), [&](const auto& h) { return h.id == hit.id; });
            CHECK(hit.score == doctest::Approx(same->score).epsilon(1e-5));
        }
    }
}

TEST_CASE("HNSW with codes: a file has the mean of the codes, finite and of one length") {
    const funnel::testing::TempDir dir;
    CodedHNSW<L2>::build(tastes(30, 8, 1), {.M = 4, .ef_construction = 20}).save(dir / "index.fnl");
    const auto load = [](const std::filesystem::path& path) {
        return CodedHNSW<L2>::load(path).search(std::vector<float>(8, 1.0F));
    };
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "index.fnl"), load,
                                  {.head = 300, .bit_flips = 200, .truncations = 30});
    CHECK_THROWS_AS((void)HNSW<L2>::load(dir / "index.fnl"), funnel::CorruptData);
    HNSW<L2>::build(tastes(30, 8, 1)).save(dir / "plain.fnl");
    CHECK_THROWS_AS((void)CodedHNSW<L2>::load(dir / "plain.fnl"), funnel::CorruptData);
}

TEST_CASE("HNSW with codes: counts their bytes") {
    const Matrix<float> vectors = tastes(100, 24, 1);
    const std::size_t plain = HNSW<Cosine>::build(vectors).memory_bytes();
    CHECK(CodedHNSW<Cosine>::build(vectors).memory_bytes() == plain + 100 * (64 + 4) + 24 * 4);
    CHECK(CodedHNSW<L2>::build(vectors).memory_bytes() ==
          HNSW<L2>::build(vectors).memory_bytes() + 100 * (64 + 12) + 24 * 4);
    CHECK(CodedHNSW<Cosine>::memory_estimate(100, 24) == HNSW<Cosine>::memory_estimate(100, 24) + 100 * 68 + 24 * 4);
}

TEST_CASE("HNSW with codes: vectors of more elements than products of bytes allow are rejected") {
    CHECK_THROWS_AS((void)CodedHNSW<L2>::build(Matrix<float>(1, (std::size_t{1} << 17) + 1)), funnel::InvalidArgument);
}

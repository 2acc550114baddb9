// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/damage.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <type_traits>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::F16;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::recall;
using funnel::testing::tastes;

namespace {

template <class M, class Codes, std::size_t Dim = std::dynamic_extent>
using CodedHNSW = HNSW<M, Dim, Codes>;

template <class M, class Codes>
void check_promises() {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return CodedHNSW<M, Codes>::build(vectors, {.M = 5, .ef_construction = 30}, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::HNSWSearchOptions{.ef = 400});  // all vectors: exact
    funnel::testing::check_index_searches<M>(build, funnel::ann::HNSWSearchOptions{.ef = 20}, {.min_recall = 0.8});
}

template <class M, class Codes>
void check_recall() {
    const Matrix<float> vectors = tastes(3000, 24, 1);
    const Matrix<float> queries = tastes(50, 24, 2);
    const auto index = CodedHNSW<M, Codes, 24>::build(vectors, {.M = 16, .ef_construction = 60});
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

}  // namespace

TEST_CASE_TEMPLATE("HNSW with codes: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    check_promises<M, Int8>();
    check_promises<M, F16>();
}

TEST_CASE_TEMPLATE("HNSW with codes: scores are exact, and recall reaches 0.99", M, L2, InnerProduct, Cosine) {
    check_recall<M, Int8>();
    check_recall<M, F16>();
}

TEST_CASE_TEMPLATE("HNSW with codes: a few vectors of length 2^61 do not hide the others", Codes, Int8, F16) {
    Matrix<float> vectors = tastes(2000, 24, 1);
    const Matrix<float> queries = tastes(50, 24, 2);
    for (std::size_t i = 0; i < 2000; i += 400) {
        for (float& x : vectors.row(i)) {
            x *= 0x1p55F;
        }
    }
    const auto expected = Flat<L2>::build(vectors).search_batch(queries, {.k = 10});
    const auto index = CodedHNSW<L2, Codes>::build(vectors, {.M = 16, .ef_construction = 60});
    CHECK(recall(index.search_batch(queries, {.k = 10, .ef = 100}), expected) >= 0.99);
    // A search near one of them finds it, too.
    std::vector<float> query(vectors.row(400).begin(), vectors.row(400).end());
    query[3] *= 1.01F;
    CHECK(index.search(query, {.k = 1, .ef = 100})[0].id == 400);
}

TEST_CASE("HNSW with halves: recall reaches 0.99 for vectors of tiny, huge and very different lengths, far from 0") {
    const Matrix<float> queries = tastes(50, 24, 2);
    const auto recall_at = [&]<class M>(M, auto change) {
        Matrix<float> vectors = tastes(2000, 24, 1);
        Matrix<float> changed = queries;
        for (std::size_t i = 0; i < vectors.rows(); ++i) {
            for (float& x : vectors.row(i)) {
                x = change(x, i);
            }
        }
        for (std::size_t i = 0; i < changed.rows(); ++i) {
            for (float& x : changed.row(i)) {
                x = change(x, 0);
            }
        }
        const auto index = CodedHNSW<M, F16>::build(vectors, {.M = 16, .ef_construction = 60});
        return recall(index.search_batch(changed, {.k = 10, .ef = 100}),
                      Flat<M>::build(vectors).search_batch(changed, {.k = 10}));
    };
    CHECK(recall_at(L2{}, [](float x, std::size_t) { return x * 0x1p55F; }) >= 0.99);  // 2^55 is past any half
    CHECK(recall_at(L2{}, [](float x, std::size_t) { return x * 0x1p-50F; }) >= 0.99);
    CHECK(recall_at(L2{}, [](float x, std::size_t) { return x + 5000.0F; }) >= 0.99);
    CHECK(recall_at(Cosine{}, [](float x, std::size_t i) { return std::ldexp(x, static_cast<int>(i % 90) - 45); }) >=
          0.99);
    CHECK(recall_at(InnerProduct{}, [](float x, std::size_t i) { return std::ldexp(x, -static_cast<int>(i % 9)); }) >=
          0.99);
}

TEST_CASE_TEMPLATE("HNSW with codes: a file has the mean of the codes, finite and of one length", Codes, Int8, F16) {
    const funnel::testing::TempDir dir;
    const auto index = CodedHNSW<L2, Codes>::build(tastes(30, 8, 1), {.M = 4, .ef_construction = 20});
    index.save(dir / "index.fnl");
    const std::vector<float> query(8, 1.0F);
    const auto load = [&](const std::filesystem::path& path) { return CodedHNSW<L2, Codes>::load(path).search(query); };
    CHECK(load(dir / "index.fnl") == index.search(query));
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "index.fnl"), load,
                                  {.head = 300, .bit_flips = 200, .truncations = 30});
    CHECK_THROWS_AS((void)HNSW<L2>::load(dir / "index.fnl"), funnel::CorruptData);
    using Other = std::conditional_t<std::is_same_v<Codes, Int8>, F16, Int8>;
    CHECK_THROWS_AS((void)(CodedHNSW<L2, Other>::load(dir / "index.fnl")), funnel::CorruptData);
    HNSW<L2>::build(tastes(30, 8, 1)).save(dir / "plain.fnl");
    CHECK_THROWS_AS((void)(CodedHNSW<L2, Codes>::load(dir / "plain.fnl")), funnel::CorruptData);
}

TEST_CASE("HNSW with codes: counts their bytes") {
    const Matrix<float> vectors = tastes(100, 24, 1);
    const std::size_t plain = HNSW<Cosine>::build(vectors).memory_bytes();
    const std::size_t estimate = HNSW<Cosine>::memory_estimate(100, 24);
    CHECK(CodedHNSW<Cosine, Int8>::build(vectors).memory_bytes() == plain + 100 * (64 + 4) + 24 * 4);
    CHECK(CodedHNSW<Cosine, Int8>::memory_estimate(100, 24) == estimate + 100 * 68 + 24 * 4);
    CHECK(CodedHNSW<L2, Int8>::build(vectors).memory_bytes() ==
          HNSW<L2>::build(vectors).memory_bytes() + 100 * (64 + 12) + 24 * 4);
    CHECK(CodedHNSW<Cosine, F16>::build(vectors).memory_bytes() == plain + 100 * 64 + 24 * 4);
    CHECK(CodedHNSW<Cosine, F16>::memory_estimate(100, 24) == estimate + 100 * 64 + 24 * 4);
    CHECK(CodedHNSW<L2, F16>::memory_estimate(100, 40) == HNSW<L2>::memory_estimate(100, 40) + 100 * 136 + 40 * 4);
}

TEST_CASE("HNSW with codes: vectors of more elements than products of bytes allow are rejected, but not for halves") {
    const std::size_t most = std::size_t{1} << 14;
    CHECK_THROWS_AS((void)(CodedHNSW<L2, Int8>::build(Matrix<float>(1, most + 1))), funnel::InvalidArgument);
    CHECK((CodedHNSW<L2, F16>::build(Matrix<float>(1, most + 1)).size()) == 1);
}

TEST_CASE_TEMPLATE("HNSW with codes: searches with a warm scratch allocate nothing", Codes, Int8, F16) {
    const auto vectors = tastes(500, 24, 1);
    const auto index = CodedHNSW<L2, Codes>::build(vectors, {.M = 8, .ef_construction = 40});
    auto scratch = index.scratch({.k = 10, .ef = 64});
    Hits out(10);
    const auto half = [](std::uint32_t id) { return id % 2 == 0; };
    CHECK(funnel::testing::allocations_of([&] {
              index.search(vectors.row(0), {.k = 10, .ef = 64}, scratch, out);
              index.search(vectors.row(1), {.k = 10, .ef = 16}, half, scratch, out);
          }) == 0);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/flat.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

using namespace funnel;
using funnel::ann::Cosine;
using funnel::ann::F32;
using funnel::ann::Flat;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::L2;

namespace {

template <class M, class Backend = kernels::DefaultBackend>
using Exact = Flat<M, std::dynamic_extent, F32, Backend>;
template <class M, class Backend = kernels::DefaultBackend>
using Coded = Flat<M, std::dynamic_extent, Int8, Backend>;

using Metrics = std::tuple<L2, InnerProduct, Cosine>;

Matrix<float> normals(std::size_t n, std::size_t d, std::uint64_t seed) {
    Random random(31, seed);
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return rows;
}

void multiply(std::span<float> row, float factor) {
    for (float& x : row) {
        x *= factor;
    }
}

// What makes codes inexact, or bounds of one vector useless for another.
std::vector<std::pair<const char*, std::function<void(Matrix<float>&)>>> hard_cases() {
    return {
        {"plain", [](Matrix<float>&) {}},
        {"tiny and huge vectors side by side",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 multiply(rows.row(i), std::ldexp(1.0F, static_cast<int>(i % 61) - 30));
             }
         }},
        {"near the longest and the shortest that are allowed",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 multiply(rows.row(i), std::ldexp(1.0F, i % 3 == 0 ? 53 : i % 3 == 1 ? -140 : 0));
             }
         }},
        {"all tiny",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 multiply(rows.row(i), 0x1p-75F);
             }
         }},
        {"all equal",
         [](Matrix<float>& rows) {
             for (std::size_t i = 1; i < rows.rows(); ++i) {
                 std::copy(rows.row(0).begin(), rows.row(0).end(), rows.row(i).begin());
             }
         }},
        {"equal but for the last digit",
         [](Matrix<float>& rows) {
             for (std::size_t i = 1; i < rows.rows(); ++i) {
                 std::copy(rows.row(0).begin(), rows.row(0).end(), rows.row(i).begin());
                 float& x = rows(i, i % rows.cols());
                 x = std::nextafter(x, i % 2 == 0 ? 1e30F : -1e30F);
             }
         }},
        {"copies",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 std::copy(rows.row(i % 7).begin(), rows.row(i % 7).end(), rows.row(i).begin());
             }
         }},
        {"far from the origin",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 for (float& x : rows.row(i)) {
                     x += 1000.0F;
                 }
             }
         }},
        {"one outlier", [](Matrix<float>& rows) { multiply(rows.row(rows.rows() / 2), 1e9F); }},
        {"one huge element in each",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 rows(i, i % rows.cols()) *= 1e4F;
             }
         }},
        {"half a step between two bytes",
         [](Matrix<float>& rows) {
             for (std::size_t i = 0; i < rows.rows(); ++i) {
                 for (float& x : rows.row(i)) {
                     x = std::clamp(std::floor(x * 40.0F) + 0.5F, -126.5F, 126.5F);
                 }
                 rows(i, 0) = i % 2 == 0 ? 127.0F : -127.0F;
             }
         }},
    };
}

template <class M, class Backend>
void check_equal(const Matrix<float>& rows, const Matrix<float>& queries) {
    const auto exact = Exact<M, Backend>::build(rows);
    const auto coded = Coded<M, Backend>::build(rows);
    for (const std::size_t k :
         {std::size_t{0}, std::size_t{1}, std::size_t{10}, std::numeric_limits<std::size_t>::max()}) {
        CAPTURE(k);
        const auto batch = coded.search_batch(queries, {.k = k});
        REQUIRE(exact.search_batch(queries, {.k = k}) == batch);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            REQUIRE(coded.search(queries.row(i), {.k = k}) == batch[i]);
        }
    }
}

}  // namespace

TEST_CASE_TEMPLATE("Flat with int8 codes: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return Coded<M>::build(vectors, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::FlatSearchOptions{},
                                    {.damage = {.head = 100, .bit_flips = 50}});
}

TEST_CASE_TEMPLATE_DEFINE("Flat with int8 codes: equals Flat to the bit, whatever the vectors are", Backend,
                          int8_equals) {
    for (const auto& [name, change] : hard_cases()) {
        const std::string which = name;  // clang 14 cannot capture name
        for (const std::size_t d : {1U, 2U, 64U, 65U, 130U}) {
            CAPTURE(which);
            CAPTURE(d);
            Matrix<float> rows = normals(d == 64 ? 800 : 330, d, d);
            change(rows);
            Matrix<float> queries = normals(7, d, d + 1);
            std::copy(rows.row(3).begin(), rows.row(3).end(), queries.row(0).begin());
            std::copy(rows.row(300).begin(), rows.row(300).end(), queries.row(1).begin());
            multiply(queries.row(2), 1e-20F);
            multiply(queries.row(3), 1e15F);
            for (std::size_t j = 0; j < d; ++j) {
                queries(4, j) = 0.0F - rows(3, j);
            }
            check_equal<L2, Backend>(rows, queries);
            check_equal<InnerProduct, Backend>(rows, queries);
            check_equal<Cosine, Backend>(rows, queries);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(int8_equals, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE("Flat with int8 codes: filters, removed and added vectors, and batches of any size", M, L2,
                   InnerProduct, Cosine) {
    const Matrix<float> rows = normals(2000, 24, 1);
    const Matrix<float> queries = normals(150, 24, 2);
    auto exact = Exact<M>::build(rows.view().rows_from(0, 1500));
    auto coded = Coded<M>::build(rows.view().rows_from(0, 1500));
    for (std::size_t i = 1500; i < rows.rows(); ++i) {
        exact.add(rows.row(i));
        coded.add(rows.row(i));
    }
    for (std::uint32_t id = 0; id < 2000; id += 3) {
        exact.remove(id);
        coded.remove(id);
    }
    for (const std::uint32_t divisor : {1U, 2U, 50U, 700U, 1999U}) {
        const auto passes = [&](std::uint32_t id) { return id % divisor == 0; };
        for (std::size_t i = 0; i < 10; ++i) {
            REQUIRE(coded.search(queries.row(i), {.k = 12}, passes) == exact.search(queries.row(i), {.k = 12}, passes));
        }
        REQUIRE(coded.search_batch(queries, {.k = 12}, passes) == exact.search_batch(queries, {.k = 12}, passes));
    }
    Threads pool(2);
    for (const std::size_t count : {0U, 1U, 2U, 3U, 4U, 5U, 63U, 64U, 65U, 129U, 150U}) {
        const auto some = queries.view().rows_from(0, count);
        const auto batch = coded.search_batch(some, {.k = 5}, pool);
        REQUIRE(batch == exact.search_batch(some, {.k = 5}));
        for (std::size_t i = 0; i < count; ++i) {
            REQUIRE(batch[i] == coded.search(some.row(i), {.k = 5}));
        }
    }
}

TEST_CASE_TEMPLATE("Flat with int8 codes: more candidates than a search has room for", M, L2, InnerProduct, Cosine) {
    for (const std::size_t kinds : {1U, 700U, 5000U}) {  // 1: all are copies; scores rise towards the end
        Matrix<float> rows = normals(5000, 8, 3);
        const Matrix<float> queries = normals(5, 8, 4);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const float towards = static_cast<float>(i % kinds) / static_cast<float>(kinds);
            for (std::size_t j = 0; j < 8; ++j) {
                rows(i, j) = kinds == 1 ? rows(0, j) : rows(i, j) * (1.0F - towards) + queries(0, j) * towards;
            }
        }
        const auto exact = Exact<M>::build(rows);
        const auto coded = Coded<M>::build(rows);
        for (const std::size_t k : {1U, 100U, 300U, 1024U, 1025U, 4000U}) {
            CAPTURE(kinds);
            CAPTURE(k);
            REQUIRE(coded.search_batch(queries, {.k = k}) == exact.search_batch(queries, {.k = k}));
        }
    }
}

TEST_CASE("Flat with int8 codes: a few vectors are scored, not all") {
    const auto coded = Coded<Cosine>::build(normals(20'000, 64, 1));
    const Matrix<float> query = normals(1, 64, 2);
    std::size_t asked = 0;  // the filter is asked about those vectors that are not ruled out
    const auto passes = [&](std::uint32_t) {
        ++asked;
        return true;
    };
    CHECK(coded.search(query.row(0), {.k = 10}, passes).size() == 10);
    CHECK(asked < 1000);
}

TEST_CASE("Flat with int8 codes: reads the files of Flat, and writes the same") {
    const funnel::testing::TempDir dir;
    const Matrix<float> rows = normals(300, 20, 1);
    const auto coded = Coded<L2>::build(rows);
    coded.save(dir / "coded.fnl");
    Exact<L2>::build(rows).save(dir / "exact.fnl");
    CHECK(funnel::testing::bytes_of(dir / "coded.fnl") == funnel::testing::bytes_of(dir / "exact.fnl"));
    const auto loaded = Coded<L2>::load(dir / "exact.fnl");
    CHECK(loaded.search(rows.row(5), {.k = 9}) == coded.search(rows.row(5), {.k = 9}));
    CHECK(loaded.memory_bytes() == coded.memory_bytes());
    // 300 rows of 32 floats and a flag each; a mean of 20 floats; 304 vectors of 20 bytes, a scale and a bias.
    CHECK(coded.memory_bytes() == 300 * (128 + 1) + 80 + 304 * (20 + 8));
    CHECK(Coded<L2>::memory_estimate(300, 20) == coded.memory_bytes());
    CHECK(Coded<Cosine>::build(rows).memory_bytes() == 300 * (128 + 1) + 80 + 304 * (20 + 4));
    CHECK_THROWS_AS((static_cast<void>(Flat<L2, 21, Int8>::load(dir / "exact.fnl"))), CorruptData);
}

TEST_CASE("Flat: rejects vectors of another dimension than its own, and more elements than int8 codes have") {
    const Matrix<float> rows = normals(10, 20, 1);
    CHECK(Flat<L2, 20, Int8>::build(rows).search(rows.row(3), {.k = 1})[0].id == 3);
    CHECK(Flat<L2, 20>::build(rows).search(rows.row(3), {.k = 1})[0].id == 3);
    CHECK_THROWS_WITH_AS((static_cast<void>(Flat<L2, 21>::build(rows))),
                         "Flat::build: the vectors have 20 elements, the index has dimension 21", InvalidArgument);
    CHECK_THROWS_AS((static_cast<void>(Flat<L2, 21, Int8>::build(rows))), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(Coded<L2>::build(Matrix<float>(1, (std::size_t{1} << 14) + 1))), InvalidArgument);
    CHECK(Coded<L2>::build(Matrix<float>(1, std::size_t{1} << 14)).size() == 1);
}

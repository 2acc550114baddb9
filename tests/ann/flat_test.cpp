// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/flat.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"
#include "support/damage.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::Flat;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::signs;
using funnel::testing::small_integers;

namespace {

constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

// (0, 1), (3, 4), (2, 0)
const std::vector<float> three{0.0F, 1.0F, 3.0F, 4.0F, 2.0F, 0.0F};
const MatrixView<const float> three_rows(three, 3, 2);

template <class M, class Backend>
void check_against_definition(const Matrix<float>& vectors, const Matrix<float>& queries) {
    const auto index = Flat<M, std::dynamic_extent, funnel::ann::F32, Backend>::build(vectors);
    funnel::Threads pool(2);
    for (const std::size_t k : {std::size_t{1}, std::size_t{10}, vectors.rows() - 1, vectors.rows() + 5}) {
        const auto batch = index.search_batch(queries, {.k = k}, pool);
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const Hits expected = nearest_by_definition<M>(vectors, queries.row(i), k);
            CHECK(index.search(queries.row(i), {.k = k}) == expected);
            CHECK(batch[i] == expected);
        }
    }
}

}  // namespace

TEST_CASE_TEMPLATE("Flat: keeps what every index promises", M, L2, InnerProduct, Cosine) {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return Flat<M>::build(vectors, executor);
    };
    funnel::testing::check_index<M>(build, funnel::ann::FlatSearchOptions{});
}

TEST_CASE("Flat: worked by hand") {
    const std::vector<float> query{1.0F, 1.0F};
    // Squared distances: 1 + 0, 4 + 9, 1 + 1.
    CHECK(Flat<L2>::build(three_rows).search(query) == Hits{{0, -1.0F}, {2, -2.0F}, {1, -13.0F}});
    // Products: 1, 7, 2.
    CHECK(Flat<InnerProduct>::build(three_rows).search(query, {.k = 2}) == Hits{{1, 7.0F}, {2, 2.0F}});
    // Cosines with (1, 1) / sqrt 2: 0.7071, 7 / (5 sqrt 2) = 0.9899, 0.7071.
    const Hits hits = Flat<Cosine>::build(three_rows).search(query);
    REQUIRE(hits.size() == 3);
    CHECK(hits[0].id == 1);
    CHECK(hits[0].score == doctest::Approx(0.98995));
    CHECK(hits[1].id == 0);
    CHECK(hits[1].score == doctest::Approx(0.70711));
    CHECK(hits[2].id == 2);
}

TEST_CASE_TEMPLATE_DEFINE("Flat: equals the definition, ties included", Backend, flat_by_definition) {
    for (const std::size_t d : {1U, 3U, 8U, 16U, 37U}) {
        CAPTURE(d);
        check_against_definition<L2, Backend>(small_integers(300, d, 1), small_integers(4, d, 2));
        check_against_definition<InnerProduct, Backend>(small_integers(300, d, 3), small_integers(4, d, 4));
    }
    check_against_definition<Cosine, Backend>(signs(300, 1), signs(4, 2));
}
TEST_CASE_TEMPLATE_APPLY(flat_by_definition, funnel::testing::HostBackends);

TEST_CASE("Flat: a filter leaves the best of those that pass") {
    const Matrix<float> vectors = small_integers(1000, 6, 1);
    const auto index = Flat<L2>::build(vectors);
    const auto query = vectors.row(3);
    for (const std::uint32_t divisor : {1U, 2U, 10U, 100U, 999U}) {
        CAPTURE(divisor);
        const auto passes = [&](std::uint32_t id) { return id % divisor == 0; };
        CHECK(index.search(query, {.k = 20}, passes) == nearest_by_definition<L2>(vectors, query, 20, passes));
    }
    CHECK(index.search(query, {.k = 20}, [](std::uint32_t id) { return id == 777; }).size() == 1);
    CHECK(index.search(query, {.k = 20}, [](std::uint32_t) { return false; }).empty());
}

TEST_CASE("Flat: added vectors are found, removed ones are not, and ids are not used again") {
    auto index = Flat<L2>::build(three_rows);
    CHECK(index.add(std::vector<float>{1.0F, 1.0F}) == 3);
    CHECK(index.size() == 4);
    const std::vector<float> query{1.0F, 1.0F};
    CHECK(index.search(query, {.k = 2}) == Hits{{3, 0.0F}, {0, -1.0F}});

    CHECK(index.remove(3));
    CHECK_FALSE(index.remove(3));
    CHECK(index.remove(0));
    CHECK(index.size() == 2);
    CHECK(index.search(query) == Hits{{2, -2.0F}, {1, -13.0F}});
    CHECK(index.add(std::vector<float>{1.0F, 0.0F}) == 4);
    CHECK(index.search(query, {.k = 1}) == Hits{{4, -1.0F}});
    CHECK_THROWS_AS(index.remove(5), InvalidArgument);
}

TEST_CASE("Flat: counts the bytes of rows, which are padded to 64 bytes, and a flag each") {
    CHECK(Flat<L2>::build(three_rows).memory_bytes() == 3 * 64 + 3);
}

TEST_CASE("Flat: cosines never leave [-1, 1], and neither length nor input changes") {
    Matrix<float> vectors = funnel::testing::tastes(300, 37, 1);
    const Matrix<float> before = vectors;
    const auto index = Flat<Cosine>::build(vectors);
    for (std::size_t i = 0; i < vectors.rows(); ++i) {
        const Hits hits = index.search(vectors.row(i), {.k = 300});
        REQUIRE(hits.front().score <= 1.0F);
        std::vector<float> opposite(vectors.row(i).begin(), vectors.row(i).end());
        for (float& x : opposite) {
            x = -x;
        }
        REQUIRE(index.search(opposite, {.k = 300}).back().score >= -1.0F);
        REQUIRE(std::equal(vectors.row(i).begin(), vectors.row(i).end(), before.row(i).begin()));
    }
    // A thousandth or a million times as long: the same direction.
    std::vector<float> query(vectors.row(7).begin(), vectors.row(7).end());
    for (const float scale : {1e-30F, 1e-3F, 1e6F, 1e30F}) {
        std::vector<float> scaled = query;
        for (float& x : scaled) {
            x *= scale;
        }
        CHECK(index.search(scaled, {.k = 1})[0].id == 7);
    }
}

TEST_CASE("Flat: an index of another metric is refused, with the names of both") {
    const funnel::testing::TempDir dir;
    Flat<Cosine>::build(signs(10, 1)).save(dir / "flat.fnl");
    std::string message;
    try {
        (void)Flat<L2>::load(dir / "flat.fnl");
    } catch (const funnel::CorruptData& error) {
        message = error.what();
    }
    CHECK(message.find("expected L2, found Cosine") != std::string::npos);
}

TEST_CASE("Flat: any damage to a file is found") {
    const funnel::testing::TempDir dir;
    Flat<L2>::build(small_integers(20, 3, 1)).save(dir / "flat.fnl");
    const auto load = [](const std::filesystem::path& path) {
        return Flat<L2>::load(path).search(std::vector<float>{1.0F, 2.0F, 3.0F});
    };
    funnel::testing::check_damage(funnel::testing::bytes_of(dir / "flat.fnl"), load,
                                  {.head = 300, .bit_flips = 300, .truncations = 30});
}

TEST_CASE("Flat: every vector and flag of a file is checked") {
    const funnel::testing::TempDir dir;
    // The checksums are right: only the meaning can be wrong.
    const auto is_refused = [&]<class M>(M, const std::vector<float>& vector, std::uint8_t flag) {
        const std::string metric(M::name);
        const Matrix<float> vectors(MatrixView<const float>(vector, 1, 2));
        const std::vector<std::uint8_t> is_removed{flag};
        funnel::io::ContainerWriter file("ann.Flat", 1);
        file.strings("metric", std::span(&metric, 1));
        file.matrix("vectors", vectors);
        file.array("is_removed", is_removed);
        file.save(dir / "flat.fnl");
        try {
            (void)Flat<M>::load(dir / "flat.fnl");
        } catch (const funnel::CorruptData&) {
            return true;
        }
        return false;
    };
    CHECK_FALSE(is_refused(L2{}, {3.0F, 4.0F}, 1));
    CHECK(is_refused(L2{}, {3.0F, 4.0F}, 2));
    CHECK(is_refused(L2{}, {3.0F, not_a_number}, 0));
    CHECK(is_refused(InnerProduct{}, {3.0F, 2e19F}, 0));
    CHECK(is_refused(L2{}, {3.0F, 5e18F}, 0));
    CHECK_FALSE(is_refused(L2{}, {3.0F, 4.6e18F}, 0));
    CHECK_FALSE(is_refused(Cosine{}, {0.6F, 0.8F}, 0));
    CHECK_FALSE(is_refused(Cosine{}, {0.6F, 0.8005F}, 0));  // squared length 1.0008
    CHECK(is_refused(Cosine{}, {0.6F, 0.801F}, 0));         // 1.0016
    CHECK(is_refused(Cosine{}, {0.6F, 0.799F}, 0));         // 0.9984
    CHECK(is_refused(Cosine{}, {0.6F, 0.9F}, 0));
    CHECK(is_refused(Cosine{}, {1.0F, 1.0F}, 0));
}

TEST_CASE("Flat: scores of the longest vectors, opposite ones too, are finite, and longer ones are refused") {
    constexpr float longest = 0x1p62F;
    const auto check = [&]<class M>(M) {
        for (const std::size_t d : {1U, 3U, 16U, 100U, 1000U}) {
            CAPTURE(d);
            Matrix<float> vectors(2, d);
            const auto x = static_cast<float>(longest / std::sqrt(static_cast<double>(d)));
            for (std::size_t j = 0; j < d; ++j) {
                vectors(0, j) = d == 1 ? x : x * 0.99999F;  // rounding must not make it too long
                vectors(1, j) = -vectors(0, j);
            }
            auto index = Flat<M>::build(vectors);
            for (const auto& hit : index.search(vectors.row(0), {.k = 2})) {
                CHECK(funnel::math::is_finite(hit.score));
            }
            CHECK(index.search(vectors.row(0))[0].id == 0);
            std::vector<float> longer(d, x * 1.0001F);
            CHECK_THROWS_AS(index.add(longer), InvalidArgument);
            CHECK_THROWS_AS((void)index.search(longer), InvalidArgument);
        }
    };
    check(L2{});
    check(InnerProduct{});
    // As reported: opposite vectors whose squared lengths fit a float, but not their distance.
    const std::vector<float> opposite{1.8e19F, -1.8e19F};
    CHECK_THROWS_AS((void)Flat<L2>::build(MatrixView<const float>(opposite, 2, 1)), InvalidArgument);
    CHECK(Flat<Cosine>::build(MatrixView<const float>(opposite, 2, 1)).search(std::vector<float>{3e38F})[1].score ==
          -1.0F);
}

TEST_CASE("Flat: an index without dimension takes no vector, and searches of it find nothing") {
    auto index = Flat<L2>::build(Matrix<float>());
    CHECK_THROWS_WITH_AS(index.add({}), "Flat::add: the vector must have at least one element", InvalidArgument);
    CHECK_THROWS_AS(index.add(std::vector<float>{1.0F}), InvalidArgument);
    CHECK(index.size() == 0);
    CHECK(index.search({}).empty());
    const funnel::testing::TempDir dir;
    index.save(dir / "flat.fnl");
    CHECK(Flat<L2>::load(dir / "flat.fnl").size() == 0);
}

TEST_CASE("Flat: rows without columns are rejected before any memory is taken for them") {
    const MatrixView<const float> endless({}, std::numeric_limits<std::size_t>::max(), 0);
    CHECK_THROWS_WITH_AS((void)Flat<L2>::build(endless), "Flat::build: vectors must have at least one column",
                         InvalidArgument);
}

TEST_CASE("Flat: NaN in a row is rejected and the row is named") {
    std::vector<float> elements = three;
    elements[3] = not_a_number;
    const MatrixView<const float> rows(elements, 3, 2);
    CHECK_THROWS_WITH_AS((void)Flat<L2>::build(rows), "Flat::build: row 1 holds a NaN or an infinity", InvalidArgument);
    elements[3] = -infinity;
    CHECK_THROWS_AS((void)Flat<Cosine>::build(rows), InvalidArgument);
    elements[3] = 1e30F;
    CHECK_THROWS_WITH_AS((void)Flat<InnerProduct>::build(rows),
                         "Flat::build: row 1 is too long: its length must be at most 2^62", InvalidArgument);
    auto index = Flat<L2>::build(three_rows);
    CHECK_THROWS_WITH_AS((index.add(std::vector<float>{0.0F, not_a_number})),
                         "Flat::add: the vector holds a NaN or an infinity", InvalidArgument);
    CHECK(index.size() == 3);
}

TEST_CASE("Flat: zero has no direction, under Cosine only") {
    const std::vector<float> zero(2);
    CHECK_THROWS_WITH_AS((void)Flat<Cosine>::build(Matrix<float>(1, 2)),
                         "Flat::build: row 0 is the zero vector, which has no direction", InvalidArgument);
    CHECK_THROWS_AS((void)Flat<Cosine>::build(three_rows).search(zero), InvalidArgument);
    CHECK(Flat<L2>::build(Matrix<float>(1, 2)).search(zero) == Hits{{0, 0.0F}});
}

TEST_CASE("Flat: queries of another dimension or with NaN are rejected") {
    const auto index = Flat<L2>::build(three_rows);
    CHECK_THROWS_WITH_AS((void)index.search(std::vector<float>(3)),
                         "Flat::search: the query has 3 elements, the index has dimension 2", InvalidArgument);
    CHECK_THROWS_AS(((void)index.search(std::vector<float>{not_a_number, 0.0F})), InvalidArgument);
    std::vector<float> queries{1.0F, 2.0F, 3.0F, infinity};
    CHECK_THROWS_WITH_AS((void)index.search_batch(MatrixView<const float>(queries, 2, 2)),
                         "Flat::search_batch: query 1 holds a NaN or an infinity", InvalidArgument);
    CHECK_THROWS_AS((void)Flat<L2>::build(MatrixView<const float>({}, 3, 0)), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/centroid_codes.hpp>

#include "ann/sample_vectors.hpp"
#include "support/allocations.hpp"
#include "support/backends.hpp"

#include <funnel/ann/vectors.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/kernels/one_to_many.hpp>
#include <funnel/quantise/int8.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::CentroidCodes;
using funnel::testing::Hits;

namespace {

// All scores, sorted.
template <class M, class Backend>
Hits nearest_of_all(std::span<const float> query, MatrixView<const float> centroids, std::size_t count) {
    std::vector<float> scores(centroids.rows());
    funnel::kernels::score_rows<typename M::Stored, Backend>(query, centroids, scores);
    Hits hits;
    for (const float score : scores) {
        hits.push_back({static_cast<std::uint32_t>(hits.size()), score});
    }
    std::sort(hits.begin(), hits.end(), funnel::ranks_before);
    hits.resize(count);
    return hits;
}

template <class M, class Backend>
void check(MatrixView<const float> centroids, MatrixView<const float> queries) {
    const CentroidCodes<M, Backend> codes(centroids);
    typename CentroidCodes<M, Backend>::Query prepared;
    std::vector<float> lefts(centroids.rows());
    Hits out(centroids.rows());
    const std::size_t most = centroids.rows() / 4;
    for (std::size_t i = 0; i < queries.rows(); ++i) {
        for (const std::size_t count : {std::size_t{1}, std::size_t{2}, most / 2, most}) {
            REQUIRE(codes.pays(count));
            codes.nearest(queries.row(i), centroids, count, prepared, lefts, out);
            CAPTURE(i);
            CAPTURE(count);
            CHECK(Hits(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(count)) ==
                  nearest_of_all<M, Backend>(queries.row(i), centroids, count));
        }
    }
    CHECK_FALSE(codes.pays(most + 1));
}

// Lengths from 1e-20 to 1e16, and one direction that outweighs all others.
Matrix<float> of_all_lengths(std::size_t n, std::size_t d, std::uint64_t seed) {
    Matrix<float> vectors = funnel::testing::tastes(n, d, seed);
    for (std::size_t i = 0; i < n; ++i) {
        const float length = std::pow(10.0F, static_cast<float>(i % 36) - 20.0F);
        for (float& x : vectors.row(i)) {
            x *= length;
        }
        if (i % 5 == 0) {
            vectors(i, 0) = 1e18F;
        }
    }
    return vectors;
}

template <class Backend>
void check_all(MatrixView<const float> centroids, MatrixView<const float> queries) {
    check<L2, Backend>(centroids, queries);
    check<InnerProduct, Backend>(centroids, queries);
    check<Cosine, Backend>(centroids, queries);
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("CentroidCodes: the nearest centroids are those of a scan of the floats, to the bit", Backend,
                          centroid_codes_nearest) {
    for (const std::size_t n : {64U, 65U, 300U}) {
        for (const std::size_t d : {1U, 2U, 17U, 64U, 100U}) {
            CAPTURE(n);
            CAPTURE(d);
            check_all<Backend>(funnel::testing::tastes(n, d, 1), funnel::testing::tastes(20, d, 2));
            check_all<Backend>(funnel::testing::small_integers(n, d, 1), funnel::testing::small_integers(20, d, 2));
            check_all<Backend>(of_all_lengths(n, d, 1), of_all_lengths(40, d, 2));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(centroid_codes_nearest, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("CentroidCodes: copies, and queries that are centroids or zero", Backend,
                          centroid_codes_copies) {
    Matrix<float> centroids = funnel::testing::tastes(200, 24, 1);
    for (std::size_t i = 0; i < 150; ++i) {
        std::copy_n(centroids.row(i % 3).begin(), 24, centroids.row(i).begin());
    }
    check_all<Backend>(centroids, centroids.view().rows_from(140, 20));
    check_all<Backend>(centroids, Matrix<float>(2, 24));
    check_all<Backend>(Matrix<float>(100, 24), centroids.view().rows_from(0, 3));
}
TEST_CASE_TEMPLATE_APPLY(centroid_codes_copies, funnel::testing::HostBackends);

// The best centroid has an element of 1270 where the query has 0, so its bytes stand for tens: all others, 4.9, become 0.
// The second best has bytes of ones, and its 4.51 become 5. Opposite vectors keep the mean at 0.
TEST_CASE_TEMPLATE_DEFINE("CentroidCodes: the best is found although its code looks worst", Backend,
                          centroid_codes_adversarial) {
    constexpr std::size_t d = 33;
    Matrix<float> centroids(64, d);
    for (std::size_t i = 0; i < 4; ++i) {
        const float sign = i < 2 ? 1.0F : -1.0F;
        for (float& x : centroids.row(i)) {
            x = sign * (i % 2 == 0 ? 4.9F : 4.51F);
        }
        centroids(i, 0) = sign * (i % 2 == 0 ? 1270.0F : 127.0F);
    }
    Matrix<float> query(1, d);
    std::fill(query.row(0).begin() + 1, query.row(0).end(), 1.0F);
    REQUIRE(nearest_of_all<InnerProduct, Backend>(query.row(0), centroids, 1)[0].id == 0);
    check<InnerProduct, Backend>(centroids, query);
}
TEST_CASE_TEMPLATE_APPLY(centroid_codes_adversarial, funnel::testing::HostBackends);

TEST_CASE("CentroidCodes: few centroids, or more dimensions than codes may have, are left to a scan of the floats") {
    using Codes = CentroidCodes<L2, funnel::kernels::Scalar>;
    CHECK_FALSE(Codes().pays(1));
    CHECK_FALSE(Codes(Matrix<float>(63, 4)).pays(1));
    CHECK(Codes(Matrix<float>(64, 4)).pays(16));
    CHECK_FALSE(Codes(Matrix<float>(64, 0)).pays(1));
    CHECK_FALSE(Codes(Matrix<float>(64, (1U << 14) + 1)).pays(1));
    CHECK(Codes::memory_estimate(63, 4) == 0);
    for (const std::size_t n : {64U, 100U}) {
        CHECK(Codes(funnel::testing::tastes(n, 30, 1)).memory_bytes() == Codes::memory_estimate(n, 30));
    }
}

TEST_CASE("CentroidCodes: a search allocates nothing once its query is reserved") {
    const Matrix<float> centroids = funnel::testing::tastes(100, 30, 1);
    const CentroidCodes<L2, funnel::kernels::DefaultBackend> codes(centroids);
    funnel::quantise::Int8PreparedQuery prepared;
    codes.reserve(prepared);
    std::vector<float> lefts(100);
    Hits out(100);
    CHECK(funnel::testing::allocations_of(
              [&] { codes.nearest(centroids.row(0), centroids, 10, prepared, lefts, out); }) == 0);
    CHECK(out[0].id == 0);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/kmeans.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::quantise::KMeans;
using funnel::quantise::KMeansOptions;
using funnel::testing::signs;
using funnel::testing::small_integers;
using funnel::testing::squared_distance;
using funnel::testing::tastes;

namespace {

std::size_t nearest_by_definition(std::span<const float> row, MatrixView<const float> centroids) {
    std::size_t nearest = 0;
    for (std::size_t c = 1; c < centroids.rows(); ++c) {
        nearest = squared_distance(row, centroids.row(c)) < squared_distance(row, centroids.row(nearest)) ? c : nearest;
    }
    return nearest;
}

double inertia(MatrixView<const float> rows, MatrixView<const float> centroids) {
    double sum = 0.0;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        sum += squared_distance(rows.row(i), centroids.row(nearest_by_definition(rows.row(i), centroids)));
    }
    return sum;
}

// One of Lloyd's iterations, in double.
Matrix<float> lloyd(MatrixView<const float> rows, MatrixView<const float> centroids) {
    std::vector<std::vector<double>> sums(centroids.rows(), std::vector<double>(centroids.cols()));
    std::vector<double> sizes(centroids.rows());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        const std::size_t c = nearest_by_definition(rows.row(i), centroids);
        sizes[c] += 1.0;
        for (std::size_t j = 0; j < rows.cols(); ++j) {
            sums[c][j] += static_cast<double>(rows(i, j));
        }
    }
    Matrix<float> moved(centroids);
    for (std::size_t c = 0; c < centroids.rows(); ++c) {
        for (std::size_t j = 0; sizes[c] > 0.0 && j < centroids.cols(); ++j) {
            moved(c, j) = static_cast<float>(sums[c][j] / sizes[c]);
        }
    }
    return moved;
}

std::vector<float> values_of(MatrixView<const float> matrix) {
    std::vector<float> values;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        values.insert(values.end(), matrix.row(i).begin(), matrix.row(i).end());
    }
    return values;
}

std::size_t distinct_rows(MatrixView<const float> matrix) {
    std::set<std::vector<float>> rows;
    for (std::size_t i = 0; i < matrix.rows(); ++i) {
        rows.emplace(matrix.row(i).begin(), matrix.row(i).end());
    }
    return rows.size();
}

}  // namespace

TEST_CASE("KMeans: worked by hand") {
    // Two pairs on a line: means 0.5 and 10.5, whichever rows are the seeds, unless both are of one pair; then the
    // second iteration gets there: {0}, {1, 10, 11} -> 0 and 22 / 3 -> {0, 1}, {10, 11}.
    const std::vector<float> line{0.0F, 10.0F, 1.0F, 11.0F};
    const MatrixView<const float> rows(line, 4, 1);
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const auto kmeans = KMeans<>::fit(rows, {.clusters = 2, .seed = seed});
        std::vector<float> centroids = values_of(kmeans.centroids());
        const auto assigned = kmeans.assign(rows);
        CHECK(centroids[assigned[0]] == 0.5F);
        CHECK(centroids[assigned[1]] == 10.5F);
        CHECK(assigned[2] == assigned[0]);
        CHECK(assigned[3] == assigned[1]);
    }
    CHECK(values_of(KMeans<>::fit(rows, {.clusters = 1}).centroids()) == std::vector<float>{5.5F});
}

TEST_CASE_TEMPLATE_DEFINE("KMeans: equals Lloyd's iterations by definition from the same seeds", Backend,
                          kmeans_definition) {
    // The rows are such that none lies so close to the middle between two centroids that rounding decides.
    const Matrix<float> rows = tastes(600, 7, 1);
    const auto options = [](std::size_t clusters, std::size_t iterations) {
        return KMeansOptions{.clusters = clusters, .iterations = iterations, .seed = 3, .rows_per_cluster = 600};
    };
    for (const std::size_t clusters : {1U, 3U, 17U, 40U}) {
        CAPTURE(clusters);
        Matrix<float> expected(KMeans<Backend>::fit(rows, options(clusters, 0)).centroids());
        REQUIRE(expected.rows() == clusters);
        CHECK(distinct_rows(expected) == clusters);
        double before = inertia(rows, expected);
        for (std::size_t iterations = 1; iterations <= 6; ++iterations) {
            CAPTURE(iterations);
            expected = lloyd(rows, expected);
            const auto kmeans = KMeans<Backend>::fit(rows, options(clusters, iterations));
            for (std::size_t c = 0; c < clusters; ++c) {
                REQUIRE(squared_distance(kmeans.centroids().row(c), expected.row(c)) < 1e-9);
            }
            const double now = inertia(rows, kmeans.centroids());
            CHECK(now <= before);
            before = now;
        }
        const auto kmeans = KMeans<Backend>(expected);
        const auto assigned = kmeans.assign(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            REQUIRE(assigned[i] == nearest_by_definition(rows.row(i), expected));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(kmeans_definition, funnel::testing::HostBackends);

TEST_CASE_TEMPLATE_DEFINE("KMeans: whole numbers are assigned alike on every backend, ties to the smaller centroid",
                          Backend, kmeans_whole_numbers) {
    for (const std::size_t d : {1U, 5U, 16U, 33U}) {
        const Matrix<float> rows = small_integers(500, d, d);
        const Matrix<float> centroids = small_integers(21, d, 100 + d);
        const KMeans<Backend> kmeans(centroids);
        const auto assigned = kmeans.assign(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            REQUIRE(assigned[i] == nearest_by_definition(rows.row(i), centroids));
            REQUIRE(kmeans.assign(rows.view().rows_from(i, 1))[0] == assigned[i]);
        }
        CHECK(values_of(KMeans<Backend>::fit(rows, {.clusters = 21, .iterations = 0}).centroids()) ==
              values_of(KMeans<funnel::kernels::Scalar>::fit(rows, {.clusters = 21, .iterations = 0}).centroids()));
    }
}
TEST_CASE_TEMPLATE_APPLY(kmeans_whole_numbers, funnel::testing::HostBackends);

TEST_CASE("KMeans: the same bits for any number of threads") {
    const Matrix<float> rows = tastes(3000, 9, 1);
    const KMeansOptions options{.clusters = 30, .seed = 5, .rows_per_cluster = 80};
    const auto expected = KMeans<>::fit(rows, options);
    const auto assigned = expected.assign(rows);
    for (const std::size_t threads : {1U, 2U, 4U}) {
        funnel::Threads pool(threads);
        const auto kmeans = KMeans<>::fit(rows, options, pool);
        CHECK(values_of(kmeans.centroids()) == values_of(expected.centroids()));
        CHECK(kmeans.assign(rows, pool) == assigned);
    }
    CHECK(values_of(KMeans<>::fit(rows, {.clusters = 30, .seed = 6, .rows_per_cluster = 80}).centroids()) !=
          values_of(expected.centroids()));
}

TEST_CASE("KMeans: far from the origin, rows are told apart as well as near it") {
    Matrix<float> rows = small_integers(400, 8, 1);
    Matrix<float> centroids = small_integers(30, 8, 2);
    const auto expected = KMeans<>(centroids).assign(rows);
    for (Matrix<float>* const matrix : {&rows, &centroids}) {
        for (std::size_t i = 0; i < matrix->rows(); ++i) {
            for (float& x : matrix->row(i)) {
                x += 1e5F;
            }
        }
    }
    CHECK(KMeans<>(centroids).assign(rows) == expected);
}

TEST_CASE("KMeans: on clear clusters, the seeds find nearly all of them") {
    // 50 points far apart, with 40 rows around each.
    const Matrix<float> points = small_integers(50, 12, 3);
    Matrix<float> rows(2000, 12);
    funnel::Random random(1);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (std::size_t j = 0; j < 12; ++j) {
            rows(i, j) = points(i % 50, j) + 0.01F * static_cast<float>(random.normal());
        }
    }
    // Noise alone: 2,000 x 12 x 0.0001 = 2.4. A cluster without a centroid adds hundreds; Lloyd's iterations alone
    // leave about one in four without one.
    std::size_t perfect = 0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        perfect += inertia(rows, KMeans<>::fit(rows, {.clusters = 50, .seed = seed}).centroids()) < 2.6 ? 1 : 0;
    }
    CHECK(perfect >= 9);
}

TEST_CASE("KMeans: a cluster that loses its rows gets the farthest row") {
    // Seen on this data: whatever is drawn, each of 20 clusters keeps a row.
    const Matrix<float> rows = small_integers(60, 2, 1);
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        const auto kmeans = KMeans<>::fit(rows, {.clusters = 20, .iterations = 20, .seed = seed});
        const auto assigned = kmeans.assign(rows);
        CHECK(std::set<std::uint32_t>(assigned.begin(), assigned.end()).size() == 20);
    }
    // By hand: all rows are nearest to centroid 0; row 2 is farthest from it, then row 0.
    const std::vector<float> values{4.0F, 1.0F, 6.0F, 2.0F};
    const std::vector<float> far{0.0F, 100.0F, 200.0F};
    std::vector<std::uint32_t> nearest(4, 0);
    funnel::Serial serial;
    funnel::quantise::detail::fill_empty_clusters<funnel::kernels::Scalar>(
        MatrixView<const float>(values, 4, 1), MatrixView<const float>(far, 3, 1), nearest, serial);
    CHECK(nearest == std::vector<std::uint32_t>{2, 0, 1, 0});
}

TEST_CASE("KMeans: copies, fewer rows than clusters, no rows") {
    Matrix<float> rows(90, 3);
    for (std::size_t i = 0; i < 90; ++i) {
        rows(i, 0) = static_cast<float>(i % 3);
    }
    auto kmeans = KMeans<>::fit(rows, {.clusters = 10});
    CHECK(kmeans.centroids().rows() == 3);
    CHECK(inertia(rows, kmeans.centroids()) == 0.0);
    kmeans = KMeans<>::fit(small_integers(5, 9, 1), {.clusters = 10});
    CHECK(kmeans.centroids().rows() == 5);
    kmeans = KMeans<>::fit(Matrix<float>(7, 2), {.clusters = 4});
    CHECK(kmeans.centroids().rows() == 1);
    CHECK(kmeans.assign(Matrix<float>(2, 2)) == std::vector<std::uint32_t>{0, 0});
    kmeans = KMeans<>::fit(Matrix<float>(0, 6));
    CHECK(kmeans.centroids().rows() == 0);
    CHECK(kmeans.centroids().cols() == 6);
    CHECK_THROWS_WITH_AS((void)kmeans.assign(Matrix<float>(1, 6)), "KMeans::assign: there must be centroids",
                         InvalidArgument);
}

TEST_CASE("KMeans: a sample of the rows is enough for most of the quality, and is no larger than asked for") {
    const Matrix<float> rows = tastes(4000, 6, 1);
    const double all = inertia(rows, KMeans<>::fit(rows, {.clusters = 20, .rows_per_cluster = 4000}).centroids());
    const double some = inertia(rows, KMeans<>::fit(rows, {.clusters = 20, .rows_per_cluster = 40}).centroids());
    CHECK(some < 1.15 * all);
    // One row per cluster: the centroids are rows.
    const auto kmeans = KMeans<>::fit(rows, {.clusters = 20, .rows_per_cluster = 1});
    std::set<std::vector<float>> all_rows;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        all_rows.emplace(rows.row(i).begin(), rows.row(i).end());
    }
    for (std::size_t c = 0; c < 20; ++c) {
        const auto centroid = kmeans.centroids().row(c);
        CHECK(all_rows.count(std::vector<float>(centroid.begin(), centroid.end())) == 1);
    }
}

TEST_CASE("KMeans: the longest rows do not overflow") {
    Matrix<float> rows(40, 3);
    for (std::size_t i = 0; i < 40; ++i) {
        rows(i, 0) = (i % 2 == 0 ? 0x1p62F : -0x1p62F) * (1.0F - 0.01F * static_cast<float>(i / 2));
    }
    const auto assigned = KMeans<>::fit(rows, {.clusters = 2}).assign(rows);
    for (std::size_t i = 2; i < 40; ++i) {
        CHECK(assigned[i] == assigned[i % 2]);
    }
    CHECK(assigned[0] != assigned[1]);
}

TEST_CASE("KMeans: rows that are not finite and options out of range are rejected") {
    Matrix<float> rows = small_integers(10, 2, 1);
    CHECK_THROWS_WITH_AS((void)KMeans<>::fit(rows, {.clusters = 0}),
                         "KMeans::fit: clusters must lie in [1, 16777216], got 0", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)KMeans<>::fit(rows, {.rows_per_cluster = 0}),
                         "KMeans::fit: rows_per_cluster must be at least 1, got 0", InvalidArgument);
    const auto kmeans = KMeans<>::fit(rows, {.clusters = 2});
    CHECK_THROWS_WITH_AS((void)kmeans.assign(Matrix<float>(1, 3)), "KMeans::assign: number of columns must be 2, got 3",
                         InvalidArgument);
    rows(7, 1) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS((void)KMeans<>::fit(rows), "KMeans::fit: row 7 holds a NaN or an infinity", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)kmeans.assign(rows), "KMeans::assign: row 7 holds a NaN or an infinity",
                         InvalidArgument);
    rows(7, 1) = 5e18F;
    CHECK_THROWS_WITH_AS((void)KMeans<>::fit(rows), "KMeans::fit: row 7 is too long: its length must be at most 2^62",
                         InvalidArgument);
    CHECK_THROWS_AS((void)KMeans<>::fit(MatrixView<const float>({}, std::numeric_limits<std::size_t>::max(), 0)),
                    InvalidArgument);
}

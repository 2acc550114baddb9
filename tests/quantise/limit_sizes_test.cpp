// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/limit_sizes.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/quantise/kmeans.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::quantise::KMeans;
using funnel::quantise::detail::largest_cluster;
using funnel::quantise::detail::limit_sizes;
using funnel::testing::small_integers;
using funnel::testing::squared_distance;
using funnel::testing::tastes;

namespace {

using Assignment = std::vector<std::uint32_t>;

double objective(MatrixView<const float> rows, MatrixView<const float> centroids, const Assignment& assigned) {
    double sum = 0.0;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        sum += squared_distance(rows.row(i), centroids.row(assigned[i]));
    }
    return sum;
}

std::size_t largest(const Assignment& assigned, std::size_t clusters) {
    std::vector<std::size_t> sizes(clusters);
    for (const std::uint32_t cluster : assigned) {
        ++sizes.at(cluster);
    }
    return *std::max_element(sizes.begin(), sizes.end());
}

// As Gale and Shapley describe it, one row at a time, with the whole table of distances.
Assignment by_definition(MatrixView<const float> rows, MatrixView<const float> centroids, std::size_t most,
                         const Assignment& nearest, bool last_first) {
    const std::size_t k = centroids.rows();
    const auto distance = [&](std::size_t i, std::size_t c) { return squared_distance(rows.row(i), centroids.row(c)); };
    std::vector<std::vector<std::size_t>> order(rows.rows(), std::vector<std::size_t>(k));
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        std::iota(order[i].begin(), order[i].end(), std::size_t{0});
        const auto place = [&](std::size_t c) { return std::tuple(c != nearest[i], distance(i, c), c); };
        std::sort(order[i].begin(), order[i].end(), [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
    }
    std::vector<std::size_t> asked(rows.rows());  // how many centroids refused the row
    const auto loss = [&](std::size_t i) {
        return asked[i] + 1 == k ? std::numeric_limits<double>::max()
                                 : distance(i, order[i][asked[i] + 1]) - distance(i, order[i][asked[i]]);
    };
    std::vector<std::vector<std::size_t>> held(k);
    std::vector<std::size_t> free(rows.rows());
    std::iota(free.begin(), free.end(), std::size_t{0});
    while (!free.empty()) {
        const auto at = last_first ? free.end() - 1 : free.begin();
        const std::size_t row = *at;
        free.erase(at);
        std::vector<std::size_t>& own = held[order[row][asked[row]]];
        own.push_back(row);
        if (own.size() > most) {
            const auto worst = std::min_element(own.begin(), own.end(), [&](std::size_t a, std::size_t b) {
                return std::pair(loss(a), b) < std::pair(loss(b), a);
            });
            ++asked[*worst];
            free.push_back(*worst);
            own.erase(worst);
        }
    }
    Assignment assigned(rows.rows());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        assigned[i] = static_cast<std::uint32_t>(order[i][asked[i]]);
    }
    return assigned;
}

}  // namespace

TEST_CASE("limit_sizes: worked by hand") {
    // Centroids 0, 10 and 12 on a line; 1, 2, 3 and 4 are nearest to 0, which may keep two. By moving to 10 they lose
    // 81 - 1, 64 - 4, 49 - 9 and 36 - 16: the last two move. Then 3, 4 and 9 are at 10, which may keep two. By moving to
    // 12 they lose 81 - 49, 64 - 36 and 9 - 1: 9 moves, although it is nearest.
    const std::vector<float> line{1.0F, 2.0F, 3.0F, 4.0F, 9.0F};
    const std::vector<float> centroids{0.0F, 10.0F, 12.0F};
    Assignment nearest{0, 0, 0, 0, 1};
    funnel::Serial serial;
    limit_sizes<funnel::kernels::Scalar>(MatrixView<const float>(line, 5, 1), MatrixView<const float>(centroids, 3, 1),
                                         2, nearest, serial);
    CHECK(nearest == Assignment{0, 0, 1, 1, 2});
}

TEST_CASE("limit_sizes: how many rows a cluster may have") {
    CHECK(largest_cluster(10, 5, 1.0) == 2);
    CHECK(largest_cluster(11, 5, 1.0) == 3);
    CHECK(largest_cluster(10, 5, 1.1) == 3);
    CHECK(largest_cluster(10, 5, 1e7) == 10);
    CHECK(largest_cluster(3, 1, 1.0) == 3);
    CHECK(largest_cluster(0, 4, 2.0) == 0);
    const std::size_t most = std::numeric_limits<std::uint32_t>::max();
    CHECK(largest_cluster(most, 2, 1.0) == most / 2 + 1);
}

TEST_CASE_TEMPLATE_DEFINE("limit_sizes: equals deferred acceptance by definition, in any order", Backend,
                          limit_definition) {
    // Whole numbers, so that distances are exact; in few dimensions many are equal.
    funnel::Threads pool(3);
    for (const std::size_t d : {1U, 2U, 5U}) {
        for (const std::size_t clusters : {1U, 2U, 7U, 30U}) {
            const Matrix<float> rows = small_integers(200, d, d);
            const Matrix<float> centroids = small_integers(clusters, d, 40 + d);
            const Assignment nearest = KMeans<Backend>(centroids).assign(rows);
            for (const double balance : {1.0, 1.3, 4.0}) {
                CAPTURE(d);
                CAPTURE(clusters);
                CAPTURE(balance);
                const std::size_t most = largest_cluster(200, clusters, balance);
                const Assignment expected = by_definition(rows, centroids, most, nearest, false);
                REQUIRE(by_definition(rows, centroids, most, nearest, true) == expected);
                Assignment limited = nearest;
                limit_sizes<Backend>(rows.view(), centroids.view(), most, limited, pool);
                CHECK(limited == expected);
                CHECK(largest(limited, clusters) <= most);
                CHECK(KMeans<Backend>(centroids).assign_balanced(rows, balance) == expected);
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(limit_definition, funnel::testing::HostBackends);

TEST_CASE("KMeans: balanced clusters hold no more rows than stated, and cost little more") {
    const Matrix<float> rows = tastes(3000, 9, 1);
    const auto plain = KMeans<>::fit(rows, {.clusters = 40, .seed = 1});
    const Assignment nearest = plain.assign(rows);
    const double before = objective(rows, plain.centroids(), nearest);
    MESSAGE("largest of 40 plain clusters: ", largest(nearest, 40));
    for (const double balance : {1.0, 1.2, 2.0}) {
        CAPTURE(balance);
        const auto kmeans = KMeans<>::fit(rows, {.clusters = 40, .seed = 1, .balance = balance});
        const Assignment balanced = kmeans.assign_balanced(rows, balance);
        CHECK(kmeans.centroids().rows() == 40);
        CHECK(largest(balanced, 40) <= largest_cluster(3000, 40, balance));
        const double after = objective(rows, kmeans.centroids(), balanced);
        MESSAGE("balance ", balance, ": objective ", after / before, " of the plain one; of its centroids ",
                objective(rows, plain.centroids(), plain.assign_balanced(rows, balance)) / before);
        CHECK(after < (balance == 1.0 ? 1.4 : 1.1) * before);
        // Centroids that learned of the bound fit it better.
        CHECK(after < 1.01 * objective(rows, plain.centroids(), plain.assign_balanced(rows, balance)));
    }
    // A bound that nothing reaches changes nothing.
    const auto loose = KMeans<>::fit(rows, {.clusters = 40, .seed = 1, .balance = 40.0});
    CHECK(loose.assign(rows) == nearest);
    CHECK(loose.assign_balanced(rows, 40.0) == nearest);
}

TEST_CASE("KMeans: balanced clusters of copies, of few rows and of equal rows") {
    // 900 copies of one row, and 100 others: copies fill most clusters.
    Matrix<float> rows = tastes(1000, 5, 1);
    for (std::size_t i = 0; i < 1000; ++i) {
        if (i % 10 != 0) {
            std::copy(rows.row(1).begin(), rows.row(1).end(), rows.row(i).begin());
        }
    }
    const auto check = [](const Matrix<float>& vectors, std::size_t clusters, std::size_t expected, double balance) {
        const auto kmeans = KMeans<>::fit(vectors, {.clusters = clusters, .balance = balance});
        REQUIRE(kmeans.centroids().rows() == expected);
        const Assignment assigned = kmeans.assign_balanced(vectors, balance);
        CHECK(assigned.size() == vectors.rows());
        CHECK(largest(assigned, expected) <= largest_cluster(vectors.rows(), expected, balance));
    };
    check(rows, 20, 20, 1.0);
    check(rows, 20, 20, 1.5);
    check(rows, 1, 1, 1.0);
    check(tastes(7, 5, 2), 20, 7, 1.0);
    check(tastes(7, 5, 2), 7, 7, 1.0);
    check(Matrix<float>(50, 3), 8, 1, 1.0);
    CHECK(KMeans<>::fit(Matrix<float>(0, 3), {.balance = 1.0}).centroids().rows() == 0);
    CHECK(KMeans<>::fit(rows, {.clusters = 4}).assign_balanced(Matrix<float>(0, 5), 1.0).empty());
}

TEST_CASE("KMeans: balanced clusters have the same bits for any number of threads") {
    const Matrix<float> rows = tastes(2000, 9, 1);
    const auto fit = [&](auto& executor) {
        const auto kmeans = KMeans<>::fit(rows, {.clusters = 30, .seed = 5, .balance = 1.1}, executor);
        const auto centroids = kmeans.centroids();
        std::vector<float> values;
        for (std::size_t c = 0; c < centroids.rows(); ++c) {
            values.insert(values.end(), centroids.row(c).begin(), centroids.row(c).end());
        }
        return std::pair(values, kmeans.assign_balanced(rows, 1.1, executor));
    };
    funnel::Serial serial;
    const auto expected = fit(serial);
    for (const std::size_t threads : {2U, 4U}) {
        funnel::Threads pool(threads);
        CHECK(fit(pool) == expected);
    }
}

TEST_CASE("KMeans: a balance out of range is rejected") {
    const Matrix<float> rows = small_integers(10, 2, 1);
    CHECK_THROWS_WITH_AS((void)KMeans<>::fit(rows, {.clusters = 2, .balance = 0.99}),
                         "KMeans::fit: balance must lie in [1, 1.67772e+07], got 0.99", InvalidArgument);
    const auto kmeans = KMeans<>::fit(rows, {.clusters = 2});
    for (const double balance : {0.5, -1.0, 1e8, std::numeric_limits<double>::infinity(), std::nan("")}) {
        CHECK_THROWS_AS((void)KMeans<>::fit(rows, {.balance = balance}), InvalidArgument);
        CHECK_THROWS_AS((void)kmeans.assign_balanced(rows, balance), InvalidArgument);
    }
    CHECK_THROWS_AS((void)KMeans<>().assign_balanced(rows, 1.0), InvalidArgument);
}

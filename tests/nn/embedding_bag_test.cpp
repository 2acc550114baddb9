// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/embedding_bag.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/backends.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Serial;
using funnel::Threads;
using funnel::kernels::Scalar;
using namespace funnel::nn;
using namespace funnel::testing;

TEST_CASE("pool_bags: published values of sum and mean, and their gradients; an empty bag gives zeros") {
    const std::vector<double> table = sines(15, 0.0);
    const std::vector<std::uint32_t> ids{1, 3, 1, 0, 4};
    const std::vector<std::size_t> starts{0, 3, 3, 5};
    const Bags bags{.ids = ids, .starts = starts};
    const std::vector<double> dy = sines(9, 2.0);
    std::vector<double> y(9);
    SparseGradient<double> gradient;

    pool_bags<Scalar, double>({table, 5, 3}, bags, Pooling::Sum, {y, 3, 3});
    CHECK(are_close(y, std::vector<double>{0.6943585, -2.057626, -2.917839, 0, 0, 0, -0.5365729, 1.261638, 1.899905},
                    1e-6));
    pool_bags_gradient<Scalar, double>(bags, Pooling::Sum, {dy, 3, 3}, gradient);
    REQUIRE(gradient.ids().size() == 4);
    CHECK(std::vector<std::uint32_t>(gradient.ids().begin(), gradient.ids().end()) ==
          std::vector<std::uint32_t>{0, 1, 3, 4});
    CHECK(are_close(gradient.rows().row(0), std::vector<double>{0.9893582, 0.4121185, -0.5440211}, 1e-6));
    CHECK(gradient.rows()(1, 0) == doctest::Approx(1.818595).epsilon(1e-6));

    pool_bags<Scalar, double>({table, 5, 3}, bags, Pooling::Mean, {y, 3, 3});
    CHECK(are_close(y, std::vector<double>{0.2314528, -0.6858754, -0.9726129, 0, 0, 0, -0.2682865, 0.630819, 0.9499524},
                    1e-6));
    pool_bags_gradient<Scalar, double>(bags, Pooling::Mean, {dy, 3, 3}, gradient);
    CHECK(are_close(gradient.rows().row(0), std::vector<double>{0.4946791, 0.2060592, -0.2720106}, 1e-6));
    CHECK(gradient.rows()(1, 0) == doctest::Approx(0.6061983).epsilon(1e-6));
}

TEST_CASE("pool_bags: a weighted mean divides by the number of ids") {
    const std::vector<double> table{1, 10, 100};
    const std::vector<std::uint32_t> ids{0, 2};
    const std::vector<std::size_t> starts{0, 2};
    const std::vector<float> weights{3.0F, 0.5F};
    std::vector<double> y(1);
    const Bags bags{.ids = ids, .starts = starts, .weights = weights};
    pool_bags<Scalar, double>({table, 3, 1}, bags, Pooling::Mean, {y, 1, 1});
    CHECK(y[0] == 26.5);
    const std::vector<double> dy{2.0};
    SparseGradient<double> gradient;
    pool_bags_gradient<Scalar, double>(bags, Pooling::Mean, {dy, 1, 1}, gradient);
    CHECK(gradient.rows()(0, 0) == 3.0);
    CHECK(gradient.rows()(1, 0) == 0.5);
}

TEST_CASE_TEMPLATE_DEFINE("pool_bags: random bags against a map, the same bits for any number of threads", Backend,
                          pool_random) {
    constexpr std::size_t rows = 5000;  // ids of more than one digit of the sort
    constexpr std::size_t width = 19;
    Random random(4);
    Matrix<float> table(rows, width);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& x : table.row(i)) {
            x = static_cast<float>(random.below(9)) - 4.0F;  // whole numbers: sums are exact
        }
    }
    std::vector<std::uint32_t> ids;
    std::vector<std::size_t> starts{0};
    for (int bag = 0; bag < 100; ++bag) {
        const std::uint64_t size = random.below(30);
        for (std::uint64_t i = 0; i < size; ++i) {
            ids.push_back(static_cast<std::uint32_t>(random.below(3) == 0 ? random.below(20) : random.below(rows)));
        }
        starts.push_back(ids.size());
    }
    const Bags bags{.ids = ids, .starts = starts};
    Matrix<float> y(100, width);
    pool_bags<Backend, float>(table, bags, Pooling::Sum, y.view());
    std::map<std::uint32_t, std::vector<float>> sums;
    for (std::size_t bag = 0; bag < 100; ++bag) {
        std::vector<float> expected(width);
        for (std::size_t at = starts[bag]; at < starts[bag + 1]; ++at) {
            auto& sum = sums.try_emplace(ids[at], std::vector<float>(width)).first->second;
            for (std::size_t j = 0; j < width; ++j) {
                expected[j] += table(ids[at], j);
                sum[j] += y(bag, j);
            }
        }
        CHECK(std::vector<float>(y.row(bag).begin(), y.row(bag).end()) == expected);
    }
    for (const std::size_t threads : {1U, 3U}) {
        Threads pool(threads);
        SparseGradient<float> gradient;
        pool_bags_gradient<Backend, float>(bags, Pooling::Sum, y, gradient, pool);
        pool_bags_gradient<Backend, float>(bags, Pooling::Sum, y, gradient, pool);  // memory is used again
        REQUIRE(gradient.ids().size() == sums.size());
        std::size_t i = 0;
        for (const auto& [id, sum] : sums) {
            CHECK(gradient.ids()[i] == id);
            CHECK(std::vector<float>(gradient.rows().row(i).begin(), gradient.rows().row(i).end()) == sum);
            ++i;
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(pool_random, HostBackends);

TEST_CASE_TEMPLATE("pool_bags: each id of a long bag has its own weight", T, float, double) {
    constexpr std::size_t width = 5;
    Matrix<T> table(40, width);
    for (std::size_t i = 0; i < 40; ++i) {
        for (std::size_t j = 0; j < width; ++j) {
            table(i, j) = static_cast<T>((3 * i + j) % 11) - T{5};  // whole numbers: sums are exact
        }
    }
    std::vector<std::uint32_t> ids;
    std::vector<float> weights;
    std::vector<std::size_t> starts{0};
    for (const std::size_t size : {1U, 16U, 0U, 64U, 32U, 1U}) {
        for (std::size_t i = 0; i < size; ++i) {
            ids.push_back(static_cast<std::uint32_t>(7 * ids.size() % 40));
            weights.push_back(static_cast<float>(ids.size() % 9) - 4.0F);
        }
        starts.push_back(ids.size());
    }
    Matrix<T> sums(starts.size() - 1, width);
    Matrix<T> means(starts.size() - 1, width);
    const Bags bags{.ids = ids, .starts = starts, .weights = weights};
    pool_bags(table, bags, Pooling::Sum, sums.view());
    pool_bags(table, bags, Pooling::Mean, means.view());
    for (std::size_t bag = 0; bag + 1 < starts.size(); ++bag) {
        const std::size_t size = starts[bag + 1] - starts[bag];  // a power of 2, so means are exact
        for (std::size_t j = 0; j < width; ++j) {
            T sum{0};
            for (std::size_t at = starts[bag]; at < starts[bag + 1]; ++at) {
                sum += static_cast<T>(weights[at]) * table(ids[at], j);
            }
            CHECK(sums(bag, j) == sum);
            CHECK(means(bag, j) == (size > 0 ? sum / static_cast<T>(size) : T{0}));
        }
    }
}

TEST_CASE("SparseGradient: ids with all bits set, no positions, another width") {
    SparseGradient<float> gradient;
    const std::vector<std::uint32_t> ids{0xFFFFFFFF, 0, 0x80000000, 0xFFFFFFFF, 0x7FF, 0x800};
    const auto add = [](std::size_t position, std::span<float> row) { row[0] += static_cast<float>(1U << position); };
    gradient.collect(ids, 1, add, Serial{});
    CHECK(std::vector<std::uint32_t>(gradient.ids().begin(), gradient.ids().end()) ==
          std::vector<std::uint32_t>{0, 0x7FF, 0x800, 0x80000000, 0xFFFFFFFF});
    CHECK(gradient.rows()(0, 0) == 2.0F);
    CHECK(gradient.rows()(4, 0) == 9.0F);
    gradient.collect(std::span(ids).first(2), 3, add, Serial{});
    CHECK(gradient.rows().cols() == 3);
    CHECK(gradient.rows()(1, 0) == 1.0F);
    gradient.collect({}, 3, add, Serial{});
    CHECK(gradient.ids().empty());
    CHECK(gradient.rows().rows() == 0);
}

TEST_CASE("pool_bags: bad bags are rejected") {
    const Matrix<float> table(3, 2);
    Matrix<float> y(1, 2);
    const std::vector<std::uint32_t> ids{0, 3};
    const std::vector<std::uint32_t> good{0, 2};
    const std::vector<std::size_t> starts{0, 2};
    const std::vector<std::size_t> long_starts{0, 3};
    const std::vector<std::size_t> late{1, 2};
    const std::vector<std::size_t> descending{0, 2, 1, 2};
    const std::vector<float> weights{1.0F};
    Matrix<float> y3(3, 2);
    CHECK_THROWS_WITH_AS((pool_bags<Scalar, float>(table, {.ids = ids, .starts = starts}, Pooling::Sum, y.view())),
                         "pool_bags: id of a bag must be below 3, got 3", InvalidArgument);
    CHECK_THROWS_AS((pool_bags<Scalar, float>(table, {.ids = good, .starts = long_starts}, Pooling::Sum, y.view())),
                    InvalidArgument);
    CHECK_THROWS_AS((pool_bags<Scalar, float>(table, {.ids = good, .starts = late}, Pooling::Sum, y.view())),
                    InvalidArgument);
    CHECK_THROWS_AS((pool_bags<Scalar, float>(table, {.ids = good, .starts = descending}, Pooling::Sum, y3.view())),
                    InvalidArgument);
    CHECK_THROWS_AS((pool_bags<Scalar, float>(table, {.ids = good, .starts = {}}, Pooling::Sum, y.view())),
                    InvalidArgument);
    CHECK_THROWS_AS(
        (pool_bags<Scalar, float>(table, {.ids = good, .starts = starts, .weights = weights}, Pooling::Sum, y.view())),
        InvalidArgument);
    CHECK_THROWS_AS((pool_bags<Scalar, float>(table, {.ids = good, .starts = starts}, Pooling::Sum, y3.view())),
                    InvalidArgument);
    SparseGradient<float> gradient;
    CHECK_THROWS_AS((pool_bags_gradient<Scalar, float>({.ids = good, .starts = starts}, Pooling::Sum, y3, gradient)),
                    InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/softmax_losses.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/backends.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
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

namespace {

std::vector<double> normals(std::size_t count, std::uint64_t seed) {
    std::vector<double> numbers(count);
    Random random(seed);
    for (double& number : numbers) {
        number = random.normal();
    }
    return numbers;
}

// A batch of unit vectors, made from raw vectors: gradients are taken with respect to the raw ones.
struct CosineBatch {
    std::size_t n;
    std::size_t m;
    std::size_t d;
    std::vector<double> users;
    std::vector<double> items;
    std::vector<double> log_q;
    std::vector<std::uint32_t> ids;
    double temperature = 0.2;

    double loss(std::vector<double>& d_users, std::vector<double>& d_items) const {
        const auto unit = [&](const std::vector<double>& raw) {
            std::vector<double> result = raw;
            for (std::size_t i = 0; i < raw.size(); i += d) {
                double squares = 0.0;
                for (std::size_t j = 0; j < d; ++j) {
                    squares += raw[i + j] * raw[i + j];
                }
                for (std::size_t j = 0; j < d; ++j) {
                    result[i + j] = raw[i + j] / std::sqrt(squares);
                }
            }
            return result;
        };
        const std::vector<double> u = unit(users);
        const std::vector<double> v = unit(items);
        std::vector<double> du(users.size());
        std::vector<double> dv(items.size());
        InBatchScratch<double> scratch;
        const double value =
            in_batch_softmax<Scalar, double>({.users = {u, n, d}, .items = {v, m, d}, .log_q = log_q, .item_ids = ids},
                                             {.temperature = temperature}, scratch, {du, n, d}, {dv, m, d});
        const auto through_norm = [&](const std::vector<double>& raw, const std::vector<double>& y,
                                      const std::vector<double>& dy) {
            std::vector<double> dx(raw.size());
            for (std::size_t i = 0; i < raw.size(); i += d) {
                double squares = 0.0;
                double along = 0.0;
                for (std::size_t j = 0; j < d; ++j) {
                    squares += raw[i + j] * raw[i + j];
                    along += y[i + j] * dy[i + j];
                }
                for (std::size_t j = 0; j < d; ++j) {
                    dx[i + j] = (dy[i + j] - y[i + j] * along) / std::sqrt(squares);
                }
            }
            return dx;
        };
        d_users = through_norm(users, u, du);
        d_items = through_norm(items, v, dv);
        return value;
    }
};

void check_vector(const CosineBatch& batch, double value, const std::vector<double>& users,
                  const std::vector<double>& items) {
    std::vector<double> d_users;
    std::vector<double> d_items;
    CHECK(batch.loss(d_users, d_items) == doctest::Approx(value).epsilon(1e-6));
    CHECK(are_close(d_users, users, 1e-6));
    CHECK(are_close(d_items, items, 1e-6));
}

}  // namespace

TEST_CASE("in_batch_softmax: published values without and with log Q, and without accidental hits") {
    CosineBatch batch{.n = 3, .m = 3, .d = 2, .users = sines(6, 0.0), .items = sines(6, 4.0), .log_q = {}, .ids = {}};
    check_vector(batch, 8.016133, {0.6190521, 0, 0.20263, -1.305633, -0.5214592, 0.4115462},
                 {0.6635171, -0.5236612, -1.292265, -0.5495986, -0.1840816, 0.4419183});
    batch.log_q = {std::log(0.5), std::log(0.3), std::log(0.2)};
    check_vector(batch, 8.026533, {0.6949232, 0, 0.2027531, -1.306426, -0.5217749, 0.4117953},
                 {0.6634815, -0.5236331, -1.319032, -0.5609826, -0.1999979, 0.4801278});
    batch.ids = {7, 9, 7};
    check_vector(batch, 5.76059, {0.4518302, 0, 0.2027531, -1.306426, -1.207686, 0.9531303},
                 {0.6634742, -0.5236273, -2.797068, -1.189589, -0.09817086, 0.2356753});
}

TEST_CASE("in_batch_softmax: gradients are central differences, also with items that are negatives only") {
    CosineBatch batch{.n = 4,
                      .m = 6,
                      .d = 3,
                      .users = normals(12, 1),
                      .items = normals(18, 2),
                      .log_q = {-1.0, -2.0, -3.0, -1.5, -2.5, -0.5},
                      .ids = {3, 1, 3, 2, 1, 9}};
    std::vector<double> d_users;
    std::vector<double> d_items;
    static_cast<void>(batch.loss(d_users, d_items));
    std::vector<double> unused_users;
    std::vector<double> unused_items;
    const auto value = [&] { return batch.loss(unused_users, unused_items); };
    CHECK(are_close(d_users, central_differences(batch.users, value), 1e-6));
    CHECK(are_close(d_items, central_differences(batch.items, value), 1e-6));
}

TEST_CASE("in_batch_softmax: log Q is subtracted, so a popular negative is pushed away less") {
    CosineBatch batch{.n = 2, .m = 2, .d = 2, .users = {1, 0, 0, 1}, .items = {1, 0.2, 0.4, 1}, .log_q = {}, .ids = {}};
    std::vector<double> d_users;
    std::vector<double> d_items;
    const auto pull_on_second = [&] {
        // The first user only: its gradient along the second item.
        static_cast<void>(batch.loss(d_users, d_items));
        return std::abs(d_users[1]);
    };
    const double without = pull_on_second();
    batch.log_q = {std::log(0.01), std::log(0.9)};  // the second item is popular
    CHECK(pull_on_second() < without);
}

TEST_CASE("in_batch_softmax: a masked column has no gradient at all") {
    // Both users took item 5, and there is no other item: nothing can be learned.
    CosineBatch batch{
        .n = 2, .m = 2, .d = 2, .users = normals(4, 3), .items = normals(4, 4), .log_q = {}, .ids = {5, 5}};
    std::vector<double> d_users;
    std::vector<double> d_items;
    CHECK(batch.loss(d_users, d_items) == 0.0);
    CHECK(d_users == std::vector<double>(4, 0.0));
    CHECK(d_items == std::vector<double>(4, 0.0));
}

TEST_CASE("in_batch_softmax: columns that are left out, and negatives from outside of the batch alone, by definition") {
    constexpr std::size_t n = 3;
    constexpr std::size_t m = 7;
    constexpr std::size_t d = 4;
    const std::vector<double> u = normals(n * d, 1);
    const std::vector<double> v = normals(m * d, 2);
    const std::vector<double> log_q = normals(m, 3);
    const std::vector<std::uint32_t> ids{5, 6, 7, 5, 8, 9, 6};  // columns 3 and 6 are the items of users 0 and 1
    const std::vector<std::size_t> starts{0, 2, 2, 4};
    const std::vector<std::uint32_t> left_out{1, 4, 2, 0};  // the own column of user 2, which stays, among them
    for (const bool in_batch : {true, false}) {
        const auto counts = [&](std::size_t i, std::size_t j) {
            const bool is_listed = (i == 0 && (j == 1 || j == 4)) || (i == 2 && j == 0);
            return j == i || (ids[j] != ids[i] && !is_listed && (in_batch || j >= n));
        };
        std::vector<double> du(n * d);
        std::vector<double> dv(m * d);
        const auto loss = [&](const std::vector<double>& users, const std::vector<double>& items) {
            InBatchScratch<double> scratch;
            return in_batch_softmax<Scalar, double>({.users = {users, n, d},
                                                     .items = {items, m, d},
                                                     .log_q = log_q,
                                                     .item_ids = ids,
                                                     .left_out_starts = starts,
                                                     .left_out = left_out},
                                                    {.temperature = 0.5, .in_batch = in_batch}, scratch, {du, n, d},
                                                    {dv, m, d});
        };
        double expected = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            const auto score = [&](std::size_t j) {
                double product = 0.0;
                for (std::size_t k = 0; k < d; ++k) {
                    product += u[i * d + k] * v[j * d + k];
                }
                return product / 0.5 - log_q[j];
            };
            double sum = 0.0;
            for (std::size_t j = 0; j < m; ++j) {
                sum += counts(i, j) ? std::exp(score(j)) : 0.0;
            }
            expected += (std::log(sum) - score(i)) / static_cast<double>(n);
        }
        CHECK(loss(u, v) == doctest::Approx(expected).epsilon(1e-12));
        const std::vector<double> gradient_u = du;
        const std::vector<double> gradient_v = dv;
        for (std::size_t at = 0; at < u.size() + v.size(); ++at) {
            const auto moved = [&](double by) {
                std::vector<double> users = u;
                std::vector<double> items = v;
                (at < u.size() ? users[at] : items[at - u.size()]) += by;
                return loss(users, items);
            };
            const double slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            CHECK((at < u.size() ? gradient_u[at] : gradient_v[at - u.size()]) ==
                  doctest::Approx(slope).epsilon(1e-6).scale(1.0));
        }
    }
}

TEST_CASE("in_batch_softmax: lists of columns that do not fit are rejected") {
    const std::vector<float> u(4, 1.0F);
    const std::vector<float> v(6, 1.0F);
    std::vector<float> du(4);
    std::vector<float> dv(6);
    const auto fails = [&](const std::vector<std::size_t>& starts, const std::vector<std::uint32_t>& columns) {
        InBatchScratch<float> scratch;
        CHECK_THROWS_AS(static_cast<void>(in_batch_softmax<Scalar, float>(
                            {.users = {u, 2, 2}, .items = {v, 3, 2}, .left_out_starts = starts, .left_out = columns},
                            {.temperature = 0.5}, scratch, {du, 2, 2}, {dv, 3, 2})),
                        InvalidArgument);
    };
    fails({0, 1}, {0});        // one number per user, and one more
    fails({1, 1, 1}, {0});     // from 0
    fails({0, 1, 1}, {0, 1});  // to the number of columns
    fails({0, 2, 1}, {0});     // ascending
    fails({0, 1, 1}, {3});     // a column that exists
}

TEST_CASE_TEMPLATE_DEFINE("in_batch_softmax: floats agree with doubles, the same bits for any number of threads",
                          Backend, in_batch_backends) {
    constexpr std::size_t n = 300;
    constexpr std::size_t m = 530;
    constexpr std::size_t d = 9;
    const std::vector<double> users = normals(n * d, 5);
    const std::vector<double> items = normals(m * d, 6);
    std::vector<double> log_q(m);
    std::vector<std::uint32_t> ids(m);
    for (std::size_t j = 0; j < m; ++j) {
        log_q[j] = -static_cast<double>(j % 7);
        ids[j] = static_cast<std::uint32_t>(j % 400);
    }
    std::vector<double> d_users(n * d);
    std::vector<double> d_items(m * d);
    InBatchScratch<double> scratch;
    const double expected = in_batch_softmax<Scalar, double>(
        {.users = {users, n, d}, .items = {items, m, d}, .log_q = log_q, .item_ids = ids}, {.temperature = 0.5},
        scratch, {d_users, n, d}, {d_items, m, d});
    const auto narrow = [](const std::vector<double>& numbers, std::size_t rows, std::size_t cols) {
        Matrix<float> matrix(rows, cols);
        for (std::size_t i = 0; i < numbers.size(); ++i) {
            matrix(i / cols, i % cols) = static_cast<float>(numbers[i]);
        }
        return matrix;
    };
    const Matrix<float> u = narrow(users, n, d);
    const Matrix<float> v = narrow(items, m, d);
    const auto run = [&](auto&& executor, Matrix<float>& du, Matrix<float>& dv) {
        InBatchScratch<float> floats;
        return in_batch_softmax<Backend, float>({.users = u, .items = v, .log_q = log_q, .item_ids = ids},
                                                {.temperature = 0.5}, floats, du.view(), dv.view(), executor);
    };
    Matrix<float> du(n, d);
    Matrix<float> dv(m, d);
    const double value = run(Serial{}, du, dv);
    CHECK(value == doctest::Approx(expected).epsilon(1e-5));
    double error = 0.0;
    for (std::size_t i = 0; i < n * d; ++i) {
        error = std::max(error, std::abs(static_cast<double>(du(i / d, i % d)) - d_users[i]));
    }
    for (std::size_t i = 0; i < m * d; ++i) {
        error = std::max(error, std::abs(static_cast<double>(dv(i / d, i % d)) - d_items[i]));
    }
    CHECK(error < 1e-6);
    Matrix<float> du3(n, d);
    Matrix<float> dv3(m, d);
    CHECK(run(Threads(3), du3, dv3) == value);
    const auto are_equal = [](const Matrix<float>& a, const Matrix<float>& b) {
        return std::equal(a.view().data(), a.view().data() + a.rows() * a.stride(), b.view().data());
    };
    CHECK(are_equal(du3, du));
    CHECK(are_equal(dv3, dv));
}
TEST_CASE_TEMPLATE_APPLY(in_batch_backends, HostBackends);

TEST_CASE("in_batch_softmax: bad arguments are rejected") {
    const std::vector<double> rows = normals(6, 7);
    std::vector<double> out(6);
    InBatchScratch<double> scratch;
    const MatrixView<const double> x(rows, 3, 2);
    const MatrixView<double> dx(out, 3, 2);
    const std::vector<double> two(2);
    const std::vector<std::uint32_t> two_ids(2);
    const std::vector<double> infinite(3, -std::numeric_limits<double>::infinity());
    const auto run = [&](const InBatch<double>& batch, double temperature = 0.1) {
        return in_batch_softmax<Scalar, double>(batch, {.temperature = temperature}, scratch, dx, dx);
    };
    CHECK_THROWS_AS(run({.users = x, .items = x.rows_from(0, 2)}), InvalidArgument);
    CHECK_THROWS_AS(run({.users = x, .items = {rows, 2, 3}}), InvalidArgument);
    CHECK_THROWS_AS(run({.users = x, .items = x, .log_q = two}), InvalidArgument);
    CHECK_THROWS_AS(run({.users = x, .items = x, .log_q = infinite}), InvalidArgument);
    CHECK_THROWS_AS(run({.users = x, .items = x, .item_ids = two_ids}), InvalidArgument);
    CHECK_THROWS_WITH_AS(run({.users = x, .items = x}, 0.0),
                         "in_batch_softmax: temperature must be finite and > 0, got 0", InvalidArgument);
    CHECK_THROWS_AS(run({.users = x.rows_from(0, 2), .items = x}), InvalidArgument);  // d_users has three rows
    CHECK(in_batch_softmax<Scalar, double>({.users = x.rows_from(0, 0), .items = x}, {}, scratch, dx.rows_from(0, 0),
                                           dx) == 0.0);
    CHECK(out == std::vector<double>(6, 0.0));
}

TEST_CASE("cross_entropy: published values with smoothing, gradients, any number of threads") {
    std::vector<double> scores = sines(8, 0.0, 2.0);
    const std::vector<std::uint32_t> targets{2, 0};
    std::vector<double> gradient(8);
    const auto value = [&] {
        return cross_entropy<Scalar, double>({scores, 2, 4}, targets, {gradient, 2, 4}, {.smoothing = 0.1});
    };
    CHECK(value() == doctest::Approx(1.93329).epsilon(1e-6));
    const std::vector<double> slopes = gradient;
    CHECK(are_close(slopes,
                    std::vector<double>{0.02354733, 0.1814838, -0.2403334, 0.03530225, -0.4388817, 0.00326477,
                                        0.04886228, 0.3867547},
                    1e-6));
    CHECK(are_close(slopes, central_differences(scores, value), 1e-8));
    CHECK(cross_entropy<Scalar, double>({}, {}, MatrixView<double>{}) == 0.0);
}

TEST_CASE_TEMPLATE_DEFINE("cross_entropy: in place, extreme scores stay finite", Backend, cross_entropy_backends) {
    Matrix<float> scores(2, 3);
    scores(0, 0) = 1e4F;
    scores(0, 1) = -1e4F;
    scores(1, 2) = -1e4F;
    const std::vector<std::uint32_t> targets{1, 0};
    const double value = cross_entropy<Backend, float>(scores, targets, scores.view());
    CHECK(value == doctest::Approx((2e4 + std::log(2.0)) / 2.0).epsilon(1e-6));
    CHECK(scores(0, 0) == 0.5F);
    CHECK(scores(0, 1) == -0.5F);
    CHECK(scores(0, 2) == 0.0F);
    CHECK(scores(1, 0) == doctest::Approx(-0.25F));
}
TEST_CASE_TEMPLATE_APPLY(cross_entropy_backends, HostBackends);

TEST_CASE("cross_entropy: bad arguments are rejected") {
    std::vector<double> out(6);
    const MatrixView<double> x(out, 2, 3);
    const std::vector<std::uint32_t> targets{0, 3};
    const std::vector<std::uint32_t> good{0, 2};
    CHECK_THROWS_AS((cross_entropy<Scalar, double>(x, targets, x)), InvalidArgument);
    CHECK_THROWS_AS((cross_entropy<Scalar, double>(x, std::span(good).first(1), x)), InvalidArgument);
    CHECK_THROWS_AS((cross_entropy<Scalar, double>(x, good, x.rows_from(0, 1))), InvalidArgument);
    CHECK_THROWS_AS((cross_entropy<Scalar, double>(x, good, x, {.smoothing = 1.0})), InvalidArgument);
    CHECK_THROWS_AS((cross_entropy<Scalar, double>(x, good, x, {.smoothing = -0.1})), InvalidArgument);
}

TEST_CASE("info_nce: the mean of both directions, with gradients") {
    std::vector<double> a = normals(12, 8);
    std::vector<double> b = normals(12, 9);
    std::vector<double> da(12);
    std::vector<double> db(12);
    InBatchScratch<double> scratch;
    const auto value = [&] {
        return info_nce<Scalar, double>({a, 4, 3}, {b, 4, 3}, {.temperature = 0.7}, scratch, {da, 4, 3}, {db, 4, 3});
    };
    double expected = 0.0;  // by the definition
    for (std::size_t i = 0; i < 4; ++i) {
        double forth = 0.0;
        double back = 0.0;
        const auto score = [&](std::size_t p, std::size_t q) {
            double sum = 0.0;
            for (std::size_t j = 0; j < 3; ++j) {
                sum += a[3 * p + j] * b[3 * q + j];
            }
            return sum / 0.7;
        };
        for (std::size_t j = 0; j < 4; ++j) {
            forth += std::exp(score(i, j));
            back += std::exp(score(j, i));
        }
        expected += (std::log(forth) + std::log(back) - 2.0 * score(i, i)) / 8.0;
    }
    CHECK(value() == doctest::Approx(expected).epsilon(1e-12));
    const std::vector<double> a_slopes = da;
    const std::vector<double> b_slopes = db;
    CHECK(are_close(a_slopes, central_differences(a, value), 1e-8));
    CHECK(are_close(b_slopes, central_differences(b, value), 1e-8));
}

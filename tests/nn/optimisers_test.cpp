// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "nn/gradient_check.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/adagrad.hpp>
#include <funnel/nn/adam.hpp>
#include <funnel/nn/ftrl.hpp>
#include <funnel/nn/sgd.hpp>
#include <funnel/nn/sparse_gradient.hpp>
#include <funnel/nn/update_rule.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Serial;
using funnel::Threads;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

std::vector<float> floats(const std::vector<double>& numbers) {
    std::vector<float> out;
    for (const double number : numbers) {
        out.push_back(static_cast<float>(number));
    }
    return out;
}

// Three steps with the gradients of the published vectors.
template <class Optimiser>
std::vector<float> three_steps(Optimiser& optimiser, std::vector<float> p) {
    for (int t = 1; t <= 3; ++t) {
        optimiser.step(p, floats(sines(3, 10.0 * t)));
    }
    return p;
}

void check_near(std::span<const float> found, const std::vector<double>& expected) {
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        CHECK(static_cast<double>(found[i]) == Approx(expected[i]).epsilon(2e-6));
    }
}

// A gradient with one row per use; positions of one id are summed.
SparseGradient<float> sparse(const std::vector<std::uint32_t>& ids, const Matrix<float>& rows) {
    SparseGradient<float> gradient;
    const auto add = [&](std::size_t position, std::span<float> row) {
        for (std::size_t j = 0; j < row.size(); ++j) {
            row[j] += rows(position, j);
        }
    };
    gradient.collect(ids, rows.cols(), add, Serial{});
    return gradient;
}

Matrix<float> random_matrix(std::size_t rows, std::size_t cols, std::uint64_t seed) {
    Matrix<float> out(rows, cols);
    Random random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& x : out.row(i)) {
            x = static_cast<float>(random.normal());
        }
    }
    return out;
}

// 50 steps with random gradients, beside a formula in double for one parameter: formula(t, g, p) changes p.
template <class Optimiser>
void check_formula(Optimiser optimiser, const std::function<void(int, double, double&)>& formula, double start) {
    std::vector<float> p{static_cast<float>(start)};
    double expected = start;
    Random random(3);
    for (int t = 1; t <= 50; ++t) {
        const std::vector<float> g{static_cast<float>(random.normal())};
        optimiser.step(p, g);
        formula(t, static_cast<double>(g[0]), expected);
        CHECK(static_cast<double>(p[0]) == Approx(expected).epsilon(1e-5));
    }
}

}  // namespace

static_assert(UpdateRule<SGDRule> && UpdateRule<AdagradRule> && UpdateRule<RowAdagradRule> && UpdateRule<AdamRule> &&
              UpdateRule<AdamWRule> && UpdateRule<FTRLRule>);
static_assert(!UpdateRule<Adam>);

TEST_CASE("optimisers: worked by hand") {
    // p 1, gradients 2 then -1, rate 0.1, momentum 0.5: m = 2, p = 0.8; m = 0, p = 0.8.
    SGD sgd(1, {.learning_rate = 0.1, .momentum = 0.5});
    std::vector<float> p{1.0F};
    sgd.step(p, std::vector<float>{2.0F});
    CHECK(p[0] == Approx(0.8));
    sgd.step(p, std::vector<float>{-1.0F});
    CHECK(p[0] == Approx(0.8));

    // Adagrad, gradients 3 then 4: G = 9, then 25. 1 - 0.5 * 3 / 3 = 0.5;  0.5 - 0.5 * 4 / 5 = 0.1.
    Adagrad adagrad(1, {.learning_rate = 0.5});
    p = {1.0F};
    adagrad.step(p, std::vector<float>{3.0F});
    CHECK(p[0] == Approx(0.5));
    adagrad.step(p, std::vector<float>{4.0F});
    CHECK(p[0] == Approx(0.1));

    // Adam's first step has the length of the rate, whatever the gradient.
    Adam adam(2, {.learning_rate = 0.1});
    p = {1.0F, 1.0F};
    adam.step(p, std::vector<float>{1e-3F, -1e3F});
    CHECK(p[0] == Approx(0.9));
    CHECK(p[1] == Approx(1.1));
}

TEST_CASE("optimisers: trajectories of PyTorch") {
    const std::vector<float> start = floats(sines(3, 0.0));
    SGD sgd(3, {.learning_rate = 0.1});
    check_near(three_steps(sgd, start), {0.06191075, 0.8982082, 0.9086972});
    SGD momentum(3, {.learning_rate = 0.1, .momentum = 0.9});
    check_near(three_steps(momentum, start), {0.07277329, 0.9939075, 1.001248});
    Adagrad adagrad(3, {.learning_rate = 0.1});
    check_near(three_steps(adagrad, start), {0.08218497, 0.9069018, 0.9392822});
    Adam adam(3, {.learning_rate = 0.1});
    check_near(three_steps(adam, start), {0.09708758, 0.9666789, 1.068482});
    AdamW adamw(3, {.learning_rate = 0.1, .weight_decay = 0.01});
    check_near(three_steps(adamw, start), {0.09691733, 0.9639535, 1.065489});
}

TEST_CASE("FTRL: published weights and state") {
    FTRL ftrl(3, {.learning_rate = 0.1, .beta = 1.0, .l1 = 0.3, .l2 = 0.2});
    const std::vector<float> w = three_steps(ftrl, {0.0F, 0.0F, 0.0F});
    check_near(w, {0.01618886, 0.01562527, 0.0});
    CHECK(w[2] == 0.0F);
    check_near(ftrl.state(0), {-0.7000397, -0.6726623, -0.03071541});
    check_near(ftrl.state(1), {2.105634, 1.863219, 0.5920602});
}

TEST_CASE("RowAdagrad: published row and sum, the mean of squares, not the sum") {
    RowAdagrad optimiser(2, 3, {.learning_rate = 0.1});
    Matrix<float> table(2, 3);
    for (std::size_t j = 0; j < 3; ++j) {
        table(1, j) = floats(sines(3, 0.0))[j];
    }
    for (int t = 1; t <= 3; ++t) {
        Matrix<float> g(1, 3);
        for (std::size_t j = 0; j < 3; ++j) {
            g(0, j) = floats(sines(3, 10.0 * t))[j];
        }
        optimiser.step(table.view(), sparse({1}, g));
    }
    check_near(table.row(1), {0.06544479, 0.92979, 0.9392905});
    CHECK(static_cast<double>(optimiser.state(0)(0, 1)) == Approx(1.520305));
    CHECK(optimiser.state(0)(0, 0) == 0.0F);
    CHECK(table(0, 0) == 0.0F);
}

TEST_CASE("optimisers: 50 steps are those of the formula") {
    double m = 0.0;
    double v = 0.0;
    check_formula(
        SGD(1, {.learning_rate = 0.05, .momentum = 0.8, .nesterov = true}),
        [&](int, double g, double& p) {
            m = 0.8 * m + g;
            p -= 0.05 * (g + 0.8 * m);
        },
        1.0);
    m = 0.0;
    check_formula(
        AdamW(1, {.learning_rate = 0.05, .beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-3, .weight_decay = 0.1}),
        [&](int t, double g, double& p) {
            p -= 0.05 * 0.1 * p;
            m = 0.8 * m + 0.2 * g;
            v = 0.95 * v + 0.05 * g * g;
            p -= 0.05 * (m / (1.0 - std::pow(0.8, t))) / (std::sqrt(v / (1.0 - std::pow(0.95, t))) + 1e-3);
        },
        1.0);
    double z = 0.0;
    double n = 0.0;
    check_formula(
        FTRL(1, {.learning_rate = 0.3, .beta = 0.5, .l1 = 0.1, .l2 = 0.7}),
        [&](int, double g, double& w) {
            z += g - (std::sqrt(n + g * g) - std::sqrt(n)) / 0.3 * w;
            n += g * g;
            const double sign = z < 0.0 ? -1.0 : 1.0;
            w = std::abs(z) <= 0.1 ? 0.0 : -(z - sign * 0.1) / ((0.5 + std::sqrt(n)) / 0.3 + 0.7);
        },
        0.0);
}

TEST_CASE("DenseOptimiser: a step in parts is the step") {
    const Matrix<float> numbers = random_matrix(6, 10, 1);
    Adam whole(10);
    Adam parts(10);
    std::vector<float> p(10, 1.0F);
    std::vector<float> q(10, 1.0F);
    for (std::size_t t = 0; t < 6; ++t) {
        const auto g = numbers.row(t);
        whole.step(p, g);
        parts.begin_step();
        parts.update(7, std::span(q).subspan(7), g.subspan(7));
        parts.update(0, std::span(q).first(7), g.first(7));
        parts.update(10, {}, {});
    }
    CHECK(p == q);
    CHECK(parts.steps() == 6);
}

TEST_CASE("RowOptimiser: uses of one row in a batch are summed before the update") {
    // Adagrad per use would divide by sqrt(1), then sqrt(2). The sum is 2: one step of 0.1 * 2 / 2.
    RowOptimiser<AdagradRule> optimiser(3, 1, {.learning_rate = 0.1});
    Matrix<float> table(3, 1);
    Matrix<float> ones(2, 1);
    ones(0, 0) = ones(1, 0) = 1.0F;
    optimiser.step(table.view(), sparse({2, 2}, ones));
    CHECK(table(2, 0) == Approx(-0.1));
}

TEST_CASE("LazyAdam: rows of each batch are those of Adam, other rows rest") {
    LazyAdam lazy(3, 2, {.learning_rate = 0.1});
    Matrix<float> table = random_matrix(3, 2, 1);
    std::vector<float> row(table.row(1).begin(), table.row(1).end());
    const std::vector<float> before(table.row(0).begin(), table.row(0).end());
    Adam adam(2, {.learning_rate = 0.1});
    for (std::uint64_t t = 0; t < 4; ++t) {
        const Matrix<float> g = random_matrix(1, 2, 10 + t);
        lazy.step(table.view(), sparse({1}, g));
        adam.step(row, g.row(0));
    }
    CHECK(std::vector<float>(table.row(1).begin(), table.row(1).end()) == row);
    CHECK(std::vector<float>(table.row(0).begin(), table.row(0).end()) == before);
    // The step is counted for the table: the first update of row 0 has the bias correction of step 5.
    lazy.step(table.view(), sparse({0}, random_matrix(1, 2, 1)));
    const double g = static_cast<double>(random_matrix(1, 2, 1)(0, 0));
    const double step =
        0.1 * (0.1 * g / (1.0 - std::pow(0.9, 5))) / (std::sqrt(0.001 * g * g / (1.0 - std::pow(0.999, 5))) + 1e-8);
    CHECK(static_cast<double>(table(0, 0)) == Approx(static_cast<double>(before[0]) - step).epsilon(1e-4));
}

TEST_CASE("RowOptimiser: the same bits for any number of threads") {
    const std::size_t rows = 700;
    std::vector<std::uint32_t> ids;
    Random random(1);
    for (std::size_t i = 0; i < 2000; ++i) {
        ids.push_back(static_cast<std::uint32_t>(random.below(rows)));
    }
    const SparseGradient<float> gradient = sparse(ids, random_matrix(ids.size(), 5, 2));
    const auto table_of = [&](auto&& executor) {
        Matrix<float> table = random_matrix(rows, 5, 3);
        RowAdagrad optimiser(rows, 5);
        LazyFTRL ftrl(rows, 5);
        optimiser.step(table.view(), gradient, executor);
        ftrl.step(table.view(), gradient, executor);
        std::vector<float> all;
        for (std::size_t i = 0; i < rows; ++i) {
            all.insert(all.end(), table.row(i).begin(), table.row(i).end());
        }
        return all;
    };
    const std::vector<float> expected = table_of(Serial{});
    CHECK(table_of(Threads(2)) == expected);
    CHECK(table_of(Threads(3)) == expected);
}

TEST_CASE("optimisers: a learning rate of 0 changes no parameter; no parameters are fine") {
    std::vector<float> p{1.0F, -2.0F};
    const std::vector<float> g{3.0F, 1.0F};
    const auto rests = [&](auto optimiser) {
        optimiser.set_learning_rate(0.0);
        optimiser.step(p, g);
        CHECK(p == std::vector<float>{1.0F, -2.0F});
    };
    rests(SGD(2));
    rests(Adagrad(2));
    rests(Adam(2));
    rests(AdamW(2));
    rests(FTRL(2));
    Adam none(0);
    none.step({}, {});
    CHECK(none.steps() == 1);
    RowAdagrad rows(3, 0);
    Matrix<float> table(3, 0);
    rows.step(table.view(), SparseGradient<float>{});
}

TEST_CASE("optimisers: bad options and shapes are rejected") {
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_WITH_AS(Adam(1, {.learning_rate = 0.0}), "Adam: learning_rate must be finite and > 0, got 0",
                         InvalidArgument);
    CHECK_THROWS_WITH_AS(Adam(1, {.beta1 = 1.0}), "Adam: beta1 must lie in [0, 1), got 1", InvalidArgument);
    CHECK_THROWS_AS(Adam(1, {.beta2 = -0.1}), InvalidArgument);
    CHECK_THROWS_AS(Adam(1, {.epsilon = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(AdamW(1, {.weight_decay = -1.0}), InvalidArgument);
    CHECK_THROWS_WITH_AS(AdamW(1, {.learning_rate = 0.5, .weight_decay = 2.0}),
                         "AdamW: learning_rate * weight_decay must be below 1, got 1", InvalidArgument);
    AdamW decays(1, {.weight_decay = 2.0});
    CHECK_NOTHROW(decays.set_learning_rate(0.25));
    CHECK_THROWS_AS(decays.set_learning_rate(0.5), InvalidArgument);
    CHECK(decays.learning_rate() == 0.25);
    CHECK_THROWS_AS(AdamW(1, {.beta1 = 1.0}), InvalidArgument);
    CHECK_THROWS_AS(SGD(1, {.learning_rate = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(SGD(1, {.momentum = 1.0}), InvalidArgument);
    CHECK_THROWS_AS(SGD(1, {.nesterov = true}), InvalidArgument);
    CHECK_THROWS_AS(Adagrad(1, {.epsilon = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(RowAdagrad(1, 1, {.learning_rate = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(RowAdagrad(1, 1, {.epsilon = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(FTRL(1, {.learning_rate = 0.0}), InvalidArgument);
    CHECK_THROWS_AS(FTRL(1, {.beta = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(FTRL(1, {.l1 = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(FTRL(1, {.l2 = -1.0}), InvalidArgument);
    CHECK_THROWS_AS(Adam(1, {.learning_rate = nan}), InvalidArgument);
    Adam adam(3);
    CHECK_THROWS_AS(adam.set_learning_rate(-1.0), InvalidArgument);
    CHECK_THROWS_AS(adam.set_learning_rate(nan), InvalidArgument);
    std::vector<float> p(3);
    const std::vector<float> g(3);
    CHECK_THROWS_AS(adam.update(0, p, g), InvalidArgument);  // no step has begun
    CHECK_THROWS_AS(adam.step(std::span(p).first(2), g), InvalidArgument);
    CHECK_THROWS_AS(adam.step(p, std::span(g).first(2)), InvalidArgument);
    adam.begin_step();
    CHECK_THROWS_AS(adam.update(1, p, g), InvalidArgument);
    CHECK_THROWS_AS(adam.update(std::numeric_limits<std::size_t>::max(), p, g), InvalidArgument);
    CHECK_THROWS_AS(adam.update(0, std::span(p).first(1), g), InvalidArgument);
    LazyAdam lazy(3, 2);
    CHECK_THROWS_AS(lazy.set_learning_rate(-1.0), InvalidArgument);
    Matrix<float> table(3, 2);
    Matrix<float> narrow(3, 1);
    const SparseGradient<float> far = sparse({3}, Matrix<float>(1, 2));
    CHECK_THROWS_WITH_AS(lazy.step(table.view(), far), "RowOptimiser::step: id of the gradient must be below 3, got 3",
                         InvalidArgument);
    CHECK_THROWS_AS(lazy.step(narrow.view(), sparse({1}, Matrix<float>(1, 2))), InvalidArgument);
    CHECK_THROWS_AS(lazy.step(table.view(), sparse({1}, Matrix<float>(1, 1))), InvalidArgument);
}

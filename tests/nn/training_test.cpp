// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "nn/gradient_check.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/nn/clipping.hpp>
#include <funnel/nn/early_stopping.hpp>
#include <funnel/nn/schedules.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

using doctest::Approx;
using funnel::InvalidArgument;
using funnel::Matrix;
using namespace funnel::nn;

TEST_CASE("schedules: published rates, and the cosine") {
    const WarmUpCosine schedule(1.0, 10, 100);
    CHECK(schedule(0) == 0.0);
    CHECK(schedule(5) == 0.5);
    CHECK(schedule(10) == 1.0);
    CHECK(schedule(40) == Approx(0.75).epsilon(1e-14));
    CHECK(schedule(100) == 0.0);
    CHECK(schedule(std::numeric_limits<std::uint64_t>::max()) == 0.0);
    for (std::uint64_t t = 10; t <= 100; ++t) {
        const double x = static_cast<double>(t - 10) / 90.0;
        CHECK(schedule(t) == Approx(0.5 * (1.0 + std::cos(std::numbers::pi * x))).epsilon(1e-13));
    }
    CHECK(WarmUpCosine(2.0, 0, 4)(0) == 2.0);
    CHECK(WarmUpCosine(2.0, 0, 0)(0) == 0.0);

    CHECK(ConstantRate{0.3}(17) == 0.3);
    const StepRate steps(8.0, 3, 0.5);
    CHECK(steps(0) == 8.0);
    CHECK(steps(2) == 8.0);
    CHECK(steps(3) == 4.0);
    CHECK(steps(9) == 1.0);
    const InverseSquareRoot root(1.0, 4);
    CHECK(root(0) == 0.0);
    CHECK(root(1) == 0.25);
    CHECK(root(4) == 1.0);
    CHECK(root(16) == 0.5);
}

TEST_CASE("schedules: bad settings are rejected") {
    CHECK_THROWS_AS(WarmUpCosine(-1.0, 1, 2), InvalidArgument);
    CHECK_THROWS_AS(WarmUpCosine(1.0, 3, 2), InvalidArgument);
    CHECK_THROWS_AS(StepRate(-1.0, 1, 0.5), InvalidArgument);
    CHECK_THROWS_AS(StepRate(1.0, 0, 0.5), InvalidArgument);
    CHECK_THROWS_AS(StepRate(1.0, 1, 0.0), InvalidArgument);
    CHECK_THROWS_AS(StepRate(1.0, 1, 1.5), InvalidArgument);
    CHECK_THROWS_AS(InverseSquareRoot(-1.0, 1), InvalidArgument);
    CHECK_THROWS_AS(InverseSquareRoot(1.0, 0), InvalidArgument);
}

TEST_CASE("clip_by_norm: published gradient") {
    std::vector<float> g;
    for (const double x : funnel::testing::sines(4, 0.0, 3.0)) {
        g.push_back(static_cast<float>(x));
    }
    std::vector<float> small = g;
    CHECK(clip_by_norm(g, 1.0) == Approx(3.740761));
    const std::vector<double> expected{0.0, 0.6748393, 0.7292344, 0.1131748};
    for (std::size_t i = 0; i < 4; ++i) {
        CHECK(static_cast<double>(g[i]) == Approx(expected[i]));
    }
    const std::vector<float> before = small;
    CHECK(clip_by_norm(small, 100.0) == Approx(3.740761));
    CHECK(small == before);  // a short gradient keeps its bits
    CHECK(clip_by_norm({}, 1.0) == 0.0);
}

TEST_CASE("GradientNorm: one norm over all parts, without the padding of rows") {
    std::vector<float> g{3.0F};
    Matrix<float> rows(2, 1);
    rows(0, 0) = 4.0F;
    rows(1, 0) = 12.0F;
    GradientNorm norm;
    norm.add(g);
    norm.add(rows);
    CHECK(norm.value() == 13.0);  // 9 + 16 + 144 = 169
    const float factor = norm.factor(6.5);
    CHECK(static_cast<double>(factor) == Approx(0.5).epsilon(1e-6));
    scale_gradient(g, factor);
    scale_gradient(rows.view(), factor);
    CHECK(g[0] == Approx(1.5));
    CHECK(rows(1, 0) == Approx(6.0));
}

TEST_CASE("clip_by_value: and limits that are rejected") {
    std::vector<float> g{-3.0F, 0.5F, 7.0F};
    clip_by_value(g, 2.0F);
    CHECK(g == std::vector<float>{-2.0F, 0.5F, 2.0F});
    CHECK_THROWS_AS(clip_by_value(g, 0.0F), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(clip_by_norm(g, -1.0)), InvalidArgument);
    CHECK_THROWS_AS(static_cast<void>(clip_by_norm(g, std::numeric_limits<double>::infinity())), InvalidArgument);
}

TEST_CASE("EarlyStopping: stops after checks without a better metric, and restores the best parameters") {
    EarlyStopping stopping({.patience = 2, .min_delta = 0.1});
    std::vector<float> p{9.0F};
    stopping.restore(p);  // nothing yet
    CHECK(p[0] == 9.0F);
    CHECK_FALSE(stopping.update(0.5, std::vector<float>{1.0F}));
    CHECK_FALSE(stopping.update(0.55, std::vector<float>{2.0F}));  // not better by more than 0.1
    CHECK_FALSE(stopping.update(0.7, std::vector<float>{3.0F}));   // patience starts again
    CHECK_FALSE(stopping.update(0.1, std::vector<float>{4.0F}));
    CHECK(stopping.update(0.75, std::vector<float>{5.0F}));
    CHECK(stopping.best() == 0.7);
    CHECK(stopping.checks() == 5);
    stopping.restore(p);
    CHECK(p[0] == 3.0F);
}

TEST_CASE("EarlyStopping: NaN is never better; bad options are rejected") {
    EarlyStopping stopping({.patience = 3});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK_FALSE(stopping.update(nan, std::vector<float>{1.0F}));
    CHECK_FALSE(stopping.best());
    CHECK_FALSE(stopping.update(-1.0, std::vector<float>{2.0F}));
    CHECK_FALSE(stopping.update(nan, std::vector<float>{3.0F}));
    CHECK(stopping.best() == -1.0);
    std::vector<float> two(2);
    CHECK_THROWS_AS(stopping.restore(two), InvalidArgument);
    CHECK_THROWS_AS(EarlyStopping({.patience = 0}), InvalidArgument);
    CHECK_THROWS_AS(EarlyStopping({.min_delta = -1.0}), InvalidArgument);
}

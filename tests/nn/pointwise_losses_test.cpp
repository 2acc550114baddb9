// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/pointwise_losses.hpp>

#include "nn/loss_checks.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <vector>

using doctest::Approx;
using funnel::nn::Logloss;
using funnel::nn::loss;
using funnel::nn::SquaredError;
using funnel::testing::check_loss;
using funnel::testing::check_loss_errors;
using funnel::testing::LossSample;

TEST_CASE("SquaredError: worked by hand") {
    // Errors 2 - 5 = -3 and 1 - 0 = 1: 9/2 + 1/2 = 5.
    const std::vector<double> scores{2.0, 1.0};
    const std::vector<float> labels{5.0F, 0.0F};
    const auto [value, gradient] = loss(SquaredError{}, scores, labels);
    CHECK(value == 5.0);
    CHECK(gradient == std::vector{-3.0, 1.0});
}

TEST_CASE("Logloss: worked by hand") {
    // s = 0: p = 1/2, loss log 2. s = log 3: p = 3/4, loss -log(3/4) for y = 1.
    const std::vector<double> scores{0.0, std::log(3.0)};
    const std::vector<float> labels{0.0F, 1.0F};
    const auto [value, gradient] = loss(Logloss{}, scores, labels);
    CHECK(value == Approx(std::log(2.0) - std::log(0.75)).epsilon(1e-14));
    CHECK(gradient[0] == Approx(0.5).epsilon(1e-14));
    CHECK(gradient[1] == Approx(-0.25).epsilon(1e-14));
}

TEST_CASE("Logloss: neither overflows nor loses the digits of a small loss") {
    const std::vector<double> scores{800.0, -800.0, 40.0};
    const std::vector<float> labels{0.0F, 1.0F, 1.0F};
    const auto [value, gradient] = loss(Logloss{}, scores, labels, std::vector<std::size_t>{2, 1});
    CHECK(value == 1600.0);
    CHECK(gradient == std::vector{1.0, -1.0, 0.0});
    const auto last = loss(Logloss{}, {scores.data() + 2, 1}, {labels.data() + 2, 1});
    CHECK(last.value / std::exp(-40.0) == Approx(1.0).epsilon(1e-14));
}

TEST_CASE("Logloss: a smoothed label lies between the two losses") {
    const std::vector<double> scores{1.5};
    const double hit = loss(Logloss{}, scores, std::vector{1.0F}).value;
    const double miss = loss(Logloss{}, scores, std::vector{0.0F}).value;
    CHECK(loss(Logloss{}, scores, std::vector{0.25F}).value == Approx(0.25 * hit + 0.75 * miss).epsilon(1e-14));
}

TEST_CASE("SquaredError, Logloss: keep what every loss promises") {
    check_loss(SquaredError{}, 4);
    check_loss(Logloss{}, 1);
}

TEST_CASE("SquaredError, Logloss: reject invalid arguments, and say why") {
    check_loss_errors(SquaredError{}, LossSample(4));
    check_loss_errors(Logloss{}, LossSample(1));
    CHECK_THROWS_WITH_AS((void)loss(Logloss{}, std::vector{0.0}, std::vector{1.5F}),
                         "Logloss: the label at position 0 must lie in [0, 1], got 1.500000", funnel::InvalidArgument);
}

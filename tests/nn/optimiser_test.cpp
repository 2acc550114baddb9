// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/optimiser.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <cmath>

using doctest::Approx;
using funnel::ranking::Optimiser;
using funnel::ranking::detail::Descent;

TEST_CASE("Descent: worked by hand") {
    Descent sgd(Optimiser::SGD, 0.5F, 2);
    CHECK(sgd.step(0, 3.0) == -1.5);
    CHECK(sgd.step(0, -1.0) == 0.5);

    // Adagrad, gradients 3 then 4: 0.5 * 3 / 3, then 0.5 * 4 / 5. Each parameter has a history of its own.
    Descent adagrad(Optimiser::Adagrad, 0.5F, 2);
    CHECK(adagrad.step(0, 3.0) == Approx(-0.5));
    CHECK(adagrad.step(1, -2.0) == Approx(0.5));
    CHECK(adagrad.step(0, 4.0) == Approx(-0.4));
    CHECK(adagrad.step(1, 0.0) == 0.0);
}

TEST_CASE("Descent: no gradient, no step") {
    Descent adagrad(Optimiser::Adagrad, 0.5F, 1);
    CHECK(adagrad.step(0, 0.0) == 0.0);  // not 0 / 0
}

#if FUNNEL_CHECKS
TEST_CASE("Descent: with checks on, a parameter that does not exist is found") {
    Descent adagrad(Optimiser::Adagrad, 0.5F, 2);
    CHECK(funnel::testing::dies([&] { (void)adagrad.step(2, 1.0); }, "parameter < squares_.size()"));
}
#endif

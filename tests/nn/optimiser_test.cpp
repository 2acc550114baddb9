// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/optimiser.hpp>

#include "support/dies.hpp"

#include <doctest/doctest.h>

#include <array>
#include <span>
#include <vector>

using doctest::Approx;
using funnel::nn::Descent;
using funnel::nn::Optimiser;

namespace {

// One step of the given parameters, which start at 0.
std::vector<double> step(Descent& descent, std::size_t first, const std::vector<double>& gradients) {
    std::vector<double> values(gradients.size(), 0.0);
    descent.update(first, std::span(values), std::span(gradients));
    return values;
}

}  // namespace

TEST_CASE("Descent: worked by hand") {
    Descent sgd(Optimiser::SGD, 0.5F, 2);
    CHECK(step(sgd, 0, {3.0, -1.0}) == std::vector{-1.5, 0.5});

    // Adagrad, gradients 3 then 4: 0.5 * 3 / 3, then 0.5 * 4 / 5. Each parameter has a history of its own.
    Descent adagrad(Optimiser::Adagrad, 0.5F, 2);
    CHECK(step(adagrad, 0, {3.0})[0] == Approx(-0.5));
    CHECK(step(adagrad, 1, {-2.0})[0] == Approx(0.5));
    const auto second = step(adagrad, 0, {4.0, 0.0});
    CHECK(second[0] == Approx(-0.4));
    CHECK(second[1] == 0.0);
}

TEST_CASE("Descent: adds its steps to values of any floating-point type") {
    Descent adagrad(Optimiser::Adagrad, 0.5F, 3);
    std::array values{1.0F, 2.0F, 3.0F};
    constexpr std::array gradients{2.0, 0.0, -2.0};
    adagrad.update(0, std::span<float>(values), std::span<const double>(gradients));
    CHECK(values[0] == Approx(0.5));
    CHECK(values[1] == 2.0F);  // no gradient, no step: not 0 / 0
    CHECK(values[2] == Approx(3.5));
}

#if FUNNEL_CHECKS
TEST_CASE("Descent: with checks on, a parameter that does not exist is found") {
    Descent adagrad(Optimiser::Adagrad, 0.5F, 2);
    CHECK(
        funnel::testing::dies([&] { (void)step(adagrad, 1, {1.0, 1.0}); }, "first + values.size() <= squares_.size()"));
}

TEST_CASE("Descent: with checks on, a missing gradient is found") {
    Descent sgd(Optimiser::SGD, 0.5F, 2);
    std::array values{1.0, 2.0};
    constexpr std::array gradients{2.0};
    CHECK(funnel::testing::dies([&] { sgd.update(0, std::span<double>(values), std::span<const double>(gradients)); },
                                "values.size() == gradients.size()"));
}
#endif

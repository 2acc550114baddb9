// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/sequential.hpp>

#include "nn/gradient_check.hpp"

#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>

#include <doctest/doctest.h>

#include <vector>

using funnel::nn::Dense;
using funnel::nn::ReLU;
using funnel::nn::Sequential;
using namespace funnel::testing;

TEST_CASE("Dense: published values and gradients") {
    LayerRun<Dense<3, 2>> run(2);
    run.x = sines(6, 0.0);
    run.parameters = sines(6, 1.0, 0.5);
    for (const double b : sines(2, 2.0)) {
        run.parameters.push_back(b);
    }
    run.dy = sines(4, 3.0);
    run.forward();
    run.backward();
    const auto close = [](const std::vector<double>& a, const std::vector<double>& b) {
        REQUIRE(a.size() == b.size());
        for (std::size_t i = 0; i < a.size(); ++i) {
            CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-6));
        }
    };
    close(run.y, {1.356031, -0.3893694, 0.5569306, 0.5845473});
    close(run.dx, {0.3457492, 0.4270182, 0.1156886, -0.2977223, -0.3020045, -0.02862519});
    close(run.gradient, {-0.1353234, 0.8444647, 1.047856, -0.03943112, -0.425365, -0.4202203, -0.8178043, -1.036218});
    CHECK(gradient_error<Dense<5, 7>>(4) < 1e-6);
}

TEST_CASE("Sequential: layers one after the other are a layer") {
    using Network = Sequential<Dense<5, 7>, ReLU, Dense<7, 3>, ReLU, Dense<3, 2>>;
    static_assert(Network::in == 5 && Network::out == 2);
    static_assert(Network::parameters == 5 * 7 + 7 + 7 * 3 + 3 + 3 * 2 + 2);
    CHECK(gradient_error<Network>(4) < 1e-6);
    CHECK(gradient_error<Sequential<Dense<5, 7>>>(4) < 1e-6);
    CHECK(gradient_error<Sequential<Sequential<Dense<5, 7>, ReLU>, Sequential<Dense<7, 3>>>>(4) < 1e-6);
}

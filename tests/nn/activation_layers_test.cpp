// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/dice.hpp>
#include <funnel/nn/masked_softmax.hpp>
#include <funnel/nn/prelu.hpp>
#include <funnel/nn/residual.hpp>

#include "nn/gradient_check.hpp"
#include "nn/layer_checks.hpp"
#include "nn/loss_checks.hpp"

#include <funnel/core/error.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/sequential.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <ratio>
#include <vector>

using funnel::InvalidArgument;
using namespace funnel::nn;
using namespace funnel::testing;

TEST_CASE("PReLU: worked by hand, with one slope and with one per column") {
    LayerRun<PReLU<2>> run(2);
    CHECK(run.parameters == std::vector<double>{0.25});
    run.x = {-4, 2, 0, -8};
    run.dy = {1, 10, 100, 1000};
    run.forward();
    run.backward();
    CHECK(run.y == std::vector<double>{-1, 2, 0, -2});
    CHECK(run.dx == std::vector<double>{0.25, 10, 25, 250});    // at 0, the slope
    CHECK(run.gradient == std::vector<double>{-4.0 - 8000.0});  // sum of x dy over x <= 0

    LayerRun<PReLU<2, 2>> own(2);
    own.parameters = {0.5, -1.0};
    own.x = run.x;
    own.dy = run.dy;
    own.forward();
    own.backward();
    CHECK(own.y == std::vector<double>{-2, 2, 0, 8});
    CHECK(own.dx == std::vector<double>{0.5, 10, 50, -1000});
    CHECK(own.gradient == std::vector<double>{-4, -8000});
    CHECK(gradient_error<PReLU<5>>(4) < 1e-6);
    CHECK(gradient_error<PReLU<5, 5>>(4) < 1e-6);
}

TEST_CASE("Dice: published values with the statistics of the batch") {
    LayerRun<Dice<3>> run(4);
    CHECK(run.parameters == std::vector<double>(3, 0.0));
    run.x = sines(12, 1.0);
    run.parameters = sines(3, 0.0, 0.5);
    run.forward();
    check_long(run.y, {0.6345414, 0.763245, 0.1132064, -0.1833137}, 1.210535, 3.14596);
    CHECK(gradient_error<Dice<3>>(5) < 1e-6);
    CHECK(gradient_error<Sequential<Dense<4, 5>, Dice<5>, Dense<5, 2>>>(6) < 1e-6);
}

TEST_CASE("Dice: in service it uses running values, and the running variance is the unbiased one") {
    LayerRun<Dice<1>> run(2);
    run.x = {1.0, 3.0};  // mean 2, variance 1 with 1 / n, 2 with 1 / (n - 1)
    run.forward();
    CHECK(are_close(run.updated_statistics, std::vector<double>{0.2, 0.9 * 1.0 + 0.1 * 2.0}, 1e-12));
    // p = sigmoid((x - mean) / sqrt(var)) with mean 5, var 4; alpha = 1/2.
    run.statistics = {5.0, 4.0};
    run.parameters = {0.5};
    run.infer();
    const double p = 1.0 / (1.0 + std::exp(2.0));  // (1 - 5) / 2 = -2
    CHECK(run.y[0] == doctest::Approx(p + 0.5 * (1.0 - p)).epsilon(1e-7));
}

TEST_CASE("Dice: a batch of one row is rejected in training, and served; a constant column is finite") {
    LayerRun<Dice<3>> run(1);
    CHECK_THROWS_WITH_AS(run.forward(), "Dice: a batch of training must not have one row, because it has no variance",
                         InvalidArgument);
    run.x = {1, 2, -1e9};
    run.infer();
    CHECK(run.y[2] == doctest::Approx(0.0));
    LayerRun<Dice<3>> none(0);
    none.forward();
    none.backward();
    CHECK(none.updated_statistics == none.statistics);
    LayerRun<Dice<1>> constant(3);
    constant.x.assign(3, 7.0);
    constant.dy.assign(3, 1.0);
    constant.forward();
    constant.backward();
    CHECK(constant.y == std::vector<double>(3, 3.5));  // p = 1/2
    CHECK(constant.dx[1] == doctest::Approx(0.5));     // what all numbers share does not move p
}

TEST_CASE("Residual: adds its input") {
    LayerRun<Residual<Dense<2, 2>>> run(1);
    run.parameters = {1, 2, 3, 4, 10, 20};
    run.x = {5, 6};
    run.dy = {1, 1};
    run.forward();
    run.backward();
    CHECK(run.y == std::vector<double>{5 + 12 + 10 + 5, 15 + 24 + 20 + 6});
    CHECK(run.dx == std::vector<double>{1 + 3 + 1, 2 + 4 + 1});
    CHECK(run.gradient == std::vector<double>{5, 6, 5, 6, 1, 1});
    run.infer();
    CHECK(run.y == std::vector<double>{32, 65});
}

TEST_CASE("Residual: the layer inside gets its own output back, not the sum") {
    // The slopes of Sigmoid and Tanh are computed from their outputs.
    CHECK(gradient_error<Residual<Sigmoid::bind<4>>>(3) < 1e-6);
    CHECK(gradient_error<Residual<Residual<Tanh::bind<4>>>>(3) < 1e-6);
    using Block = Residual<Sequential<Dense<4, 6>, ReLU, BatchNorm<6>, Dropout<6, std::ratio<1, 4>>, Dense<6, 4>>>;
    CHECK(gradient_error<Sequential<Dense<3, 4>, Block, Block, Dense<4, 2>>>(6) < 1e-6);
    static_assert(Block::parameters == 4 * 6 + 6 + 12 + 6 * 4 + 4 && Block::statistics == 12);
}

TEST_CASE("MaskedSoftmax: published values; what is left out is exactly 0") {
    LayerRun<MaskedSoftmax<4>> run(2);
    const std::vector<double> scores = sines(8, 0.0, 3.0);
    run.x = {scores[0], scores[1], scores[2], scores[3], 1, 1, 0, 1,
             scores[4], scores[5], scores[6], scores[7], 1, 0, 0, 1};
    run.dy = sines(8, 1.0);
    run.forward();
    run.backward();
    CHECK(
        are_close(run.y, std::vector<double>{0.06661937, 0.8316472, 0, 0.1017334, 0.01418383, 0, 0, 0.9858162}, 1e-6));
    CHECK(are_close(run.dx,
                    std::vector<double>{0.007074317, 0.1447204, 0, -0.1517947, 0, 0, 0, 0, -0.02724215, 0, 0,
                                        0.02724215, 0, 0, 0, 0},
                    1e-6));
    CHECK(run.y[2] == 0.0);
    CHECK(run.dx[2] == 0.0);
    const auto masked = [](LayerRun<MaskedSoftmax<4>>& r) {
        for (std::size_t i = 0; i < r.rows; ++i) {
            for (std::size_t j = 0; j < 4; ++j) {
                r.x[i * 8 + 4 + j] = (i + j) % 3 == 0 ? 0.0 : 2.0;
            }
        }
    };
    CHECK(gradient_error<MaskedSoftmax<4>>(4, 1, masked) < 1e-6);
}

TEST_CASE("MaskedSoftmax: a row that is wholly masked gives zeros; scores of any size work") {
    LayerRun<MaskedSoftmax<2>> run(3);
    run.x = {5, 6, 0, 0, 1e4, -1e4, 1, 1, std::numeric_limits<double>::quiet_NaN(), -1e4, 0, 1};
    run.dy.assign(6, 1.0);
    run.forward();
    run.backward();
    CHECK(run.y == std::vector<double>{0, 0, 1, 0, 0, 1});
    CHECK(run.dx == std::vector<double>(12, 0.0));
}

TEST_CASE_TEMPLATE_DEFINE("PReLU, Dice, Residual, MaskedSoftmax: floats agree with doubles, for any number of threads",
                          Backend, activation_backends) {
    check_floats<PReLU<7>, Backend>();
    check_floats<PReLU<7, 7>, Backend>();
    check_floats<Dice<7>, Backend>();
    check_floats<Residual<Sequential<Dense<7, 40>, ReLU, Dense<40, 7>>>, Backend>();
    check_floats<MaskedSoftmax<7>, Backend>();
}
TEST_CASE_TEMPLATE_APPLY(activation_backends, HostBackends);

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/activations.hpp>
#include <funnel/nn/batch_norm.hpp>
#include <funnel/nn/dropout.hpp>
#include <funnel/nn/layer_norm.hpp>

#include "nn/gradient_check.hpp"
#include "nn/layer_checks.hpp"
#include "nn/loss_checks.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/dense.hpp>
#include <funnel/nn/l2_normalize.hpp>
#include <funnel/nn/tower.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <ratio>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::Random;
using funnel::Serial;
using funnel::Threads;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

// `start` + a sin
std::vector<double> around(double start, std::size_t count, double phase, double a) {
    std::vector<double> numbers = sines(count, phase, a);
    for (double& number : numbers) {
        number += start;
    }
    return numbers;
}

template <class Function>
void check_activation(const std::vector<double>& values, const std::vector<double>& slopes) {
    using Layer = typename Function::template bind<7>;
    LayerRun<Layer> run(1);
    run.x = {-3, -1, -0.5, 0, 0.5, 1, 3};
    run.dy.assign(7, 1.0);
    run.forward();
    run.backward();
    CHECK(are_close(run.y, values, 1e-6));
    CHECK(are_close(run.dx, slopes, 1e-6));
    const std::vector<double> trained = run.y;
    run.infer();
    CHECK(run.y == trained);
    CHECK(gradient_error<Layer>(3) < 1e-6);
    for (const double x : {-1e4, -100.0, 0.0, 100.0, 1e4}) {
        CHECK(std::isfinite(Function::value(x)));
        CHECK(std::isfinite(Function::slope(x, Function::value(x))));
        CHECK(std::isfinite(Function::value(static_cast<float>(x))));
        CHECK(std::isfinite(Function::slope(static_cast<float>(x), Function::value(static_cast<float>(x)))));
    }
}

}  // namespace

TEST_CASE("activations: published values and slopes, finite for large numbers") {
    check_activation<ReLU>({0, 0, 0, 0, 0.5, 1, 3}, {0, 0, 0, 0, 1, 1, 1});
    check_activation<LeakyReLU>({-0.03, -0.01, -0.005, 0, 0.5, 1, 3}, {0.01, 0.01, 0.01, 0.01, 1, 1, 1});
    check_activation<GELU>({-0.004049694, -0.1586553, -0.1542688, 0, 0.3457312, 0.8413447, 2.99595},
                           {-0.01194565, -0.08331547, 0.1325049, 0.5, 0.8674951, 1.083315, 1.011946});
    check_activation<GELUTanh>({-0.003637392, -0.158808, -0.154286, 0, 0.345714, 0.841192, 2.996363},
                               {-0.01158417, -0.08296408, 0.1326301, 0.5, 0.8673699, 1.082964, 1.011584});
    check_activation<SiLU>({-0.1422776, -0.2689414, -0.1887703, 0, 0.3112297, 0.7310586, 2.857722},
                           {-0.08810411, 0.07232949, 0.2600388, 0.5, 0.7399612, 0.9276705, 1.088104});
    check_activation<Softplus>({0.04858735, 0.3132617, 0.474077, 0.6931472, 0.974077, 1.313262, 3.048587},
                               {0.04742587, 0.2689414, 0.3775407, 0.5, 0.6224593, 0.7310586, 0.9525741});
    check_activation<Sigmoid>({0.04742587, 0.2689414, 0.3775407, 0.5, 0.6224593, 0.7310586, 0.9525741},
                              {0.04517666, 0.1966119, 0.2350037, 0.25, 0.2350037, 0.1966119, 0.04517666});
    check_activation<Tanh>({-0.9950548, -0.7615942, -0.4621172, 0, 0.4621172, 0.7615942, 0.9950548},
                           {0.009866037, 0.4199743, 0.7864477, 1, 0.7864477, 0.4199743, 0.009866037});
}

TEST_CASE("BatchNorm: published values in training and in service; the running variance is the unbiased one") {
    LayerRun<BatchNorm<3>> run(4);
    run.x = sines(12, 0.0);
    run.parameters = joined({around(1.0, 3, 1.0, 0.1), sines(3, 2.0, 0.1)});
    run.statistics = joined({sines(3, 3.0, 0.1), around(1.0, 3, 4.0, 0.1)});
    run.dy = sines(12, 5.0);
    run.forward();
    run.backward();
    check_long(run.y, {-0.2064557, 1.236513, 0.8958039, 0.4065978}, 0.117446, -1.292621);
    check_long(run.dx, {-3.202801, 0.2476678, 0.149639, 3.228681}, 0.0, -5.485737);
    CHECK(are_close(run.gradient, std::vector<double>{3.309148, -1.790244, 1.892755, 0.02105112, 0.2464179, 0.2452292},
                    1e-6));
    const std::vector<double> running{0.01954638, -0.06317138, -0.08780965, 0.8401906, 0.8803184, 0.9989946};
    CHECK(are_close(run.updated_statistics, running, 1e-6));
    run.statistics = run.updated_statistics;
    run.infer();
    check_long(run.y, {0.06781107, 1.065956, 0.9360016, 0.2347222}, 1.167666, 0.4562575);
    CHECK(gradient_error<BatchNorm<3>>(5) < 1e-6);
}

TEST_CASE("BatchNorm: a batch of one row is rejected in training, and served") {
    LayerRun<BatchNorm<3>> run(1);
    CHECK_THROWS_WITH_AS(run.forward(),
                         "BatchNorm: a batch of training must not have one row, because it has no variance",
                         InvalidArgument);
    run.x = {1, 2, 3};
    run.infer();
    CHECK(run.y[2] == doctest::Approx(3.0).epsilon(1e-5));
    LayerRun<BatchNorm<3>> none(0);
    none.forward();
    CHECK(none.updated_statistics == none.statistics);
}

TEST_CASE("LayerNorm: published values with the epsilon of BERT, on rows of small variance") {
    using Layer = LayerNorm<4, std::ratio<1, 1'000'000'000'000>>;
    LayerRun<Layer> run(2);
    run.x = sines(8, 0.0, 0.01);
    run.parameters = joined({around(1.0, 4, 1.0, 0.1), sines(4, 2.0, 0.1)});
    run.dy = sines(8, 3.0);
    run.forward();
    run.backward();
    CHECK(are_close(
        run.y,
        std::vector<double>{-1.171426, 1.003784, 1.013637, -0.851028, -0.6434673, -1.078607, 0.01399676, 1.374337},
        1e-6));
    CHECK(are_close(
        run.dx,
        std::vector<double>{28.63127, 12.19568, -5.859093, -34.96786, -17.38668, 11.24272, 6.849482, -0.7055227},
        1e-6));
    CHECK(are_close(run.gradient,
                    std::vector<double>{-0.6093571, -1.677538, -0.9935938, -0.6370516, 0.7981066, 0.2325558, -0.5468058,
                                        -0.8234366},
                    1e-6));
    CHECK(gradient_error<Layer>(3) < 1e-6);
    CHECK(gradient_error<LayerNorm<5>>(3) < 1e-6);
    // A constant row: its variance is 0.
    LayerRun<LayerNorm<4>> constant(1);
    constant.x.assign(4, 7.0);
    constant.infer();
    CHECK(constant.y == std::vector<double>(4, 0.0));
}

TEST_CASE("Dropout: keeps the mean, gives the mask again to the gradient, does nothing in service") {
    LayerRun<Dropout<100, std::ratio<1, 5>>> run(500);
    run.x.assign(50'000, 1.0);
    run.dy.assign(50'000, 1.0);
    run.forward();
    run.backward();
    CHECK(std::all_of(run.y.begin(), run.y.end(), [](double y) { return y == 0.0 || y == 1.25; }));
    CHECK(std::accumulate(run.y.begin(), run.y.end(), 0.0) / 50'000 == doctest::Approx(1.0).epsilon(0.01));
    CHECK(run.dx == run.y);
    const std::vector<double> first = run.y;
    run.forward();
    CHECK(run.y == first);
    run.step.number = 1;
    run.forward();
    CHECK(run.y != first);
    run.step = run.step.of(3);
    run.step.number = 0;
    run.forward();
    CHECK(run.y != first);  // another layer
    run.infer();
    CHECK(run.y == run.x);
    CHECK(gradient_error<Dropout<7>>(3) < 1e-6);
    LayerRun<Dropout<3, std::ratio<0, 1>>> none(4);
    none.randomise(1);
    none.forward();
    CHECK(none.y == none.x);
}

TEST_CASE("Tower: all layers together train, with the same bits for any number of threads") {
    using Network = Tower<Dense<136, 256>, ReLU, BatchNorm<256>, Dropout<256>, Dense<256, 64>, L2Normalize<64>>;
    Matrix<float> x(600, 136);
    Matrix<float> dy(600, 64);
    Random random(4);
    for (Matrix<float>* rows : {&x, &dy}) {
        for (std::size_t i = 0; i < 600; ++i) {
            for (float& number : rows->row(i)) {
                number = static_cast<float>(random.normal());
            }
        }
    }
    const auto train = [&](auto&& executor) {
        Network tower(3);
        Network::Pass pass(600);
        std::vector<float> gradient(Network::Network::parameters);
        for (std::uint64_t step = 0; step < 2; ++step) {
            std::fill(gradient.begin(), gradient.end(), 0.0F);
            static_cast<void>(tower.forward(x, {.seed = 1, .number = step}, pass, executor));
            tower.backward(x, dy, pass, gradient, {}, executor);
            for (std::size_t i = 0; i < gradient.size(); ++i) {
                tower.parameters()[i] -= 0.001F * gradient[i];
            }
        }
        std::vector<float> all(tower.parameters().begin(), tower.parameters().end());
        all.insert(all.end(), tower.statistics().begin(), tower.statistics().end());
        return all;
    };
    const std::vector<float> expected = train(Serial{});
    CHECK(train(Threads(2)) == expected);
    CHECK(train(Threads(4)) == expected);
    CHECK(gradient_error<
              Sequential<Dense<5, 6>, Tanh, BatchNorm<6>, Dropout<6>, LayerNorm<6>, Dense<6, 3>, L2Normalize<3>>>(6) <
          1e-6);
}

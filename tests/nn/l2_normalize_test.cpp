// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/l2_normalize.hpp>

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <vector>

using funnel::nn::L2Normalize;
using namespace funnel::testing;

TEST_CASE("L2Normalize: published values and gradients") {
    LayerRun<L2Normalize<3>> run(2);
    run.x = sines(6, 0.0);
    run.dy = sines(6, 1.0);
    run.forward();
    run.backward();
    CHECK(are_close(run.y, std::vector<double>{0, 0.6792033, 0.7339502, 0.1147582, -0.6154288, -0.7797935}, 1e-6));
    CHECK(are_close(run.dx, std::vector<double>{0.6792033, 0.3385838, -0.3133281, -0.6827307, -0.4188653, 0.230103},
                    1e-6));
    CHECK(gradient_error<L2Normalize<7>>(4) < 1e-6);
}

TEST_CASE("L2Normalize: a row of zeros stays zero and has no gradient; tiny rows do not overflow") {
    LayerRun<L2Normalize<2>> run(2);
    run.x = {0.0, 0.0, 3e-20, 4e-20};
    run.dy = {1.0, 2.0, 3.0, 4.0};
    run.forward();
    run.backward();
    CHECK(run.y == std::vector<double>{0.0, 0.0, 3e-20 / 1e-12, 4e-20 / 1e-12});
    CHECK(run.dx[0] == 0.0);
    CHECK(run.dx[1] == 0.0);
    CHECK(run.dx[2] == 3.0 / 1e-12);
    CHECK(run.dx[3] == 4.0 / 1e-12);
    run.infer();
    CHECK(run.y[3] == 4e-20 / 1e-12);
}

TEST_CASE_TEMPLATE_DEFINE("L2Normalize: floats of every backend are near the doubles", Backend, normalize_backends) {
    using Layer = L2Normalize<37>;
    LayerRun<Layer> run(5);
    run.randomise(2);
    run.forward();
    run.backward();
    funnel::Matrix<float> x(5, 37);
    funnel::Matrix<float> dy(5, 37);
    for (std::size_t i = 0; i < 5 * 37; ++i) {
        x(i / 37, i % 37) = static_cast<float>(run.x[i]);
        dy(i / 37, i % 37) = static_cast<float>(run.dy[i]);
    }
    funnel::Matrix<float> y(5, 37);
    funnel::Matrix<float> dx(5, 37);
    funnel::Serial serial;
    Layer::forward<Backend, float>({}, {}, {}, x, y.view(), {}, serial);
    Layer::backward<Backend, float>({}, {}, x, y, dy, dx.view(), {}, {}, serial);
    for (std::size_t i = 0; i < 5 * 37; ++i) {
        CHECK(static_cast<double>(y(i / 37, i % 37)) == doctest::Approx(run.y[i]).epsilon(1e-5));
        CHECK(static_cast<double>(dx(i / 37, i % 37)) == doctest::Approx(run.dx[i]).epsilon(1e-4));
    }
}
TEST_CASE_TEMPLATE_APPLY(normalize_backends, HostBackends);

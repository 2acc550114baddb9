// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/tower.hpp>

#include "support/allocations.hpp"
#include "support/backends.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/activations.hpp>
#include <funnel/nn/dense.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using funnel::Threads;
using funnel::nn::Dense;
using funnel::nn::ReLU;
using funnel::nn::Tower;
using namespace funnel::testing;

namespace {

Matrix<float> random_rows(std::size_t rows, std::size_t width, std::uint64_t seed) {
    Matrix<float> x(rows, width);
    Random random(seed);
    for (std::size_t i = 0; i < rows; ++i) {
        for (float& number : x.row(i)) {
            number = static_cast<float>(random.normal());
        }
    }
    return x;
}

using Small = Tower<Dense<5, 33>, ReLU, Dense<33, 3>>;

}  // namespace

TEST_CASE("Tower: worked by hand") {
    Tower<Dense<2, 2>, ReLU, Dense<2, 1>> tower;
    const std::vector<float> numbers{1, 2, -1, 1, 0, -3, /* the second layer */ 2, 3, -1};
    std::copy(numbers.begin(), numbers.end(), tower.parameters().begin());
    Matrix<float> x(1, 2);
    x(0, 0) = 1;
    x(0, 1) = 2;
    // W x + b = (1 + 4 + 0, -1 + 2 - 3) = (5, -2); ReLU gives (5, 0); 2 * 5 + 3 * 0 - 1 = 9.
    CHECK(tower.infer(x)(0, 0) == 9.0F);

    decltype(tower)::Pass pass(1);
    CHECK(tower.forward(x, {}, pass)(0, 0) == 9.0F);
    Matrix<float> dy(1, 1);
    dy(0, 0) = 1;  // the derivative of the loss for the output
    Matrix<float> dx(1, 2);
    std::vector<float> gradient(numbers.size());
    tower.backward(x, dy, pass, gradient, dx.view());
    // Second layer: the input (5, 0), and 1 for the bias. Through ReLU: (2, 0). First layer: (2, 0) times x.
    CHECK(gradient == std::vector<float>{2, 4, 0, 0, 2, 0, 5, 0, 1});
    CHECK(dx(0, 0) == 2.0F);  // 2 * 1 + 0 * -1
    CHECK(dx(0, 1) == 4.0F);  // 2 * 2 + 0 * 1
}

TEST_CASE_TEMPLATE_DEFINE("Tower: infer is the formula, for any number of rows", Backend, tower_infer) {
    const Small tower(7);
    const std::span<const float> p = tower.parameters();
    for (const std::size_t rows : {0U, 1U, 2U, 95U, 96U, 97U, 300U}) {
        const Matrix<float> x = random_rows(rows, 5, rows);
        const Matrix<float> y = tower.infer<Backend>(x);
        REQUIRE(y.rows() == rows);
        for (std::size_t i = 0; i < rows; ++i) {
            std::vector<double> hidden(33);
            for (std::size_t j = 0; j < 33; ++j) {
                double sum = static_cast<double>(p[5 * 33 + j]);
                for (std::size_t k = 0; k < 5; ++k) {
                    sum += static_cast<double>(p[j * 5 + k]) * static_cast<double>(x(i, k));
                }
                hidden[j] = std::max(sum, 0.0);
            }
            for (std::size_t j = 0; j < 3; ++j) {
                const std::size_t second = 5 * 33 + 33;
                double sum = static_cast<double>(p[second + 33 * 3 + j]);
                for (std::size_t k = 0; k < 33; ++k) {
                    sum += static_cast<double>(p[second + j * 33 + k]) * hidden[k];
                }
                CHECK(static_cast<double>(y(i, j)) == doctest::Approx(sum).epsilon(1e-5));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(tower_infer, HostBackends);

TEST_CASE("Tower: infer into memory of the caller allocates nothing") {
    const Small tower;
    const Matrix<float> x = random_rows(200, 5, 1);
    Matrix<float> y(200, 3);
    std::vector<float> memory(Small::scratch(200));
    CHECK(allocations_of([&] { tower.infer(x, memory, y.view()); }) == 0);
    CHECK(y(199, 2) == tower.infer(x)(199, 2));
}

TEST_CASE("Tower: the same gradient for any number of threads") {
    Small tower;
    const Matrix<float> x = random_rows(700, 5, 1);
    const Matrix<float> dy = random_rows(700, 3, 2);
    const auto gradient_of = [&](auto&& executor) {
        Small::Pass pass(800);
        std::vector<float> gradient(Small::Network::parameters);
        static_cast<void>(tower.forward(x, {}, pass, executor));
        tower.backward(x, dy, pass, gradient, {}, executor);
        return gradient;
    };
    const std::vector<float> expected = gradient_of(funnel::Serial{});
    CHECK(std::any_of(expected.begin(), expected.end(), [](float g) { return g != 0.0F; }));
    for (const std::size_t threads : {2U, 3U}) {
        CHECK(gradient_of(Threads(threads)) == expected);
    }
}

TEST_CASE("Tower: shapes that do not match are rejected") {
    Small tower;
    Small::Pass pass(10);
    const Matrix<float> x = random_rows(10, 5, 1);
    std::vector<float> gradient(tower.parameters().size());
    CHECK_THROWS_WITH_AS(static_cast<void>(tower.infer(random_rows(2, 4, 1))),
                         "Tower::infer: x must have 5 columns, got 4", InvalidArgument);
    CHECK_THROWS_AS(tower.forward(random_rows(11, 5, 1), {}, pass), InvalidArgument);
    CHECK_THROWS_AS(tower.backward(x, random_rows(10, 3, 1), pass, gradient), InvalidArgument);  // no forward pass yet
    static_cast<void>(tower.forward(x, {}, pass));
    CHECK_THROWS_AS(tower.backward(x, random_rows(10, 2, 1), pass, gradient), InvalidArgument);
    CHECK_THROWS_AS(tower.backward(x, random_rows(9, 3, 1), pass, gradient), InvalidArgument);
    gradient.pop_back();
    CHECK_THROWS_AS(tower.backward(x, random_rows(10, 3, 1), pass, gradient), InvalidArgument);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/nn/activation_unit.hpp>

#include "nn/gradient_check.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/activations.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <type_traits>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::Random;
using namespace funnel::nn;
using namespace funnel::testing;

namespace {

// The vector of a history from the definition: pairs through the network, then the weighted sum.
template <class Unit>
std::vector<double> defined(const std::vector<double>& parameters, std::span<const double> query,
                            std::span<const double> keys) {
    const std::size_t width = Unit::width;
    const std::size_t count = keys.size() / width;
    LayerRun<typename Unit::Network> run(count);
    run.parameters = parameters;
    for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t j = 0; j < width; ++j) {
            run.x[t * 2 * width + j] = query[j];
            run.x[t * 2 * width + width + j] = keys[t * width + j];
        }
    }
    run.forward();
    std::vector<double> vector(width);
    for (std::size_t t = 0; t < count; ++t) {
        for (std::size_t j = 0; j < width; ++j) {
            vector[j] += run.y[t] * keys[t * width + j];
        }
    }
    return vector;
}

template <class Unit, class Backend, class T>
std::vector<T> attended(const std::vector<T>& parameters, std::span<const T> query, std::span<const T> keys) {
    std::vector<T> folded_memory(Unit::folded_size);
    const std::size_t count = keys.size() / Unit::width;
    std::vector<T> scratch(Unit::scratch(count));
    std::vector<T> vector(Unit::width, T{7});
    const auto folded = Unit::template fold<T>(parameters, folded_memory);
    Unit::template attend<Backend, T>(parameters, {}, folded, query, MatrixView<const T>(keys, count, Unit::width),
                                      vector, scratch);
    return vector;
}

std::vector<double> normal_numbers(std::size_t count, std::uint64_t seed) {
    Random random(seed);
    std::vector<double> numbers(count);
    for (double& x : numbers) {
        x = random.normal();
    }
    return numbers;
}

}  // namespace

TEST_CASE("ActivationUnit: published weights and vector of a history") {
    using Unit = ActivationUnit<2, Sigmoid, 3>;
    const std::vector<double> query = sines(2, 0.0);
    const std::vector<double> keys = sines(6, 1.0);
    std::vector<double> parameters = sines(24, 2.0, 0.4);
    for (const std::vector<double>& part : {sines(3, 3.0, 0.4), sines(3, 4.0, 0.4), std::vector<double>{0.05}}) {
        parameters.insert(parameters.end(), part.begin(), part.end());
    }
    LayerRun<Unit::Network> run(3);
    run.parameters = parameters;
    for (std::size_t t = 0; t < 3; ++t) {
        run.x[4 * t] = query[0];
        run.x[4 * t + 1] = query[1];
        run.x[4 * t + 2] = keys[2 * t];
        run.x[4 * t + 3] = keys[2 * t + 1];
    }
    run.forward();
    const std::vector<double> published{-0.2235959, -0.3536599, -0.3944307};
    for (std::size_t t = 0; t < 3; ++t) {
        CHECK(run.y[t] == doctest::Approx(published[t]).epsilon(1e-6));
    }
    const auto vector = attended<Unit, funnel::kernels::Scalar, double>(parameters, query, keys);
    CHECK(vector[0] == doctest::Approx(0.1401713).epsilon(1e-6));
    CHECK(vector[1] == doctest::Approx(0.1745456).epsilon(1e-6));
}

TEST_CASE("PairFeatures, ActivationUnit: gradients are central differences") {
    CHECK(gradient_error<PairFeatures<3>>(4) < 1e-6);
    CHECK(gradient_error<PairFeatures<1>>(1) < 1e-6);
    CHECK(gradient_error<ActivationUnit<3, Sigmoid, 5>::Network>(4) < 1e-6);
    CHECK(gradient_error<ActivationUnit<2, ReLU, 5, 3>::Network>(1) < 1e-6);
}

TEST_CASE_TEMPLATE_DEFINE("ActivationUnit: without pairs, the same vector as with them", Backend, unit_backends) {
    const auto check = [&]<class Unit>(std::type_identity<Unit>, std::size_t history) {
        const std::vector<double> parameters = normal_numbers(Unit::Network::parameters, 1);
        const std::vector<double> query = normal_numbers(Unit::width, 2);
        const std::vector<double> keys = normal_numbers(history * Unit::width, 3);
        const auto floats = [](const std::vector<double>& numbers) {
            return std::vector<float>(numbers.begin(), numbers.end());
        };
        const auto expected = defined<Unit>(parameters, query, keys);
        const auto found = attended<Unit, Backend, float>(floats(parameters), floats(query), floats(keys));
        for (std::size_t j = 0; j < Unit::width; ++j) {
            // A sum of `history` products of floats: the rounding of each is about 1e-6 of its size.
            CHECK(static_cast<double>(found[j]) ==
                  doctest::Approx(expected[j]).epsilon(1e-5).scale(1.0 + static_cast<double>(history)));
        }
    };
    for (const std::size_t history : std::initializer_list<std::size_t>{0, 1, 2, 17, 100}) {
        check(std::type_identity<ActivationUnit<16, Sigmoid, 36>>{}, history);
        check(std::type_identity<ActivationUnit<5, Sigmoid, 7, 3>>{}, history);
        check(std::type_identity<ActivationUnit<1, Tanh, 1>>{}, history);
    }
}
TEST_CASE_TEMPLATE_APPLY(unit_backends, HostBackends);

TEST_CASE("PairFeatures: the same numbers for any number of threads") {
    using Layer = PairFeatures<3>;
    Matrix<float> x(600, 6);
    Matrix<float> dy(600, 12);
    Random random(4);
    for (Matrix<float>* matrix : {&x, &dy}) {
        for (std::size_t i = 0; i < matrix->rows(); ++i) {
            for (float& number : matrix->row(i)) {
                number = static_cast<float>(random.normal());
            }
        }
    }
    const auto run = [&](auto&& executor) {
        Matrix<float> y(600, 12);
        Matrix<float> dx(600, 6);
        Layer::forward<funnel::kernels::Scalar, float>({}, {}, {}, x, y.view(), {}, executor);
        Layer::backward<funnel::kernels::Scalar, float>({}, {}, x, y, dy, dx.view(), {}, {}, executor);
        std::vector<float> all;
        for (std::size_t i = 0; i < 600; ++i) {
            all.insert(all.end(), y.row(i).begin(), y.row(i).end());
            all.insert(all.end(), dx.row(i).begin(), dx.row(i).end());
        }
        return all;
    };
    CHECK(run(funnel::Threads(3)) == run(funnel::Serial{}));
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/kernels/backend.hpp>
#include <funnel/nn/layer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <vector>

namespace funnel::testing {

/// a * sin(start + n) for n = 0, 1, ...: the numbers of published vectors.
inline std::vector<double> sines(std::size_t count, double start, double a = 1.0) {
    std::vector<double> numbers(count);
    for (std::size_t n = 0; n < count; ++n) {
        numbers[n] = a * std::sin(start + static_cast<double>(n));
    }
    return numbers;
}

inline std::vector<double> joined(std::initializer_list<std::vector<double>> parts) {
    std::vector<double> all;
    for (const std::vector<double>& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

/// One layer in double with everything that it needs, for tests.
template <nn::Layer L>
struct LayerRun {
    std::size_t rows;
    std::vector<double> parameters = std::vector<double>(L::parameters);
    std::vector<double> statistics = std::vector<double>(L::statistics);
    std::vector<double> x = std::vector<double>(rows * L::in);
    std::vector<double> dy = std::vector<double>(rows * L::out);
    std::vector<double> y = std::vector<double>(rows * L::out);
    std::vector<double> dx = std::vector<double>(rows * L::in);
    std::vector<double> gradient = std::vector<double>(L::parameters);
    nn::Step step{};

    explicit LayerRun(std::size_t n) : rows(n) {
        Random random(5);
        L::template initialise<double>(parameters, statistics, random);
    }

    /// Random parameters, input and output gradient: nothing is 0 or 1.
    void randomise(std::uint64_t seed) {
        Random random(seed);
        for (std::vector<double>* numbers : {&parameters, &x, &dy}) {
            for (double& number : *numbers) {
                number = random.normal();
            }
        }
    }

    void forward() {
        std::vector<double> before = statistics;  // forward may change them, and is called many times
        memory_.assign(L::memory(rows), 0.0);
        Serial serial;
        L::template forward<kernels::Scalar, double>(step, std::span<const double>(parameters), std::span(before),
                                                     MatrixView<const double>(x, rows, L::in),
                                                     MatrixView<double>(y, rows, L::out), std::span(memory_), serial);
        updated_statistics = before;
    }

    void infer() {
        std::vector<double> scratch(L::scratch(rows));
        L::template infer<kernels::Scalar, double>(
            std::span<const double>(parameters), std::span<const double>(statistics),
            MatrixView<const double>(x, rows, L::in), MatrixView<double>(y, rows, L::out), std::span(scratch));
    }

    /// Needs forward() before it.
    void backward() {
        gradient.assign(L::parameters, 0.0);
        Serial serial;
        L::template backward<kernels::Scalar, double>(
            step, std::span<const double>(parameters), MatrixView<const double>(x, rows, L::in),
            MatrixView<const double>(y, rows, L::out), MatrixView<const double>(dy, rows, L::out),
            MatrixView<double>(dx, rows, L::in), std::span(gradient), std::span(memory_), serial);
    }

    /// sum of y * dy after a forward pass: its derivatives are dx and gradient.
    double projection() {
        forward();
        double sum = 0.0;
        for (std::size_t i = 0; i < y.size(); ++i) {
            sum += y[i] * dy[i];
        }
        return sum;
    }

    std::vector<double> updated_statistics;

private:
    std::vector<double> memory_;
};

/// Leaves a run as it is.
inline constexpr auto unchanged = [](auto&) {};

/// Sets the last number of each row, the length of its sequence, to 0, 1, ... Steps in turn. The half added is rounded
/// down, and keeps central differences away from the next whole number.
template <std::size_t Steps>
inline constexpr auto lengths = [](auto& run) {
    const std::size_t width = run.x.size() / run.rows;
    for (std::size_t i = 0; i < run.rows; ++i) {
        run.x[(i + 1) * width - 1] = static_cast<double>(i % (Steps + 1)) + 0.5;
    }
};

/// The largest difference between the gradients of a layer and central differences, relative to the largest gradient.
///
/// prepare: changes the random run, for example sets the lengths of sequences
template <nn::Layer L, class Prepare = decltype(unchanged)>
double gradient_error(std::size_t rows, std::uint64_t seed = 1, const Prepare& prepare = unchanged) {
    LayerRun<L> run(rows);
    run.randomise(seed);
    prepare(run);
    run.forward();
    run.backward();
    const std::vector<double> dx = run.dx;
    const std::vector<double> gradient = run.gradient;
    double largest = 1e-3;
    double error = 0.0;
    const auto compare = [&](std::vector<double>& inputs, const std::vector<double>& derivatives) {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            constexpr double h = 1e-5;
            const double before = inputs[i];
            inputs[i] = before + h;
            const double above = run.projection();
            inputs[i] = before - h;
            const double below = run.projection();
            inputs[i] = before;
            error = std::max(error, std::abs((above - below) / (2.0 * h) - derivatives[i]));
            largest = std::max(largest, std::abs(derivatives[i]));
        }
    };
    compare(run.x, dx);
    compare(run.parameters, gradient);
    return error / largest;
}

}  // namespace funnel::testing

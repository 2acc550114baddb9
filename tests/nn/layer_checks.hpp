// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include "nn/gradient_check.hpp"
#include "nn/loss_checks.hpp"
#include "support/backends.hpp"

#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/threads.hpp>
#include <funnel/nn/layer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel::testing {

/// Published vectors of long arrays: the first four numbers, the sum, and the sum of products with cos(n).
inline void check_long(std::span<const double> numbers, const std::vector<double>& first, double sum,
                       double with_cosines) {
    CHECK(are_close(numbers.first(first.size()), first, 1e-6));
    double total = 0.0;
    double product = 0.0;
    for (std::size_t n = 0; n < numbers.size(); ++n) {
        total += numbers[n];
        product += numbers[n] * std::cos(static_cast<double>(n));
    }
    CHECK(total == doctest::Approx(sum).epsilon(1e-5));
    CHECK(product == doctest::Approx(with_cosines).epsilon(1e-5));
}

/// In floats, on a backend, a layer gives outputs, statistics and gradients near those in double; the same bits for any
/// number of threads, whether dx is wanted or not; and in service, the rows one by one as all at once.
template <nn::Layer L, class Backend, class Prepare = decltype(unchanged)>
void check_floats(const Prepare& prepare = unchanged) {
    for (const std::size_t rows : {std::size_t{2}, std::size_t{600}}) {
        LayerRun<L> exact(rows);
        exact.randomise(8);
        prepare(exact);
        exact.forward();
        exact.backward();
        const auto floats = [](const std::vector<double>& numbers) {
            return std::vector<float>(numbers.begin(), numbers.end());
        };
        const std::vector<float> parameters = floats(exact.parameters);
        const std::vector<float> x = floats(exact.x);
        const std::vector<float> dy = floats(exact.dy);
        const auto run = [&](auto&& executor, bool is_wanted) {
            std::vector<float> statistics = floats(exact.statistics);
            std::vector<float> memory(L::memory(rows));
            std::vector<float> y(rows * L::out);
            std::vector<float> dx(rows * L::in);
            std::vector<float> gradient(L::parameters);
            const MatrixView<const float> input(x, rows, L::in);
            const MatrixView<float> output(y, rows, L::out);
            L::template forward<Backend, float>(exact.step, parameters, std::span(statistics), input, output,
                                                std::span(memory), executor);
            L::template backward<Backend, float>(exact.step, parameters, input, output,
                                                 MatrixView<const float>(dy, rows, L::out),
                                                 is_wanted ? MatrixView<float>(dx, rows, L::in) : MatrixView<float>(),
                                                 std::span(gradient), std::span(memory), executor);
            return std::vector<std::vector<float>>{y, statistics, gradient, dx};
        };
        const auto found = run(Serial{}, true);
        const auto is_near = [](const std::vector<float>& a, const std::vector<double>& b) {
            double largest = 1e-3;
            double error = 0.0;
            for (std::size_t i = 0; i < b.size(); ++i) {
                largest = std::max(largest, std::abs(b[i]));
                error = std::max(error, std::abs(static_cast<double>(a[i]) - b[i]));
            }
            return error <= 1e-4 * largest;
        };
        CHECK(is_near(found[0], exact.y));
        CHECK(is_near(found[1], exact.updated_statistics));
        CHECK(is_near(found[2], exact.gradient));
        CHECK(is_near(found[3], exact.dx));
        for (const std::size_t threads : {2U, 3U}) {
            CHECK(run(Threads(threads), true) == found);
        }
        CHECK(run(Serial{}, false)[2] == found[2]);

        const std::vector<float> statistics = floats(exact.statistics);
        const auto serve = [&](std::size_t begin, std::size_t count, std::vector<float>& y) {
            std::vector<float> scratch(L::scratch(count));
            L::template infer<Backend, float>(parameters, statistics,
                                              MatrixView<const float>(x, rows, L::in).rows_from(begin, count),
                                              MatrixView<float>(y, rows, L::out).rows_from(begin, count), scratch);
        };
        std::vector<float> together(rows * L::out);
        std::vector<float> apart(rows * L::out);
        serve(0, rows, together);
        for (std::size_t i = 0; i < rows; ++i) {
            serve(i, 1, apart);
        }
        CHECK(is_near(apart, std::vector<double>(together.begin(), together.end())));
        exact.infer();
        CHECK(is_near(together, exact.y));
    }
}

}  // namespace funnel::testing

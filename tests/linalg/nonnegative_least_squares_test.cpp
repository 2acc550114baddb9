// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/linalg/nonnegative_least_squares.hpp>

#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using funnel::Matrix;
using funnel::Random;
using funnel::linalg::improve_nonnegative;
namespace testing = funnel::testing;

namespace {

// M^T M and M^T y of random M (rows x d) and y.
struct Problem {
    Matrix<float> a;
    std::vector<float> b;

    Problem(std::size_t rows, std::size_t d, std::uint64_t seed) : a(d, d), b(d) {
        Random random(seed);
        std::vector<std::vector<double>> m(rows, std::vector<double>(d + 1));
        for (auto& row : m) {
            for (double& x : row) {
                x = random.normal();
            }
        }
        for (std::size_t i = 0; i < d; ++i) {
            for (std::size_t j = 0; j <= d; ++j) {
                double sum = 0.0;
                for (const auto& row : m) {
                    sum += row[i] * row[j];
                }
                (j == d ? b[i] : a(i, j)) = static_cast<float>(sum);
            }
        }
    }

    [[nodiscard]] double value(const std::vector<float>& x) const {
        double sum = 0.0;
        for (std::size_t i = 0; i < x.size(); ++i) {
            sum += x[i] * (0.5 * gradient(x, i) - 0.5 * double{b[i]});
        }
        return sum;
    }
    [[nodiscard]] double gradient(const std::vector<float>& x, std::size_t i) const {
        double sum = -double{b[i]};
        for (std::size_t j = 0; j < x.size(); ++j) {
            sum += double{a(i, j)} * double{x[j]};
        }
        return sum;
    }
};

}  // namespace

// A = [2 1; 1 2], b = (2, -2). From 0: x_0 = 2/2 = 1, then x_1 = max(0, (-2 - 1)/2) = 0. The gradient (0, 3) shows that
// this is the minimum: x_1 is at its bound and would raise the value.
TEST_CASE("improve_nonnegative: worked by hand") {
    Matrix<float> a(2, 2);
    a(0, 0) = a(1, 1) = 2.0F;
    a(0, 1) = a(1, 0) = 1.0F;
    const std::vector<float> b{2.0F, -2.0F};
    std::vector<float> x(2);
    CHECK(improve_nonnegative(a.view(), b, x, 100) == 2);  // the second pass changes nothing
    CHECK(x == std::vector<float>{1.0F, 0.0F});
    std::vector<float> other{0.0F, 3.0F};
    CHECK(improve_nonnegative(a.view(), b, other, 1) == 1);
    CHECK(other == std::vector<float>{0.0F, 0.0F});  // x_0 = (2 - 3)/2 < 0, then x_1 = -2/2 < 0
    CHECK(improve_nonnegative(a.view(), b, other, 0) == 0);
    CHECK(other == std::vector<float>{0.0F, 0.0F});
}

TEST_CASE_TEMPLATE_DEFINE("improve_nonnegative: reaches the conditions of Karush, Kuhn and Tucker", Backend, nnls_kkt) {
    for (const std::size_t d : {1U, 2U, 5U, 16U, 33U}) {
        const Problem problem(3 * d, d, d);
        std::vector<float> x(d);
        const std::size_t passes = improve_nonnegative<Backend>(problem.a.view(), problem.b, x, 10'000, 1e-6F);
        CHECK(passes < 10'000);
        std::size_t bound = 0;
        for (std::size_t i = 0; i < d; ++i) {
            const double slope = problem.gradient(x, i) / double{problem.a(i, i)};
            CHECK(x[i] >= 0.0F);
            CHECK(slope > -1e-5);
            CHECK(double{x[i]} * slope < 1e-5);
            bound += x[i] == 0.0F ? 1 : 0;
        }
        CHECK((d < 16 || (bound > 0 && bound < d)));
        // The problem is convex: every start leads to the same place.
        std::vector<float> from_above(d, 10.0F);
        improve_nonnegative<Backend>(problem.a.view(), problem.b, from_above, 10'000, 1e-6F);
        for (std::size_t i = 0; i < d; ++i) {
            CHECK(from_above[i] == doctest::Approx(x[i]).epsilon(1e-4).scale(1.0));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(nnls_kkt, testing::HostBackends);

TEST_CASE("improve_nonnegative: no pass raises the value") {
    const Problem problem(20, 12, 3);
    std::vector<float> x(12, 1.0F);
    double last = problem.value(x);
    for (int pass = 0; pass < 30; ++pass) {
        improve_nonnegative(problem.a.view(), problem.b, x, 1);
        CHECK(problem.value(x) <= last + 1e-5);  // rounding to float
        last = problem.value(x);
    }
}

TEST_CASE("improve_nonnegative: unknowns that nothing depends on keep their value, and nothing is a problem, too") {
    Matrix<float> a(2, 2);
    a(0, 0) = 2.0F;
    std::vector<float> x{5.0F, 7.0F};
    CHECK(improve_nonnegative(a.view(), std::vector<float>{2.0F, 0.0F}, x, 10) == 2);
    CHECK(x == std::vector<float>{1.0F, 7.0F});
    std::vector<float> none;
    CHECK(improve_nonnegative({}, none, none, 10) == 1);
}

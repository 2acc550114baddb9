// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/ldl.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::kernels::ldl_solve;
using funnel::kernels::ldl_update;
using namespace funnel::testing;

namespace {

// U^T D U and U^T D g in double, from the first d + 1 columns.
std::vector<double> product(MatrixView<const float> u, const std::vector<double>& inverse_diagonal) {
    const std::size_t d = u.rows();
    const auto element = [&](std::size_t k, std::size_t j) { return k == j ? 1.0 : static_cast<double>(u.row(k)[j]); };
    std::vector<double> a(d * (d + 1), 0.0);
    for (std::size_t i = 0; i < d; ++i) {
        for (std::size_t j = 0; j <= d; ++j) {
            for (std::size_t k = 0; k <= i && k <= j && k < d; ++k) {
                a[i * (d + 1) + j] += element(k, i) * element(k, j) / inverse_diagonal[k];
            }
        }
    }
    return a;
}

}  // namespace

// A = I, b = 0, then x = (1, 2) with r = 3: A = (2 2; 2 5), b = (3, 6).
// A = U^T D U: D_1 = 2, U_12 = 1, D_2 = 5 - 2 = 3; g = U^-T b / D: g_1 = 3/2, g_2 = (6 - 3) / 3 = 1.
// For x = (1, 0): y = U^-T x = (1, -1); y^T D^-1 y = 1/2 + 1/3; y^T g = 1/2.
TEST_CASE_TEMPLATE_DEFINE("ldl: worked by hand", Backend, ldl_by_hand) {
    Matrix<float> u(2, 3);
    std::vector<double> inverse_diagonal{1.0, 1.0};
    std::vector<float> x{1.0F, 2.0F, 3.0F};
    ldl_update<Backend>(u.view(), std::span(inverse_diagonal), std::span(x));
    CHECK(1.0 / inverse_diagonal[0] == doctest::Approx(2.0));
    CHECK(1.0 / inverse_diagonal[1] == doctest::Approx(3.0));
    CHECK(u(0, 1) == doctest::Approx(1.0));
    CHECK(u(0, 2) == doctest::Approx(1.5));
    CHECK(u(1, 2) == doctest::Approx(1.0));

    std::vector<float> z{1.0F, 0.0F, 0.0F};
    CHECK(ldl_solve<Backend>(MatrixView<const float>(u), inverse_diagonal, z) == doctest::Approx(5.0 / 6.0));
    CHECK(z[1] == doctest::Approx(-1.0));
    CHECK(z[2] == doctest::Approx(-0.5));
}
TEST_CASE_TEMPLATE_APPLY(ldl_by_hand, HostBackends);

// D = 0.001, y = 1000: t goes from 1 to 1 + 1e9, alpha = 1e-9, beta = 1e-3. U_12 = 1e-9 1e6 + 1e-3 0.5. In float,
// 1e6 + beta (0.5 - 1000 1e6) is wrong in the second digit after the point.
TEST_CASE_TEMPLATE_DEFINE("ldl: a row that is replaced does not cancel", Backend, ldl_replaced) {
    for (const std::size_t cols : {2U, 32U}) {
        Matrix<float> u(2, cols);
        u(0, 1) = 1e6F;
        std::vector<double> inverse_diagonal{1000.0, 1.0};
        std::vector<float> x(cols);
        x[0] = 1000.0F;
        x[1] = 0.5F;
        ldl_update<Backend>(u.view(), std::span(inverse_diagonal), std::span(x));
        CHECK(u(0, 1) == doctest::Approx(1.5e-3).epsilon(1e-5));
        CHECK(1.0 / inverse_diagonal[0] == doctest::Approx(0.001 + 1e6));
    }
}
TEST_CASE_TEMPLATE_APPLY(ldl_replaced, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("ldl: the factors of A and b for every size, and nothing beside them changes", Backend,
                          ldl_all) {
    for (std::size_t d = 1; d <= 50; ++d) {
        for (const std::size_t more : {1U, 2U, 14U, 17U}) {
            CAPTURE(d);
            CAPTURE(more);
            const std::size_t cols = d + more;
            const std::size_t stride = cols + 3;
            std::vector<float> memory(d * stride, 0.0F);
            for (std::size_t k = 0; k < d; ++k) {
                memory[k * stride + cols] = 7.0F;  // beyond the columns
            }
            const MatrixView<float> u{memory, d, cols, stride};
            std::vector<double> inverse_diagonal(d, 2.0);
            std::vector<double> expected(d * (d + 1), 0.0);
            for (std::size_t i = 0; i < d; ++i) {
                expected[i * (d + 1) + i] = 0.5;
            }
            for (std::size_t step = 0; step < 6; ++step) {
                auto x = normals(cols, 100 * d + step);
                for (std::size_t j = 0; j < cols; ++j) {
                    x[j] *= step == 3 ? 100.0F : 1.0F;  // rows are nearly replaced
                    if (j > d || (step == 4 && j + 2 < d)) {
                        x[j] = 0.0F;
                    }
                }
                for (std::size_t i = 0; i < d; ++i) {
                    for (std::size_t j = 0; j <= d; ++j) {
                        expected[i * (d + 1) + j] += static_cast<double>(x[i]) * static_cast<double>(x[j]);
                    }
                }
                ldl_update<Backend>(u, std::span(inverse_diagonal), std::span(x));
            }
            const auto found = product(u, inverse_diagonal);
            for (std::size_t i = 0; i < found.size(); ++i) {  // elements reach 1e5
                REQUIRE(std::abs(found[i] - expected[i]) < 0.1 + 1e-5 * std::abs(expected[i]));
            }
            for (std::size_t k = 0; k < d; ++k) {
                for (std::size_t j = 0; j < stride; ++j) {
                    const bool is_inside = j > k && j <= d;
                    REQUIRE((is_inside || memory[k * stride + j] == (j == cols ? 7.0F : 0.0F)));
                }
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(ldl_all, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("ldl: solves U^T y = x for every size", Backend, ldl_solves) {
    for (std::size_t d = 1; d <= 50; ++d) {
        for (const std::size_t more : {1U, 2U, 14U, 17U}) {
            CAPTURE(d);
            CAPTURE(more);
            Matrix<float> u(d, d + more);
            std::vector<double> inverse_diagonal(d);
            const auto elements = normals(d * (d + 1), d);
            for (std::size_t k = 0; k < d; ++k) {
                inverse_diagonal[k] = 1.0 + static_cast<double>(k);
                for (std::size_t j = k + 1; j <= d; ++j) {
                    u(k, j) = 0.2F * elements[k * (d + 1) + j];
                }
            }
            auto x = normals(d + more, d + 7);
            std::vector<double> y(x.begin(), x.end());
            double form = 0.0;
            for (std::size_t k = 0; k < d; ++k) {
                form += y[k] * y[k] * inverse_diagonal[k];
                for (std::size_t j = k + 1; j <= d; ++j) {
                    y[j] -= y[k] * static_cast<double>(u(k, j));
                }
            }
            CHECK(ldl_solve<Backend>(MatrixView<const float>(u), inverse_diagonal, x) ==
                  doctest::Approx(form).epsilon(1e-4));
            for (std::size_t j = 0; j < x.size(); ++j) {
                REQUIRE(std::abs(static_cast<double>(x[j]) - y[j]) < 1e-3 * (1.0 + std::abs(y[j])));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(ldl_solves, HostBackends);

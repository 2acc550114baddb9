// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/wide_dot.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

using funnel::kernels::wide_dot;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("wide_dot: rounds as double does, for floats and doubles of any length", Backend,
                          wide_dot_all) {
    for (const std::size_t n : lengths()) {
        const auto a = normals(n, 1);
        const auto b = normals(n, 2);
        const std::vector<double> wide_a(a.begin(), a.end());
        const std::vector<double> wide_b(b.begin(), b.end());
        long double expected = 0.0L;
        long double magnitude = 0.0L;
        for (std::size_t i = 0; i < n; ++i) {
            expected += static_cast<long double>(a[i]) * static_cast<long double>(b[i]);
            magnitude += std::fabs(static_cast<long double>(a[i]) * static_cast<long double>(b[i]));
        }
        const double bound = static_cast<double>(n + 1) * 0x1p-53 * static_cast<double>(magnitude);
        CAPTURE(n);
        const std::span<const float> narrow_a(a);
        const std::span<const float> narrow_b(b);
        const std::span<const double> x(wide_a);
        const std::span<const double> y(wide_b);
        CHECK(std::fabs(wide_dot<Backend>(narrow_a, narrow_b) - static_cast<double>(expected)) <= bound);
        CHECK(std::fabs(wide_dot<Backend>(x, narrow_b) - static_cast<double>(expected)) <= bound);
        CHECK(std::fabs(wide_dot<Backend>(x, y) - static_cast<double>(expected)) <= bound);
    }
}
TEST_CASE_TEMPLATE_APPLY(wide_dot_all, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("row_lengths: the square roots of wide_dot, to the bit, for any shape", Backend,
                          row_lengths_all) {
    for (const std::size_t d : lengths()) {
        for (const std::size_t n : {0U, 1U, 3U, 8U, 17U}) {
            CAPTURE(d);
            CAPTURE(n);
            const auto elements = normals(n * (d + 1), 1);
            const std::size_t used = n > 0 ? n * (d + 1) - 1 : 0;
            const funnel::MatrixView<const float> rows(std::span<const float>(elements).first(used), n, d, d + 1);
            std::vector<double> out(n);
            funnel::kernels::row_lengths<Backend>(rows, out);
            for (std::size_t i = 0; i < n; ++i) {
                CHECK(out[i] == std::sqrt(wide_dot<Backend>(rows.row(i), rows.row(i))));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(row_lengths_all, HostBackends);

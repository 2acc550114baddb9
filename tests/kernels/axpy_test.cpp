// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/axpy.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

using funnel::kernels::axpy;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("axpy: worked by hand", Backend, axpy_by_hand) {
    const std::vector<float> x{1.0F, -2.0F};
    std::vector<float> y{10.0F, 20.0F};
    axpy<Backend>(3.0F, x, y);
    CHECK(y == std::vector<float>{13.0F, 14.0F});
}
TEST_CASE_TEMPLATE_APPLY(axpy_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("axpy: exact on small whole numbers, and nothing written around", Backend, axpy_exact) {
    for (const std::size_t n : lengths()) {
        const auto x = small_integers(n, 1);
        auto y = small_integers(n + 2, 2);
        auto expected = y;
        for (std::size_t i = 0; i < n; ++i) {
            expected[i + 1] += -3.0F * x[i];
        }
        axpy<Backend>(-3.0F, x, std::span<float>(y).subspan(1, n));
        CAPTURE(n);
        CHECK(y == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(axpy_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("axpy: a vector may be added to itself", Backend, axpy_itself) {
    auto x = small_integers(37, 1);
    auto expected = x;
    for (float& element : expected) {
        element *= 3.0F;
    }
    axpy<Backend>(2.0F, x, x);
    CHECK(x == expected);
}
TEST_CASE_TEMPLATE_APPLY(axpy_itself, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("axpy: the same bits wherever the vectors lie", Backend, axpy_alignment) {
    for (const std::size_t n : {17U, 61U, 128U, 256U, 300U, 1000U}) {
        const auto x = normals(n, 1);
        const auto y = normals(n, 2);
        auto expected = y;
        axpy<Backend>(0.1F, x, expected);
        for (std::size_t offset = 0; offset < 17; ++offset) {
            std::vector<float> around(n + 33, 7.0F);
            const auto window = std::span<float>(around).subspan(offset, n);
            std::copy(y.begin(), y.end(), window.begin());
            axpy<Backend>(0.1F, x, window);
            CAPTURE(n);
            CAPTURE(offset);
            CHECK(std::equal(window.begin(), window.end(), expected.begin()));
            CHECK(std::count(around.begin(), around.end(), 7.0F) == 33);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(axpy_alignment, HostBackends);

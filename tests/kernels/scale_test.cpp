// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/scale.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

using funnel::kernels::scale;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("scale: worked by hand", Backend, scale_by_hand) {
    std::vector<float> x{1.0F, -2.0F, 0.5F};
    scale<Backend>(4.0F, x);
    CHECK(x == std::vector<float>{4.0F, -8.0F, 2.0F});
}
TEST_CASE_TEMPLATE_APPLY(scale_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("scale: every element once, for every length, and nothing around", Backend, scale_all) {
    for (const std::size_t n : lengths()) {
        auto x = normals(n + 2, n);
        auto expected = x;
        for (std::size_t i = 1; i <= n; ++i) {
            expected[i] = 0.3F * expected[i];  // one rounding: the same everywhere
        }
        scale<Backend>(0.3F, std::span<float>(x).subspan(1, n));
        CAPTURE(n);
        CHECK(x == expected);
    }
}
TEST_CASE_TEMPLATE_APPLY(scale_all, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("scale: each element once, wherever the vector lies", Backend, scale_alignment) {
    for (const std::size_t n : {61U, 128U, 256U, 300U, 1000U}) {
        for (std::size_t offset = 0; offset < 17; ++offset) {
            std::vector<float> around(n + 33, 1.0F);
            scale<Backend>(3.0F, std::span<float>(around).subspan(offset, n));
            std::vector<float> expected(n + 33, 1.0F);
            std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(offset), n, 3.0F);
            CAPTURE(n);
            CAPTURE(offset);
            CHECK(around == expected);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(scale_alignment, HostBackends);

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/reduce.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using funnel::kernels::argmax;
using funnel::kernels::max;
using funnel::kernels::sum;
using namespace funnel::testing;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("reduce: worked by hand", Backend, reduce_by_hand) {
    const std::vector<float> x{2.0F, -1.0F, 5.0F, 5.0F, 3.0F};
    CHECK(sum<Backend>(x) == 14.0F);
    CHECK(max<Backend>(x) == 5.0F);
    CHECK(argmax<Backend>(x) == 2);
}
TEST_CASE_TEMPLATE_APPLY(reduce_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("reduce: exact on small whole numbers, for every length", Backend, reduce_exact) {
    for (const std::size_t n : lengths()) {
        const auto x = small_integers(n, n);
        std::int64_t total = 0;
        for (const float element : x) {
            total += static_cast<std::int64_t>(element);
        }
        CAPTURE(n);
        CHECK(sum<Backend>(x) == static_cast<float>(total));
        if (n > 0) {
            const auto first_largest = std::max_element(x.begin(), x.end());
            CHECK(max<Backend>(x) == *first_largest);
            CHECK(argmax<Backend>(x) == static_cast<std::size_t>(first_largest - x.begin()));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(reduce_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("sum: as near to a sum in double as rounding allows", Backend, sum_rounding) {
    for (const std::size_t n : lengths()) {
        const auto x = normals(n, n);
        double total = 0.0;
        double magnitude = 0.0;
        for (const float element : x) {
            total += double{element};
            magnitude += std::abs(double{element});
        }
        CAPTURE(n);
        CHECK(std::abs(double{sum<Backend>(x)} - total) <= static_cast<double>(n) * unit_roundoff * magnitude * 1.01);
    }
}
TEST_CASE_TEMPLATE_APPLY(sum_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("max, argmax: find the largest wherever it stands", Backend, max_everywhere) {
    for (const std::size_t n : {1U, 5U, 16U, 35U, 67U, 131U}) {
        for (std::size_t at = 0; at < n; ++at) {
            std::vector<float> x(n, -3.0F);
            x[at] = -2.0F;
            CAPTURE(n);
            CAPTURE(at);
            CHECK(max<Backend>(x) == -2.0F);
            CHECK(argmax<Backend>(x) == at);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(max_everywhere, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("argmax: ties go to the smaller position", Backend, argmax_ties) {
    for (std::size_t n = 2; n <= 70; ++n) {
        CHECK(argmax<Backend>(std::vector<float>(n, 1.0F)) == 0);
        CHECK(argmax<Backend>(std::vector<float>(n, -infinity)) == 0);
        std::vector<float> x(n, 0.0F);
        x[n / 2] = x[n - 1] = 1.0F;
        CHECK(argmax<Backend>(x) == n / 2);
    }
}
TEST_CASE_TEMPLATE_APPLY(argmax_ties, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("reduce: no elements, and infinite ones", Backend, reduce_edges) {
    const std::vector<float> nothing;
    CHECK(sum<Backend>(nothing) == 0.0F);
    CHECK(max<Backend>(nothing) == -infinity);
    CHECK(argmax<Backend>(nothing) == 0);
    std::vector<float> x(20, -infinity);
    CHECK(max<Backend>(x) == -infinity);
    x[17] = infinity;
    CHECK(max<Backend>(x) == infinity);
    CHECK(argmax<Backend>(x) == 17);
}
TEST_CASE_TEMPLATE_APPLY(reduce_edges, HostBackends);

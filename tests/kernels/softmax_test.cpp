// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/softmax.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::kernels::log_sum_exp;
using funnel::kernels::softmax;
using namespace funnel::testing;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

template <class Backend>
std::vector<float> softmax_of(const std::vector<float>& x) {
    std::vector<float> out(x.size(), 99.0F);
    softmax<Backend>(x, out);
    return out;
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("softmax: worked by hand", Backend, softmax_by_hand) {
    // exp(log 1), exp(log 2), exp(log 5): 1/8, 2/8, 5/8.
    const std::vector<float> x{0.0F, std::log(2.0F), std::log(5.0F)};
    const auto p = softmax_of<Backend>(x);
    CHECK(p[0] == Approx(0.125).epsilon(1.0e-6));
    CHECK(p[1] == Approx(0.25).epsilon(1.0e-6));
    CHECK(p[2] == Approx(0.625).epsilon(1.0e-6));
    CHECK(log_sum_exp<Backend>(x) == Approx(std::log(8.0)).epsilon(1.0e-6));
}
TEST_CASE_TEMPLATE_APPLY(softmax_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("softmax: as near to the formula in double as rounding allows", Backend, softmax_rounding) {
    for (const std::size_t n : lengths()) {
        auto x = normals(n, n);
        for (float& element : x) {
            element *= 5.0F;
        }
        const float largest = n == 0 ? 0.0F : *std::max_element(x.begin(), x.end());
        double total = 0.0;
        for (const float element : x) {
            total += std::exp(double{element} - double{largest});
        }
        const auto p = softmax_of<Backend>(x);
        auto in_place = x;
        softmax<Backend>(in_place);
        CHECK(in_place == p);

        CAPTURE(n);
        for (std::size_t i = 0; i < n; ++i) {
            const double shifted = double{x[i]} - double{largest};
            const double expected = std::exp(shifted) / total;
            // The shift is rounded, up to |shifted| + 40 of it in the sum; exp is off by up to two units; n additions.
            const double bound = (std::abs(shifted) + 40.0 + static_cast<double>(n) + 10.0) * unit_roundoff * expected;
            CHECK(std::abs(double{p[i]} - expected) <= bound);
        }
        if (n > 0) {
            CHECK(std::abs(double{log_sum_exp<Backend>(x)} - (double{largest} + std::log(total))) <=
                  (static_cast<double>(n) + 60.0) * unit_roundoff);
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(softmax_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("softmax: equal scores share alike, whatever their size", Backend, softmax_equal) {
    for (const std::size_t n : {1U, 2U, 4U, 16U, 19U, 64U}) {
        for (const float score : {0.0F, 1.0e30F, -1.0e30F, -infinity}) {
            const auto p = softmax_of<Backend>(std::vector<float>(n, score));
            CAPTURE(n);
            CAPTURE(score);
            for (const float share : p) {
                CHECK(share == 1.0F / static_cast<float>(n));
            }
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(softmax_equal, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("softmax: huge scores, minus infinity, no scores", Backend, softmax_edges) {
    for (const std::size_t n : {2U, 16U, 37U}) {
        std::vector<float> x(n, -infinity);
        x[n / 2] = 3.0e38F;
        auto p = softmax_of<Backend>(x);
        for (std::size_t i = 0; i < n; ++i) {
            CHECK(p[i] == (i == n / 2 ? 1.0F : 0.0F));
        }
        CHECK(log_sum_exp<Backend>(x) == 3.0e38F);

        x.assign(n, -3.0e38F);
        x[0] = 3.0e38F;
        p = softmax_of<Backend>(x);
        CHECK(p[0] == 1.0F);
        CHECK(p[1] == 0.0F);

        x.assign(n, -200.0F);
        x[n - 1] = 0.0F;
        CHECK(softmax_of<Backend>(x)[n - 1] == 1.0F);
    }
    CHECK(softmax_of<Backend>({}).empty());
}
TEST_CASE_TEMPLATE_APPLY(softmax_edges, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("log_sum_exp: nothing and the infinities", Backend, log_sum_exp_edges) {
    CHECK(log_sum_exp<Backend>(std::vector<float>{}) == -infinity);
    for (const std::size_t n : {1U, 16U, 37U}) {
        std::vector<float> x(n, -infinity);
        CHECK(log_sum_exp<Backend>(x) == -infinity);
        x[n / 2] = infinity;
        CHECK(log_sum_exp<Backend>(x) == infinity);
        x.assign(n, -infinity);
        x[n - 1] = 7.5F;
        CHECK(log_sum_exp<Backend>(x) == 7.5F);
    }
    CHECK(log_sum_exp<Backend>(std::vector<float>{-1000.0F, -1000.0F}) == Approx(-1000.0 + std::log(2.0)));
}
TEST_CASE_TEMPLATE_APPLY(log_sum_exp_edges, HostBackends);

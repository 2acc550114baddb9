// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/sgd_steps.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <span>
#include <vector>

using funnel::kernels::sgd_pair_step;
using funnel::kernels::sgd_step;
using namespace funnel::testing;

TEST_CASE_TEMPLATE_DEFINE("sgd_step: worked by hand", Backend, sgd_step_by_hand) {
    std::vector<float> u{1.0F, 2.0F};
    std::vector<float> a{3.0F, -4.0F};
    sgd_step<Backend>(2.0F, 0.5F, u, a);
    CHECK(u == std::vector<float>{6.5F, -7.0F});  // u / 2 + 2 a
    CHECK(a == std::vector<float>{3.5F, 2.0F});   // a / 2 + 2 u, of the old u
}
TEST_CASE_TEMPLATE_APPLY(sgd_step_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("sgd steps: exact on small whole numbers, and nothing written around", Backend, sgd_exact) {
    for (const std::size_t n : lengths()) {
        const auto u = small_integers(n + 2, 1);
        const auto a = small_integers(n + 2, 2);
        const auto b = small_integers(n + 2, 3);
        const auto inner = [n](std::vector<float>& x) { return std::span<float>(x).subspan(1, n); };
        auto pair_u = u;
        auto pair_a = a;
        auto pair_b = b;
        auto one_u = u;
        auto one_a = a;
        for (std::size_t i = 1; i <= n; ++i) {
            pair_u[i] = 2.0F * u[i] - 3.0F * (a[i] - b[i]);
            pair_a[i] = 2.0F * a[i] - 3.0F * u[i];
            pair_b[i] = 2.0F * b[i] + 3.0F * u[i];
            one_u[i] = 2.0F * u[i] - 3.0F * a[i];
            one_a[i] = 2.0F * a[i] - 3.0F * u[i];
        }
        CAPTURE(n);
        auto got_u = u;
        auto got_a = a;
        auto got_b = b;
        sgd_pair_step<Backend>(-3.0F, 2.0F, inner(got_u), inner(got_a), inner(got_b));
        CHECK(got_u == pair_u);
        CHECK(got_a == pair_a);
        CHECK(got_b == pair_b);
        got_u = u;
        got_a = a;
        sgd_step<Backend>(-3.0F, 2.0F, inner(got_u), inner(got_a));
        CHECK(got_u == one_u);
        CHECK(got_a == one_a);
    }
}
TEST_CASE_TEMPLATE_APPLY(sgd_exact, HostBackends);

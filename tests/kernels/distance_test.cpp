// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/distance.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

using funnel::kernels::cosine;
using funnel::kernels::squared_l2;
using namespace funnel::testing;

namespace {

std::int64_t exact_squared_l2(const std::vector<float>& a, const std::vector<float>& b) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto difference = static_cast<std::int64_t>(a[i]) - static_cast<std::int64_t>(b[i]);
        sum += difference * difference;
    }
    return sum;
}

double exact_cosine(const std::vector<float>& a, const std::vector<float>& b) {
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        ab += double{a[i]} * double{b[i]};
        aa += double{a[i]} * double{a[i]};
        bb += double{b[i]} * double{b[i]};
    }
    return aa == 0.0 || bb == 0.0 ? 0.0 : ab / std::sqrt(aa * bb);
}

template <class Backend, std::size_t Dim>
void check_fixed() {
    const auto a = small_integers(Dim, 1);
    const auto b = small_integers(Dim, 2);
    const std::span<const float, Dim> fixed_a(a.data(), Dim);
    const std::span<const float, Dim> fixed_b(b.data(), Dim);
    CAPTURE(Dim);
    CHECK(squared_l2<Backend>(fixed_a, fixed_b) == static_cast<float>(exact_squared_l2(a, b)));
    CHECK(cosine<Backend>(fixed_a, fixed_b) == cosine<Backend>(a, b));  // from three sums that are exact
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("distance: worked by hand", Backend, distance_by_hand) {
    const std::vector<float> a{3.0F, 4.0F};
    const std::vector<float> b{4.0F, -3.0F};
    const std::vector<float> c{6.0F, 8.0F};
    CHECK(squared_l2<Backend>(a, b) == 50.0F);  // 1 + 49
    CHECK(squared_l2<Backend>(a, a) == 0.0F);
    CHECK(cosine<Backend>(a, b) == 0.0F);  // 12 - 12
    CHECK(cosine<Backend>(a, c) == 1.0F);  // 50 / (5 * 10)
    CHECK(cosine<Backend>(b, a) == 0.0F);
    CHECK(cosine<Backend>(a, std::vector<float>{-3.0F, -4.0F}) == -1.0F);
    CHECK(cosine<Backend>(a, std::vector<float>{1.0F, 0.0F}) == 0.6F);  // 3 / (5 * 1)
}
TEST_CASE_TEMPLATE_APPLY(distance_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("squared_l2: exact on small whole numbers, for every length", Backend, l2_exact) {
    for (const std::size_t n : lengths()) {
        const auto a = small_integers(n, 2 * n);
        const auto b = small_integers(n, 2 * n + 1);
        CAPTURE(n);
        CHECK(squared_l2<Backend>(a, b) == static_cast<float>(exact_squared_l2(a, b)));
    }
}
TEST_CASE_TEMPLATE_APPLY(l2_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("squared_l2: as near to a sum in double as rounding allows", Backend, l2_rounding) {
    for (const std::size_t n : lengths()) {
        const auto a = normals(n, 2 * n);
        const auto b = normals(n, 2 * n + 1);
        double sum = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
        }
        CAPTURE(n);
        // A difference is rounded once and counts twice; then at most n roundings of products and sums.
        CHECK(std::abs(double{squared_l2<Backend>(a, b)} - sum) <=
              (static_cast<double>(n) + 2.0) * unit_roundoff * sum * 1.01);
    }
}
TEST_CASE_TEMPLATE_APPLY(l2_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("cosine: as near to the formula in double as rounding allows", Backend, cosine_rounding) {
    for (const std::size_t n : lengths()) {
        const auto a = normals(n, 2 * n);
        const auto b = normals(n, 2 * n + 1);
        CAPTURE(n);
        // n roundings in each sum, two of which come in through a root, and five of the formula.
        CHECK(std::abs(double{cosine<Backend>(a, b)} - exact_cosine(a, b)) <=
              (2.0 * static_cast<double>(n) + 5.0) * unit_roundoff * 1.01);
    }
}
TEST_CASE_TEMPLATE_APPLY(cosine_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("distance: a length known to the compiler changes nothing", Backend, distance_fixed) {
    // Around one batch and four of 4, 8 and 16 lanes, and past them, with and without a rest.
    [&]<std::size_t... Dim>(std::index_sequence<Dim...>) {
        (check_fixed<Backend, Dim>(), ...);
    }(std::index_sequence<0, 1, 3, 4, 8, 15, 17, 33, 79, 100, 128>{});
}
TEST_CASE_TEMPLATE_APPLY(distance_fixed, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("cosine: 0 if a vector is zero or empty, and no overflow of lengths", Backend, cosine_edges) {
    for (const std::size_t n : {1U, 7U, 40U}) {
        const std::vector<float> zero(n, 0.0F);
        const std::vector<float> large(n, 1.0e18F);
        const std::vector<float> small(n, 1.0e-12F);
        CHECK(cosine<Backend>(zero, large) == 0.0F);
        CHECK(cosine<Backend>(large, zero) == 0.0F);
        CHECK(cosine<Backend>(zero, zero) == 0.0F);
        CHECK(cosine<Backend>(large, large) == doctest::Approx(1.0).epsilon(1.0e-6));  // (2 n + 5) roundings
        CHECK(cosine<Backend>(large, small) == doctest::Approx(1.0).epsilon(1.0e-6));
    }
    CHECK(cosine<Backend>(std::vector<float>{}, std::vector<float>{}) == 0.0F);
    CHECK(squared_l2<Backend>(std::vector<float>{}, std::vector<float>{}) == 0.0F);
}
TEST_CASE_TEMPLATE_APPLY(cosine_edges, HostBackends);

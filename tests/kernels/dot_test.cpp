// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/kernels/dot.hpp>

#include "kernels/inputs.hpp"
#include "support/backends.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

using funnel::kernels::dot;
using namespace funnel::testing;

namespace {

std::int64_t exact_dot(const std::vector<float>& a, const std::vector<float>& b) {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        sum += static_cast<std::int64_t>(a[i]) * static_cast<std::int64_t>(b[i]);
    }
    return sum;
}

template <class Backend, std::size_t Dim>
void check_fixed() {
    const auto a = small_integers(Dim, 1);
    const auto b = small_integers(Dim, 2);
    CAPTURE(Dim);
    CHECK(dot<Backend>(std::span<const float, Dim>(a.data(), Dim), std::span<const float, Dim>(b.data(), Dim)) ==
          static_cast<float>(exact_dot(a, b)));
}

namespace user {

struct Loud : funnel::kernels::Scalar {};

float dot(Loud, std::span<const float>, std::span<const float>) {
    return 1234.0F;
}

// On top of the default backend, which may have kernels for lengths known to the compiler.
struct Louder : funnel::kernels::DefaultBackend {};

float dot(Louder, std::span<const float>, std::span<const float>) {
    return 5678.0F;
}

}  // namespace user

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("dot: worked by hand", Backend, dot_by_hand) {
    const std::vector<float> a{1.0F, 2.0F, 3.0F};
    const std::vector<float> b{4.0F, -5.0F, 6.0F};
    CHECK(dot<Backend>(a, b) == 12.0F);  // 4 - 10 + 18
}
TEST_CASE_TEMPLATE_APPLY(dot_by_hand, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("dot: exact on small whole numbers, for every length", Backend, dot_exact) {
    for (const std::size_t n : lengths()) {
        const auto a = small_integers(n, 2 * n);
        const auto b = small_integers(n, 2 * n + 1);
        CAPTURE(n);
        CHECK(dot<Backend>(a, b) == static_cast<float>(exact_dot(a, b)));
    }
}
TEST_CASE_TEMPLATE_APPLY(dot_exact, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("dot: as near to a sum in double as rounding allows", Backend, dot_rounding) {
    for (const std::size_t n : lengths()) {
        const auto a = normals(n, 2 * n);
        const auto b = normals(n, 2 * n + 1);
        double sum = 0.0;
        double magnitude = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            sum += double{a[i]} * double{b[i]};
            magnitude += std::abs(double{a[i]} * double{b[i]});
        }
        CAPTURE(n);
        CHECK(std::abs(double{dot<Backend>(a, b)} - sum) <= static_cast<double>(n) * unit_roundoff * magnitude * 1.01);
    }
}
TEST_CASE_TEMPLATE_APPLY(dot_rounding, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("dot: a length known to the compiler changes nothing", Backend, dot_fixed) {
    // Around one batch and four of 4, 8 and 16 lanes, and past them, with and without a rest.
    [&]<std::size_t... Dim>(std::index_sequence<Dim...>) {
        (check_fixed<Backend, Dim>(), ...);
    }(std::index_sequence<0, 1, 3, 4, 5, 8, 12, 15, 16, 17, 20, 31, 33, 48, 64, 79, 100, 128, 200>{});
}
TEST_CASE_TEMPLATE_APPLY(dot_fixed, HostBackends);

TEST_CASE_TEMPLATE_DEFINE("dot: windows need no alignment, and nothing outside them counts", Backend, dot_windows) {
    std::vector<float> padded(80, 1.0e30F);
    for (std::size_t offset = 1; offset < 17; ++offset) {
        for (const std::size_t n : {0U, 1U, 5U, 15U, 16U, 33U, 61U}) {
            std::vector<float> around = padded;
            std::fill_n(around.begin() + static_cast<std::ptrdiff_t>(offset), n, 1.0F);
            const auto window = std::span<const float>(around).subspan(offset, n);
            CHECK(dot<Backend>(window, window) == static_cast<float>(n));
        }
    }
}
TEST_CASE_TEMPLATE_APPLY(dot_windows, HostBackends);

TEST_CASE("dot: of constants is a constant in the Scalar backend") {
    static constexpr std::array a{1.0F, 2.0F};
    static_assert(dot<funnel::kernels::Scalar>(std::span<const float>(a), std::span<const float>(a)) == 5.0F);
    static_assert(dot<funnel::kernels::Scalar, 2>(a, a) == 5.0F);
}

TEST_CASE("dot: finds the kernel of a user's backend") {
    const std::array a{1.0F, 2.0F};
    CHECK(dot<user::Loud>(a, a) == 1234.0F);
    CHECK(dot<user::Loud, 2>(a, a) == 1234.0F);
    CHECK(dot<user::Louder>(a, a) == 5678.0F);
    CHECK(dot<user::Louder, 2>(a, a) == 5678.0F);
}

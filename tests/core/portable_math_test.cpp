// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/portable_math.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>

using funnel::Random;
using funnel::detail::portable_exp;

TEST_CASE("portable_exp: agrees with the library's function to the last bits") {
    Random random(6);
    for (int i = 0; i < 20'000; ++i) {
        const double x = (random.uniform() - 0.5) * (i % 2 == 0 ? 4.0 : 1400.0);
        const double exact = std::exp(x);
        CAPTURE(x);
        CHECK(std::abs(portable_exp(x) - exact) <= 4e-16 * exact);
    }
}

TEST_CASE("portable_exp: gives the same bits on every machine") {
    std::uint64_t hash = 14695981039346656037U;  // FNV-1a, by whole numbers
    for (int i = -11'200; i <= 11'200; ++i) {
        hash = (hash ^ std::bit_cast<std::uint64_t>(portable_exp(i / 16.0))) * 1099511628211U;
    }
    CHECK(hash == 3844945722724919340U);
}

TEST_CASE("portable_exp: known values") {
    CHECK(portable_exp(0.0) == 1.0);
    CHECK(portable_exp(1.0) == doctest::Approx(2.718281828459045).epsilon(1e-15));
    CHECK(portable_exp(700.0) == doctest::Approx(std::exp(700.0)).epsilon(1e-15));
    CHECK(portable_exp(-700.0) > 0.0);
    CHECK(portable_exp(-701.0) == 0.0);
    CHECK(portable_exp(-INFINITY) == 0.0);
}

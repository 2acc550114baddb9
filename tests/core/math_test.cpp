// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/math.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <span>
#include <vector>

#include <doctest/doctest.h>

namespace {

namespace math = funnel::math;

template <class T>
constexpr T infinity = std::numeric_limits<T>::infinity();
template <class T>
constexpr T nan = std::numeric_limits<T>::quiet_NaN();
template <class T>
constexpr T largest = std::numeric_limits<T>::max();
template <class T>
constexpr T smallest = std::numeric_limits<T>::denorm_min();

TEST_CASE_TEMPLATE("math: knows what is finite, infinite and not a number", T, float, double) {
    for (const T x : {T{0}, -T{0}, T{1}, T{-1}, largest<T>, -largest<T>, smallest<T>, -smallest<T>}) {
        CHECK(math::is_finite(x));
        CHECK_FALSE(math::is_nan(x));
    }
    for (const T x : {infinity<T>, -infinity<T>}) {
        CHECK_FALSE(math::is_finite(x));
        CHECK_FALSE(math::is_nan(x));
    }
    for (const T x : {nan<T>, -nan<T>, std::numeric_limits<T>::signaling_NaN()}) {
        CHECK_FALSE(math::is_finite(x));
        CHECK(math::is_nan(x));
    }
}

TEST_CASE_TEMPLATE("math: tells infinity from the largest number and from NaN", T, float, double) {
    CHECK(math::is_inf(infinity<T>));
    CHECK(math::is_inf(-infinity<T>));
    CHECK_FALSE(math::is_inf(largest<T>));
    CHECK_FALSE(math::is_inf(-largest<T>));
    CHECK_FALSE(math::is_inf(nan<T>));
    CHECK_FALSE(math::is_inf(T{0}));
}

TEST_CASE("math: a NaN is one whatever its payload, from the smallest on") {
    for (const std::uint32_t sign : {0U, 1U}) {
        for (const std::uint32_t payload : {1U, 2U, 0x40'0000U, 0x7F'FFFFU}) {
            const auto x = std::bit_cast<float>(sign << 31 | 0x7F80'0000U | payload);
            CHECK(math::is_nan(x));
            CHECK_FALSE(math::is_finite(x));
            CHECK_FALSE(math::is_inf(x));
        }
        for (const std::uint64_t payload : {1ULL, 2ULL, 0xFFFF'FFFFULL, 0xF'FFFF'FFFF'FFFFULL}) {
            const auto x = std::bit_cast<double>(std::uint64_t{sign} << 63 | 0x7FF0'0000'0000'0000U | payload);
            CHECK(math::is_nan(x));
            CHECK_FALSE(math::is_finite(x));
            CHECK_FALSE(math::is_inf(x));
        }
    }
}

TEST_CASE("math: gives the bits that the standard library gives") {
    for (const double x : {0.0, 0.25, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 10.0, 123.456, 1e-300, 1e10}) {
        const auto f = static_cast<float>(x);
        CHECK(math::abs(-x) == std::abs(-x));
        CHECK(math::abs(-f) == std::abs(-f));
        CHECK(math::floor(-x) == std::floor(-x));
        CHECK(math::round(-x) == std::round(-x));
        CHECK(math::sqrt(x) == std::sqrt(x));
        CHECK(math::sqrt(f) == std::sqrt(f));
        CHECK(math::exp(-x) == std::exp(-x));
        CHECK(math::exp(-f) == std::exp(-f));
        CHECK(math::exp2(-x) == std::exp2(-x));
        CHECK(math::log(f) == std::log(f));
        CHECK(math::log2(x) == std::log2(x));
        CHECK(math::pow(x, 0.3) == std::pow(x, 0.3));
        CHECK(math::fma(x, x, -1.0) == std::fma(x, x, -1.0));
    }
    CHECK(math::fma(0.1, 10.0, -1.0) == 0x1p-54);  // 0 if the product is rounded first
}

}  // namespace

TEST_CASE("math: sums and products of sizes stop at the largest size") {
    constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
    CHECK(math::saturating_add(2, 3) == 5);
    CHECK(math::saturating_add(most - 3, 2) == most - 1);
    CHECK(math::saturating_add(most - 3, 3) == most);
    CHECK(math::saturating_add(most - 3, 4) == most);
    CHECK(math::saturating_add(most, most) == most);
    CHECK(math::saturating_multiply(0, most) == 0);
    CHECK(math::saturating_multiply(most, 0) == 0);
    CHECK(math::saturating_multiply(most / 3, 3) == most / 3 * 3);
    CHECK(math::saturating_multiply(2, most / 2) == most - 1);
    CHECK(math::saturating_multiply(most / 3 + 1, 3) == most);
    CHECK(math::saturating_multiply(most, most) == most);
}

TEST_CASE("math: all_finite finds a NaN or an infinity in any place") {
    const auto check = []<class T>(T /*zero*/) {
        CHECK(funnel::math::all_finite(std::span<const T>()));
        std::vector<T> numbers(9, std::numeric_limits<T>::max());
        CHECK(funnel::math::all_finite(numbers));
        for (T& number : numbers) {
            for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                                -std::numeric_limits<T>::infinity()}) {
                number = bad;
                CHECK_FALSE(funnel::math::all_finite(numbers));
            }
            number = T{0};
        }
        CHECK(funnel::math::all_finite(numbers));
    };
    check(0.0F);
    check(0.0);
}

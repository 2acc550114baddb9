// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/decimal.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <clocale>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <string>

using funnel::data::detail::decimal_by_c_library;
using funnel::data::detail::is_decimal;
using funnel::data::detail::parse_decimal;

TEST_CASE("parse_decimal: finite numbers from end to end") {
    CHECK(parse_decimal<float>("3.5") == 3.5F);
    CHECK(parse_decimal<double>("-1e3") == -1000.0);
    CHECK(parse_decimal<double>(".5") == 0.5);
    CHECK(parse_decimal<double>("5.") == 5.0);
    CHECK(parse_decimal<float>("16777217") == 16777216.0F);
    CHECK(std::bit_cast<std::uint64_t>(*parse_decimal<double>("-0")) == std::uint64_t{1} << 63);
    for (const char* text : {"",    " 1",   "1 ",  "+1",   "1,5", "1.2.3",    "e5",    ".",      "-",  "1e",
                             "1e+", "0x10", "inf", "-inf", "nan", "infinity", "1e999", "-1e999", "1f", "١"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_decimal<double>(text));
        CHECK_FALSE(parse_decimal<float>(text));
    }
    CHECK_FALSE(parse_decimal<float>("1e39"));
    CHECK(parse_decimal<double>("1e39") == 1e39);
}

TEST_CASE("parse_decimal: a number below the smallest one is the nearest, not an error") {
    CHECK(parse_decimal<double>("1e-400") == 0.0);
    CHECK(parse_decimal<float>("1e-60") == 0.0F);
    CHECK(parse_decimal<float>("1.4e-45") == std::numeric_limits<float>::denorm_min());
    CHECK(parse_decimal<double>("4.9e-324") == std::numeric_limits<double>::denorm_min());
}

// What a standard library without std::from_chars for floating point uses.
TEST_CASE("parse_decimal: by the C library as by std::from_chars, whatever the locale") {
    funnel::Random random(1);
    const char* old = std::setlocale(LC_ALL, nullptr);
    const std::string before = old != nullptr ? old : "C";
    for (const char* locale : {"C", "de_DE.UTF-8"}) {  // stays what it is where the machine lacks the second
        std::setlocale(LC_ALL, locale);
        for (int i = 0; i < 2000; ++i) {
            const auto x = std::bit_cast<double>(std::uint64_t{random()} << 32 | random());
            char text[64];
            std::snprintf(text, sizeof text, i % 2 == 0 ? "%.17g" : "%.6g", x);
            for (char& c : text) {
                c = c == ',' ? '.' : c;
            }
            CAPTURE(text);
            const auto value = parse_decimal<double>(text);
            REQUIRE(value.has_value() ==
                    (is_decimal(text) && funnel::math::is_finite(decimal_by_c_library<double>(text))));
            if (value) {
                CHECK(*value == decimal_by_c_library<double>(text));
            }
        }
    }
    std::setlocale(LC_ALL, before.c_str());
}

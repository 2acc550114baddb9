// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/decimal.hpp>

#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <bit>
#include <charconv>
#include <clocale>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

using funnel::Random;
using funnel::io::detail::decimal_by_c_library;
using funnel::io::detail::is_decimal;
using funnel::io::detail::parse_decimal;

TEST_CASE_TEMPLATE("parse_decimal: rounds to the nearest number", T, float, double) {
    CHECK(parse_decimal<T>("0") == T{0});
    CHECK(parse_decimal<T>("-4.5") == T(-4.5));
    CHECK(parse_decimal<T>("1e3") == T{1000});
    CHECK(parse_decimal<T>("1E+3") == T{1000});
    CHECK(parse_decimal<T>("25e-2") == T(0.25));
    CHECK(parse_decimal<T>(".5") == T(0.5));
    CHECK(parse_decimal<T>("5.") == T{5});
    CHECK(parse_decimal<T>("0.1") == T(0.1L));
    CHECK(parse_decimal<T>("00000000000000000000000000000000000000007") == T{7});
    CHECK(parse_decimal<T>("1" + std::string(30, '0') + "e-30") == T{1});
    CHECK(parse_decimal<T>("1e-999999999999") == T{0});  // too small is 0
    CHECK(parse_decimal<T>("-1e-400") == T{0});
    CHECK(parse_decimal<T>("0e999999999999") == T{0});
}

TEST_CASE("parse_decimal: halfway cases go to the even neighbour") {
    CHECK(parse_decimal<double>("9007199254740993") == 9007199254740992.0);
    CHECK(parse_decimal<double>("9007199254740993.00000000000000000000000000000000000000000000001") ==
          9007199254740994.0);
    CHECK(parse_decimal<float>("16777217") == 16777216.0F);
    CHECK(parse_decimal<float>("16777217.0000000000000000000000000000001") == 16777218.0F);
    // Once, not first to a double and then to a float: just above the middle of 1 and the next float.
    CHECK(parse_decimal<float>("1.00000005960464477540") == std::bit_cast<float>(0x3F800001U));
    CHECK(parse_decimal<double>("2.2250738585072011e-308") == 0x0.fffffffffffffp-1022);
    CHECK(parse_decimal<double>("4.9e-324") == std::numeric_limits<double>::denorm_min());
    CHECK(parse_decimal<float>("340282346638528859811704183484516925440") == std::numeric_limits<float>::max());
}

TEST_CASE_TEMPLATE("parse_decimal: what is no finite number from end to end is none", T, float, double) {
    for (const char* text :
         {"",    "-",     ".",    "-.",  "e5",   ".e5", "1e",       "1e+", "+1",     " 1",    "1 ",
          "1,5", "1.5.",  "0x10", "inf", "-inf", "nan", "infinity", "NaN", "nan(1)", "1e400", "-1e999999999999",
          "1f",  "1_000", "--1",  "1-"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_decimal<T>(text));
    }
}

TEST_CASE("parse_decimal: the C library and std::from_chars agree in each bit") {
    Random random(3);
    const auto check = [](const std::string& text) {
        CAPTURE(text);
        REQUIRE(is_decimal(text));
        const auto value = parse_decimal<double>(text);
        const auto single = parse_decimal<float>(text);
        REQUIRE(std::bit_cast<std::uint64_t>(value.value_or(std::numeric_limits<double>::infinity())) ==
                (std::bit_cast<std::uint64_t>(decimal_by_c_library<double>(text)) &
                 (value ? ~std::uint64_t{0} : ~(std::uint64_t{1} << 63))));
        if (single) {
            REQUIRE(std::bit_cast<std::uint32_t>(*single) ==
                    std::bit_cast<std::uint32_t>(decimal_by_c_library<float>(text)));
        }
    };
    for (int round = 0; round < 20000; ++round) {
        std::string text = random.below(2) == 0 ? "-" : "";
        for (std::size_t digits = 1 + random.below(30); digits > 0; --digits) {
            text += static_cast<char>('0' + random.below(10));
        }
        text.insert(text.size() - random.below(2), ".");
        text += "e" + std::to_string(static_cast<int>(random.below(700)) - 350);
        check(text);
        // Halfway between two floats, and between two doubles, with all digits.
        char exact[1200];
        const auto half = std::bit_cast<double>((std::uint64_t{random()} << 32 | random()) & 0x7FEFFFFFFFFFFFFF);
        static_cast<void>(std::snprintf(exact, sizeof(exact), "%.60e", half));
        check(exact);
        static_cast<void>(std::snprintf(exact, sizeof(exact), "%.40g",
                                        1.0 + (static_cast<double>(random.below(1 << 24)) + 0.5) * 0x1p-23));
        check(exact);
    }
}

TEST_CASE("parse_decimal: the grammar without from_chars is that of from_chars") {
    Random random(4);
    constexpr std::string_view alphabet = "0123-+.eE x";
    for (int round = 0; round < 50000; ++round) {
        std::string text;
        for (std::size_t length = random.below(7); length > 0; --length) {
            text += alphabet[random.below(alphabet.size())];
        }
        CAPTURE(text);
        const bool is_huge = is_decimal(text) && !funnel::math::is_finite(decimal_by_c_library<double>(text));
        REQUIRE(is_decimal(text) == (parse_decimal<double>(text).has_value() || is_huge));
    }
}

TEST_CASE("parse_decimal: a point is a point in every locale") {
    const std::string before = std::setlocale(LC_ALL, nullptr);
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8"}) {
        if (std::setlocale(LC_ALL, name) != nullptr) {
            CHECK(decimal_by_c_library<double>("2.5") == 2.5);
            CHECK(parse_decimal<float>("2.5") == 2.5F);
            CHECK_FALSE(parse_decimal<float>("2,5"));
        }
    }
    std::setlocale(LC_ALL, before.c_str());
}

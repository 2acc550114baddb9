// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/iso8601.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <optional>
#include <string>

using funnel::io::parse_iso8601;

namespace {

std::string date(int year, int month, int day) {
    char text[16];
    static_cast<void>(std::snprintf(text, sizeof(text), "%04d-%02d-%02d", year, month, day));
    return text;
}

}  // namespace

TEST_CASE("parse_iso8601: dates and times worked by hand") {
    CHECK(parse_iso8601("1970-01-01") == 0.0);
    CHECK(parse_iso8601("1970-01-02T00:00:01Z") == 86401.0);
    CHECK(parse_iso8601("1969-12-31T23:59:59Z") == -1.0);
    CHECK(parse_iso8601("2001-09-09T01:46:40Z") == 1e9);
    CHECK(parse_iso8601("2017-01-01T00:00:00Z") == 1'483'228'800.0);
    CHECK(parse_iso8601("2038-01-19T03:14:08Z") == 2147483648.0);
    CHECK(parse_iso8601("1901-12-13T20:45:52Z") == -2147483648.0);
    CHECK(parse_iso8601("0000-01-01") == -62167219200.0);
    CHECK(parse_iso8601("9999-12-31T23:59:59Z") == 253402300799.0);
}

TEST_CASE("parse_iso8601: every day from 1900 to 2100 comes 86400 seconds after the day before") {
    // Counted, not computed: 1900-01-01 is 25567 days before 1970 (70 years with 17 leap days).
    constexpr int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    double expected = -25567.0 * 86400.0;
    for (int year = 1900; year <= 2100; ++year) {
        for (int month = 1; month <= 12; ++month) {
            // Of the years that 4 divides, 1900 and 2100 have no leap day, 2000 has one.
            const bool is_leap = year % 4 == 0 && year != 1900 && year != 2100;
            const int days = lengths[month - 1] + (month == 2 && is_leap ? 1 : 0);
            for (int day = 1; day <= days; ++day) {
                CAPTURE(date(year, month, day));
                REQUIRE(parse_iso8601(date(year, month, day)) == expected);
                REQUIRE(parse_iso8601(date(year, month, day) + "T12:30:15+01:00") == expected + 11 * 3600 + 1815);
                expected += 86400.0;
            }
            REQUIRE_FALSE(parse_iso8601(date(year, month, days + 1)));
            REQUIRE_FALSE(parse_iso8601(date(year, month, 0)));
        }
    }
}

TEST_CASE("parse_iso8601: every second of a day") {
    for (int second = 0; second < 86400; ++second) {
        char text[32];
        static_cast<void>(std::snprintf(text, sizeof(text), "1970-01-01T%02d:%02d:%02d", second / 3600,
                                        second / 60 % 60, second % 60));
        REQUIRE(parse_iso8601(text) == second);
    }
}

TEST_CASE("parse_iso8601: separators, fractions and offsets") {
    for (const char* text : {"2024-02-29T23:59:30", "2024-02-29 23:59:30", "2024-02-29t23:59:30z",
                             "2024-02-29T23:59:30Z", "2024-02-29T23:59:30+00:00", "2024-02-29T23:59:30-00:00",
                             "2024-02-29T23:59:30.000", "2024-03-01T05:29:30+05:30", "2024-03-01T05:29:30+0530",
                             "2024-02-29T15:59:30-08", "2024-02-29T15:59:30-08:00", "2024-02-29T20:29:30-03:30",
                             "2024-02-29T23:59:30.0Z", "2024-03-01T23:58:30+23:59"}) {
        CAPTURE(text);
        CHECK(parse_iso8601(text) == 1709251170.0);
    }
    CHECK(parse_iso8601("2024-02-29T23:59") == 1709251140.0);
    CHECK(parse_iso8601("2024-02-29T23:59Z") == 1709251140.0);
    CHECK(parse_iso8601("2024-02-29T23:59+01:00") == 1709247540.0);
    CHECK(parse_iso8601("2024-02-29T23:59:30.5Z") == 1709251170.5);
    CHECK(parse_iso8601("2024-02-29T23:59:30,25") == 1709251170.25);
    CHECK(parse_iso8601("1969-12-31T23:59:59.75Z") == -0.25);
    CHECK(*parse_iso8601("2024-02-29T23:59:30.123456789Z") == doctest::Approx(1709251170.123456789).epsilon(1e-15));
    CHECK(parse_iso8601("1970-01-01T00:00:00." + std::string(1000, '9')) < 1.0 + 1e-12);
    CHECK(parse_iso8601("1970-01-01T00:00:00.1" + std::string(1000, '0')) == 0.1);
}

TEST_CASE("parse_iso8601: a leap second is the second after it") {
    CHECK(parse_iso8601("2016-12-31T23:59:60Z") == 1483228800.0);
    CHECK(parse_iso8601("2017-01-01T05:29:60+05:30") == 1483228800.0);
    CHECK(parse_iso8601("2016-12-31T15:59:60-08:00") == 1483228800.0);
    CHECK_FALSE(parse_iso8601("2016-12-31T12:00:60Z"));
    CHECK_FALSE(parse_iso8601("2016-12-31T23:59:60+01:00"));
    CHECK_FALSE(parse_iso8601("2016-12-31T23:59:61Z"));
}

TEST_CASE("parse_iso8601: anything else is none") {
    for (const char* text : {"",
                             "2024",
                             "2024-02",
                             "2024-2-9",
                             "24-02-29",
                             "2023-02-29",
                             "1900-02-29",
                             "2024-13-01",
                             "2024-00-01",
                             "2024-01-32",
                             "2024-04-31",
                             "2024/02/29",
                             "29.02.2024",
                             "20240229",
                             "2024-02-29T",
                             "2024-02-29 ",
                             "2024-02-29T23",
                             "2024-02-29T24:00",
                             "2024-02-29T23:60",
                             "2024-02-29T23:59:",
                             "2024-02-29T23:59:5",
                             "2024-02-29T23:59:59.",
                             "2024-02-29T23:59:59.Z",
                             "2024-02-29T23:59:59ZZ",
                             "2024-02-29T23:59:59Z ",
                             "2024-02-29T23:59:59+",
                             "2024-02-29T23:59:59+1",
                             "2024-02-29T23:59:59+24:00",
                             "2024-02-29T23:59:59+01:",
                             "2024-02-29T23:59:59+01:60",
                             "2024-02-29T23:59:59+01:00Z",
                             "2024-02-29T23:59:59+01000",
                             "2024-02-29Z",
                             "2024-02-29+01:00",
                             "2024-02-29  23:59",
                             " 2024-02-29",
                             "-2024-02-29",
                             "+2024-02-29",
                             "2024-02-29X23:59",
                             "2024-02-29T23.59",
                             "nan",
                             "1e9"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_iso8601(text));
    }
    static_assert(parse_iso8601("2000-03-01") == 951868800.0);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/data/iso8601.hpp>

#include <doctest/doctest.h>

#include <cstdio>
#include <limits>
#include <string>
#include <string_view>

#include <time.h>

using funnel::data::parse_iso8601;

namespace {

std::string date_of(int year, int month, int day) {
    char text[40];
    std::snprintf(text, sizeof text, "%04d-%02d-%02d", year, month, day);
    return text;
}

bool is_leap(int year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

}  // namespace

// 2024-02-29 is 54 years after 1970, of which 13 were leap years: 54 * 365 + 13 + 31 + 28 = 19782 days.
TEST_CASE("parse_iso8601: an example by hand") {
    CHECK(parse_iso8601("1970-01-01") == 0.0);
    CHECK(parse_iso8601("2024-02-29") == 19'782.0 * 86'400.0);
    CHECK(parse_iso8601("2024-02-29T23:59") == 19'782.0 * 86'400.0 + 86'340.0);
    CHECK(parse_iso8601("2024-02-29 23:59:59.25") == 19'782.0 * 86'400.0 + 86'399.25);
    CHECK(parse_iso8601("1969-12-31T23:59:59Z") == -1.0);
}

TEST_CASE("parse_iso8601: every day from 1900 to 2100, counted one by one") {
    constexpr int days_of[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    double expected = -86'400.0 * 25'567.0;  // 1900-01-01: 70 years with 17 leap days before 1970
    int wrong = 0;
    for (int year = 1900; year <= 2100; ++year) {
        for (int month = 1; month <= 12; ++month) {
            const int days = days_of[month - 1] + (month == 2 && is_leap(year) ? 1 : 0);
            for (int day = 1; day <= days; ++day, expected += 86'400.0) {
                wrong += parse_iso8601(date_of(year, month, day)) == expected ? 0 : 1;
            }
            wrong += parse_iso8601(date_of(year, month, days + 1)) ? 1 : 0;
            wrong += parse_iso8601(date_of(year, month, 0)) ? 1 : 0;
        }
    }
    CHECK(wrong == 0);
}

TEST_CASE("parse_iso8601: the first day of every year, against the C library") {
    for (int year = 0; year <= 9999; ++year) {
        tm date{};
        date.tm_year = year - 1900;
        date.tm_mday = 1;
        REQUIRE(parse_iso8601(date_of(year, 1, 1)) == static_cast<double>(::timegm(&date)));
    }
}

TEST_CASE("parse_iso8601: time zones are ahead of UTC, or behind it") {
    const double noon = 43'200.0;
    for (const char* text : {"1970-01-01T12:00Z", "1970-01-01t12:00:00z", "1970-01-01T14:00+02:00",
                             "1970-01-01T14:00+0200", "1970-01-01T14:00+02", "1970-01-01T06:30:00-05:30",
                             "1970-01-02T11:59+23:59", "1970-01-01T12:00:00.000,", "1970-01-01T12:00:00,0"}) {
        CAPTURE(text);
        if (std::string_view(text).ends_with(",")) {
            CHECK_FALSE(parse_iso8601(text));
        } else {
            CHECK(parse_iso8601(text) == noon);
        }
    }
}

TEST_CASE("parse_iso8601: fractions have any number of digits") {
    CHECK(parse_iso8601("1970-01-01T00:00:00.5") == 0.5);
    CHECK(parse_iso8601("1970-01-01T00:00:00.125Z") == 0.125);
    CHECK(parse_iso8601("1970-01-01T00:00:01.000000000000000000000000000001Z") == 1.0);
    CHECK(*parse_iso8601("1970-01-01T00:00:00.123456789") == doctest::Approx(0.123456789).epsilon(1e-15));
    CHECK(*parse_iso8601("1970-01-01T00:00:00." + std::string(1000, '9')) == doctest::Approx(1.0).epsilon(1e-15));
}

TEST_CASE("parse_iso8601: a leap second is the second after it, at the end of a day of UTC only") {
    CHECK(parse_iso8601("2016-12-31T23:59:60Z") == parse_iso8601("2017-01-01T00:00:00Z"));
    CHECK(parse_iso8601("2017-01-01T08:59:60+09:00") == parse_iso8601("2017-01-01T00:00:00Z"));
    CHECK_FALSE(parse_iso8601("2016-12-31T22:59:60Z"));
    CHECK_FALSE(parse_iso8601("2017-01-01T08:59:60+08:00"));
}

TEST_CASE("parse_iso8601: whatever is no date is refused") {
    for (const char* text : {"",
                             " ",
                             "2024",
                             "2024-01",
                             "2024-1-01",
                             "2024-01-1",
                             "24-01-01",
                             "2024/01/01",
                             "2024-13-01",
                             "2024-00-01",
                             "2024-01-00",
                             "2024-01-32",
                             "2023-02-29",
                             "1900-02-29",
                             "2024-01-01 ",
                             " 2024-01-01",
                             "2024-01-01T",
                             "2024-01-01T1",
                             "2024-01-01T24:00",
                             "2024-01-01T12",
                             "2024-01-01T12:60",
                             "2024-01-01T12:00:61",
                             "2024-01-01T12:00:",
                             "2024-01-01T12:00:00.",
                             "2024-01-01T12:00:00+",
                             "2024-01-01T12:00:00+2",
                             "2024-01-01T12:00:00+24:00",
                             "2024-01-01T12:00:00+02:",
                             "2024-01-01T12:00:00+02:60",
                             "2024-01-01T12:00:00ZZ",
                             "2024-01-01T12:00:00 Z",
                             "-2024-01-01",
                             "12024-01-01",
                             "2024-01-01Z",
                             "2024-01-01  12:00",
                             "2024-01-01T-1:00",
                             "20240101",
                             "2024-W01-1",
                             "2024-001",
                             "now"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_iso8601(text));
    }
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

namespace detail {

// Days from 1970-01-01 to a date of the Gregorian calendar, for years 0 to 9999.
[[nodiscard]] constexpr std::int64_t days_since_1970(int year, int month, int day) noexcept {
    // Years that begin in March end with the leap day. 400 years are added, so that no year is negative.
    const std::int64_t years = year + 400 - (month <= 2 ? 1 : 0);
    const int months = (month + 9) % 12;
    const std::int64_t days = 365 * years + years / 4 - years / 100 + years / 400 + (153 * months + 2) / 5 + day - 1;
    constexpr std::int64_t days_400_years = 146'097;
    constexpr std::int64_t from_march_of_year_0_to_1970 = 719'468;
    return days - days_400_years - from_march_of_year_0_to_1970;
}

// Consumes a text from the front.
class ISO8601Reader {
public:
    explicit constexpr ISO8601Reader(std::string_view text) noexcept : rest_(text) {}

    [[nodiscard]] constexpr bool is_at_end() const noexcept { return rest_.empty(); }

    [[nodiscard]] constexpr bool next_is(std::string_view characters) const noexcept {
        return !rest_.empty() && characters.find(rest_.front()) != std::string_view::npos;
    }

    [[nodiscard]] constexpr bool accept(std::string_view characters) noexcept {
        const bool is_next = next_is(characters);
        rest_.remove_prefix(is_next ? 1 : 0);
        return is_next;
    }

    // Reads a number with exactly `digits` digits that lies in [least, most].
    [[nodiscard]] constexpr bool number(int digits, int least, int most, int& value) noexcept {
        value = 0;
        for (; digits > 0 && next_is("0123456789"); --digits) {
            value = 10 * value + (rest_.front() - '0');
            rest_.remove_prefix(1);
        }
        return digits == 0 && least <= value && value <= most;
    }

    // Reads the digits after a point, at least one. Digits after the 15th are below the precision of a double.
    [[nodiscard]] constexpr bool fraction(double& value) noexcept {
        std::int64_t digits = 0;
        std::int64_t scale = 1;
        const std::size_t before = rest_.size();
        for (; next_is("0123456789"); rest_.remove_prefix(1)) {
            if (scale < 1'000'000'000'000'000) {
                digits = 10 * digits + (rest_.front() - '0');
                scale *= 10;
            }
        }
        value = static_cast<double>(digits) / static_cast<double>(scale);
        return rest_.size() < before;
    }

private:
    std::string_view rest_;
};

}  // namespace detail

/// Parses a date, or a date and a time of day, as seconds since 1970-01-01T00:00:00Z; std::nullopt for other text.
///
///     2024-02-29    2024-02-29T23:59    2024-02-29 23:59:59.25    2024-02-29T23:59:59Z    2024-02-29T23:59:59+05:30
///
/// T or one space separates date and time. A fraction of a second follows a point or a comma. Z, +hh:mm, +hhmm and +hh
/// (or -) give the offset from UTC; without an offset, the time is UTC. A date alone means its midnight. Years are 0000
/// to 9999 of the Gregorian calendar, also before 1582. A leap second (23:59:60 UTC) becomes the second after it.
///
/// Returns   the nearest double, or one next to it if there is a fraction
/// Source    ISO 8601-1:2019 (extended format); RFC 3339
[[nodiscard]] constexpr std::optional<double> parse_iso8601(std::string_view text) noexcept {
    detail::ISO8601Reader reader(text);
    int year = 0;
    int month = 0;
    int day = 0;
    if (!reader.number(4, 0, 9999, year) || !reader.accept("-") || !reader.number(2, 1, 12, month) ||
        !reader.accept("-") || !reader.number(2, 1, 31, day)) {
        return std::nullopt;
    }
    constexpr std::array days_of{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap_year = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (day > days_of[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap_year ? 1 : 0)) {
        return std::nullopt;
    }
    const std::int64_t midnight = 86'400 * detail::days_since_1970(year, month, day);
    if (reader.is_at_end()) {
        return static_cast<double>(midnight);
    }

    int hour = 0;
    int minute = 0;
    int second = 0;
    double fraction = 0.0;
    if (!reader.accept("Tt ") || !reader.number(2, 0, 23, hour) || !reader.accept(":") ||
        !reader.number(2, 0, 59, minute)) {
        return std::nullopt;
    }
    if (reader.accept(":") &&
        (!reader.number(2, 0, 60, second) || (reader.accept(".,") && !reader.fraction(fraction)))) {
        return std::nullopt;
    }

    int ahead = 0;  // minutes
    if (reader.next_is("+-")) {
        const int sign = reader.accept("+") ? 1 : -1;
        int hours = 0;
        int minutes = 0;
        if ((sign < 0 && !reader.accept("-")) || !reader.number(2, 0, 23, hours)) {
            return std::nullopt;
        }
        if ((reader.accept(":") || !reader.is_at_end()) && !reader.number(2, 0, 59, minutes)) {
            return std::nullopt;
        }
        ahead = sign * (60 * hours + minutes);
    } else {
        static_cast<void>(reader.accept("Zz"));
    }
    const std::int64_t minute_in_utc = std::int64_t{60} * hour + minute - ahead;  // may be a day before or after
    if (!reader.is_at_end() || (second == 60 && (minute_in_utc + 2880) % 1440 != 1439)) {
        return std::nullopt;
    }
    return static_cast<double>(midnight + 60 * minute_in_utc + second) + fraction;
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

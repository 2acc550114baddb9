// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/delimited.hpp>
#include <funnel/io/iso8601.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data::detail {

// A column of a table, and the description of its fields in error messages.
struct LogColumn {
    std::size_t at;
    std::string what;
};

enum class KeyKind { Any, WholeNumber };
enum class TimeKind { Number, NumberOrDate };

// The columns of a table that form a log.
struct LogColumns {
    LogColumn user;
    LogColumn item;
    std::optional<LogColumn> value{};  // if not set, all values are 1
    std::optional<LogColumn> time{};   // if not set, all times are 0
    KeyKind keys = KeyKind::Any;
    TimeKind times = TimeKind::Number;
};

[[nodiscard]] inline std::string_view log_key(const io::DelimitedRows& rows, const LogColumn& column, KeyKind kind) {
    const std::string_view key = rows.key(column.at, column.what);
    if (kind == KeyKind::WholeNumber &&
        !std::all_of(key.begin(), key.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        rows.reject(column.what, io::Text::quote(key));
    }
    return key;
}

// Reads times as numbers or as dates, as in the first row: a number among dates would have another unit.
class LogTimes {
public:
    [[nodiscard]] double read(const io::DelimitedRows& rows, const LogColumn& column, TimeKind kind) {
        if (kind == TimeKind::Number) {
            return rows.number<double>(column.at, column.what);
        }
        const std::string_view field = rows.key(column.at, "a time as " + column.what);
        const std::optional<double> number =
            are_dates_ != true ? io::detail::parse_decimal<double>(field) : std::nullopt;
        const std::optional<double> time = number || are_dates_ == false ? number : io::parse_iso8601(field);
        if (!time) {
            const std::string number_as = "a finite number as " + column.what;
            const std::string date_as = "a date (2024-02-29 or 2024-02-29T23:59:59Z) as " + column.what;
            const std::string expected = !are_dates_   ? "a finite number or " + date_as
                                         : *are_dates_ ? date_as + ", as in the rows before"
                                                       : number_as + ", as in the rows before";
            rows.reject(expected, io::Text::quote(field));
        }
        are_dates_ = !number;
        return *time;
    }

private:
    std::optional<bool> are_dates_;
};

// Reads all remaining rows as a log. The fields of a row are checked in order: user, item, value, time.
[[nodiscard]] inline Interactions gather_log(io::DelimitedRows& rows, const LogColumns& columns,
                                             std::string_view row = "a row") {
    InteractionsBuilder log;
    LogTimes times;
    while (rows.next()) {
        const std::string_view user = log_key(rows, columns.user, columns.keys);
        const std::string_view item = log_key(rows, columns.item, columns.keys);
        const float value = columns.value ? rows.number<float>(columns.value->at, columns.value->what) : 1.0F;
        const double time = columns.time ? times.read(rows, *columns.time, columns.times) : 0.0;
        log.add(user, item, value, time);
    }
    if (log.size() == 0) {
        rows.reject_end(row);
    }
    return std::move(log).build();
}

}  // namespace data::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

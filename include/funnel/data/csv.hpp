// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/delimited.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/log_columns.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace funnel::inline FUNNEL_ABI::data {

struct CSVOptions {
    std::string user = "user";           ///< name of the column that says who
    std::string item = "item";           ///< name of the column that says what
    std::optional<std::string> value{};  ///< name of the column with ratings or counts; without: all 1
    std::optional<std::string> time{};   ///< name of the column with times; without: all 0
    std::optional<char> delimiter{};     ///< without: tab, semicolon or comma, whichever the first line has most of
};

struct CSVPositions {
    std::size_t user = 0;                ///< position of the column that says who; the first is 0
    std::size_t item = 1;                ///< position of the column that says what
    std::optional<std::size_t> value{};  ///< position of the column with ratings or counts; without: all 1
    std::optional<std::size_t> time{};   ///< position of the column with times; without: all 0
    std::optional<char> delimiter{};     ///< without: tab, semicolon or comma, whichever the first line has most of
};

namespace detail {

// What a line has most of: tab, semicolon or comma.
[[nodiscard]] inline char delimiter_of(std::string_view line) {
    const auto count_of = [&](char c) { return std::count(line.begin(), line.end(), c); };
    return std::max({'\t', ';', ','}, [&](char a, char b) { return count_of(a) < count_of(b); });
}

[[nodiscard]] inline DelimitedRows csv_rows(const std::string& path, const std::optional<char>& delimiter) {
    Text text = Text::read(path);
    const char used = delimiter.value_or(delimiter_of(text.first_line()));
    return {std::move(text), std::string_view(&used, 1), Quotes::Allowed};
}

}  // namespace detail

/// A log from a table of text with a header: columns are taken by name, others are passed over. Fields may be quoted.
///
///     auto log = read_csv("events.csv", {.user = "customer", .item = "sku", .time = "unix_time"});
///
/// Times are numbers, or dates with or without a time of day (see parse_iso8601), which become seconds since 1970.
///
/// Returns   the rows in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a column is missing or there twice (the
///           message lists those there are), a row has another length than the header, a field of a user or item is
///           empty, one of a value is not a finite number, one of a time is neither a number nor a date, or there is no
///           row
[[nodiscard]] inline Interactions read_csv(const std::string& path, const CSVOptions& options = {}) {
    DelimitedRows rows = detail::csv_rows(path, options.delimiter);
    rows.read_header();
    const auto key = [&](const std::string& name) -> detail::LogColumns::Column {
        return {rows.column(name), "a key in " + Text::quote(name)};
    };
    detail::LogColumns log{.user = key(options.user), .item = key(options.item)};
    if (options.value) {
        log.value = {rows.column(*options.value), *options.value};
    }
    if (options.time) {
        log.time = {rows.column(*options.time), *options.time};
    }
    log.has_dates = true;
    return detail::read_log(rows, log);
}

/// The same from a table without a header: columns are taken by position, and the first line is a row like any other.
///
///     auto log = read_csv_without_header("events.tsv", {.user = 2, .item = 0, .time = 3});
///
/// Errors    as read_csv; CorruptData also if the rows have no such column
[[nodiscard]] inline Interactions read_csv_without_header(const std::string& path, const CSVPositions& options = {}) {
    DelimitedRows rows = detail::csv_rows(path, options.delimiter);
    const auto column = [](std::size_t position, const char* what) -> detail::LogColumns::Column {
        return {position, std::string(what) + " in column " + std::to_string(position)};
    };
    detail::LogColumns log{.user = column(options.user, "a user"), .item = column(options.item, "an item")};
    if (options.value) {
        log.value = column(*options.value, "value");
    }
    if (options.time) {
        log.time = column(*options.time, "time");
    }
    log.has_dates = true;
    rows.expect_like_first_row(
        std::max({options.user, options.item, options.value.value_or(0), options.time.value_or(0)}));
    return detail::read_log(rows, log);
}

}  // namespace funnel::data

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/delimited.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/interactions_builder.hpp>

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
    std::optional<std::string> time{};   ///< name of the column with times, as numbers; without: all 0
    std::optional<char> delimiter{};     ///< without: tab, semicolon or comma, whichever the header has most of
};

/// A log from a table of text with a header: columns are taken by name, others are passed over. Fields may be quoted.
///
///     auto log = read_csv("events.csv", {.user = "customer", .item = "sku", .time = "unix_time"});
///
/// Returns   the rows in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a column is missing (the message lists
///           those there are), a row has another length than the header, a field of a user or item is empty, one of a
///           value or time is not a finite number, or there is no row
[[nodiscard]] inline Interactions read_csv(const std::string& path, const CSVOptions& options = {}) {
    Text text = Text::read(path);
    const std::string_view header = text.first_line();
    const auto count_of = [&](char c) { return std::count(header.begin(), header.end(), c); };
    const char guess = std::max({'\t', ';', ','}, [&](char a, char b) { return count_of(a) < count_of(b); });

    DelimitedRows rows(std::move(text), std::string(1, options.delimiter.value_or(guess)), Quotes::Allowed);
    rows.read_header();
    const auto column_of = [&](const std::optional<std::string>& name) {
        return name ? std::optional(rows.column(*name)) : std::nullopt;
    };
    const std::size_t user = rows.column(options.user);
    const std::size_t item = rows.column(options.item);
    const std::optional<std::size_t> value = column_of(options.value);
    const std::optional<std::size_t> time = column_of(options.time);

    const std::string who = "a key in " + Text::quote(options.user);
    const std::string what = "a key in " + Text::quote(options.item);
    const std::string value_name = options.value.value_or("");
    const std::string time_name = options.time.value_or("");
    InteractionsBuilder log;
    while (rows.next()) {
        log.add(rows.key(user, who), rows.key(item, what), value ? rows.number<float>(*value, value_name) : 1.0F,
                time ? rows.number<double>(*time, time_name) : 0.0);
    }
    if (log.size() == 0) {
        rows.reject_end("a row");
    }
    return std::move(log).build();
}

}  // namespace funnel::data

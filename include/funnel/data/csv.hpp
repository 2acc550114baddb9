// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/interactions.hpp>
#include <funnel/data/log_rows.hpp>
#include <funnel/io/delimited.hpp>

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

namespace detail {

// Tab, semicolon or comma: the one that occurs most often in the line outside quotes.
[[nodiscard]] inline char guess_delimiter(std::string_view line) noexcept {
    constexpr std::array candidates{'\t', ';', ','};
    std::array<std::size_t, candidates.size()> counts{};
    bool is_in_quotes = false;
    for (const char c : line) {
        is_in_quotes = is_in_quotes != (c == '"');
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            counts[i] += c == candidates[i] && !is_in_quotes ? 1U : 0U;
        }
    }
    std::size_t best = 0;
    for (std::size_t i = 1; i < candidates.size(); ++i) {
        best = counts[i] > counts[best] ? i : best;
    }
    return candidates[best];
}

[[nodiscard]] inline io::DelimitedRows csv_rows(io::Text text, std::optional<char> delimiter) {
    const char chosen = delimiter ? *delimiter : guess_delimiter(text.first_line());
    return {std::move(text), std::string_view(&chosen, 1), io::Quotes::Allowed};
}

// A column chosen by name or by position, and the description of its fields in error messages.
[[nodiscard]] inline LogColumn key_column(const io::DelimitedRows& rows, std::string_view name) {
    return {rows.column(name), "a key in " + io::Text::quote(name)};
}
[[nodiscard]] inline LogColumn key_column(const io::DelimitedRows&, std::size_t at) {
    return {at, "a key in column " + std::to_string(at)};
}
[[nodiscard]] inline LogColumn number_column(const io::DelimitedRows& rows, std::string_view name) {
    return {rows.column(name), std::string(name)};
}
[[nodiscard]] inline LogColumn number_column(const io::DelimitedRows&, std::size_t at) {
    return {at, "column " + std::to_string(at)};
}

// Reads the log from the columns chosen by CSVOptions or HeaderlessCSVOptions.
template <class Options>
[[nodiscard]] Interactions gather_csv_log(io::DelimitedRows& rows, const Options& options) {
    LogColumns columns{.user = key_column(rows, options.user),
                       .item = key_column(rows, options.item),
                       .times = TimeKind::NumberOrDate};
    if (options.value) {
        columns.value = number_column(rows, *options.value);
    }
    if (options.time) {
        columns.time = number_column(rows, *options.time);
    }
    return gather_log(rows, columns);
}

}  // namespace detail

struct CSVOptions {
    std::string user = "user";           ///< name of the user column
    std::string item = "item";           ///< name of the item column
    std::optional<std::string> value{};  ///< name of the column with ratings or counts; not set: all 1
    std::optional<std::string> time{};   ///< name of the column with times (numbers or dates); not set: all 0
    std::optional<char> delimiter{};     ///< not set: tab, semicolon or comma, the most frequent in the header
};

/// Reads a log from a delimited text table with a header. Columns are chosen by name; other columns are ignored. Fields
/// may be quoted.
///
///     auto log = read_csv("events.csv", {.user = "customer", .item = "sku", .time = "unix_time"});
///
/// Times are numbers, which are not converted, or ISO 8601 dates ("2024-02-29", "2024-02-29T23:59:59.5+01:00"; see
/// parse_iso8601), which become seconds since 1970, UTC. The first row decides which of the two the column contains.
///
/// Returns   the rows in the order of the file
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if a column is missing (the message lists
///           the existing columns) or occurs twice, a row and the header differ in length, a user or item field is
///           empty, a value is not a finite number, a time is neither a finite number nor a date, or there is no row
[[nodiscard]] inline Interactions read_csv(const std::string& path, const CSVOptions& options = {}) {
    io::DelimitedRows rows = detail::csv_rows(io::Text::read(path), options.delimiter);
    rows.read_header();
    return detail::gather_csv_log(rows, options);
}

struct HeaderlessCSVOptions {
    std::size_t user = 0;                ///< position of the user column, counted from 0
    std::size_t item = 1;                ///< position of the item column
    std::optional<std::size_t> value{};  ///< position of the column with ratings or counts; not set: all 1
    std::optional<std::size_t> time{};   ///< position of the column with times (numbers or dates); not set: all 0
    std::optional<char> delimiter{};     ///< not set: tab, semicolon or comma, the most frequent in the first row
};

/// Reads a log from a delimited text table without a header line. Columns are chosen by position.
///
///     auto log = read_headerless_csv("events.tsv", {.user = 1, .item = 3, .time = 0});
///
/// Errors    as for read_csv
[[nodiscard]] inline Interactions read_headerless_csv(const std::string& path,
                                                      const HeaderlessCSVOptions& options = {}) {
    io::DelimitedRows rows = detail::csv_rows(io::Text::read(path), options.delimiter);
    return detail::gather_csv_log(rows, options);
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel

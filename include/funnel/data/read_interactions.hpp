// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/csv.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/log_rows.hpp>
#include <funnel/data/movielens.hpp>
#include <funnel/data/recbole.hpp>
#include <funnel/io/delimited.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

namespace detail {

inline constexpr std::array<std::string_view, 5> user_names{"user", "user_id", "customer", "customer_id", "visitor_id"};
inline constexpr std::array<std::string_view, 7> item_names{"item",       "item_id", "movie_id", "book_id",
                                                            "product_id", "sku",     "isbn"};
inline constexpr std::array<std::string_view, 5> value_names{"rating", "value", "score", "count", "weight"};
inline constexpr std::array<std::string_view, 3> time_names{"timestamp", "time", "unix_time"};

// A name in lower case, without separators: "User-ID" and "userId" become "userid".
[[nodiscard]] inline std::string plain_name(std::string_view name) {
    std::string plain;
    for (const char c : name) {
        if (c != '_' && c != '-' && c != ' ') {
            plain += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        }
    }
    return plain;
}

// The first of these names that the table has, in the spelling of the table.
[[nodiscard]] inline std::optional<std::string_view> usual_column(const io::DelimitedRows& rows,
                                                                  std::span<const std::string_view> names) {
    for (const std::string_view name : names) {
        const std::string plain = plain_name(name);
        for (const std::string_view column : rows.header()) {
            if (plain_name(column) == plain) {
                return column;
            }
        }
    }
    return std::nullopt;
}

[[nodiscard]] inline Interactions read_usual_table(io::Text text) {
    io::DelimitedRows rows = csv_rows(std::move(text), std::nullopt);
    rows.read_header();
    const auto usual_keys = [&](std::string_view of, std::span<const std::string_view> names) {
        const std::optional<std::string_view> name = usual_column(rows, names);
        if (!name) {
            std::string expected = "a column of " + std::string(of) + " (";
            for (const std::string_view usual : names) {
                expected.append(usual == names.front() ? "" : ", ").append(usual);
            }
            rows.reject(expected + "; read_csv takes other names, read_headerless_csv a table without a header)",
                        rows.header_list());
        }
        return key_column(rows, *name);
    };
    const auto usual_numbers = [&](std::span<const std::string_view> names) -> std::optional<LogColumn> {
        const std::optional<std::string_view> name = usual_column(rows, names);
        return name ? std::optional(number_column(rows, *name)) : std::nullopt;
    };
    // clang-format off
    const LogColumns columns{.user = usual_keys("users", user_names), .item = usual_keys("items", item_names),
                             .value = usual_numbers(value_names), .time = usual_numbers(time_names),
                             .times = TimeKind::NumberOrDate};
    // clang-format on
    return gather_log(rows, columns);
}

}  // namespace detail

/// Reads a log of any supported format. The first line determines the format: RecBole (name:type columns), MovieLens
/// without a header, or a table with a header, delimited by tabs, semicolons or commas, with one of these column names:
///
///     users     user, user_id, customer, customer_id, visitor_id
///     items     item, item_id, movie_id, book_id, product_id, sku, isbn
///     values    rating, value, score, count, weight          (if there)
///     times     timestamp, time, unix_time                   (if there; numbers or dates, as for read_csv)
///
/// Case, "_", "-" and spaces in names are ignored ("userId", "User-ID", "USER ID"). Keys may be any text. If you know
/// the format, call read_movielens, read_recbole or read_csv instead; use read_headerless_csv for a table without a
/// header.
///
/// Errors    as for these functions
[[nodiscard]] inline Interactions read_interactions(const std::string& path) {
    io::Text text = io::Text::read(path);
    const std::string_view first = text.first_line();
    if (first.find(":token") != std::string_view::npos) {
        return detail::read_recbole(std::move(text));
    }
    const bool starts_with_number = !first.empty() && first.front() >= '0' && first.front() <= '9';
    if (starts_with_number && !detail::movielens_delimiter(first).empty()) {
        return detail::read_movielens(std::move(text));
    }
    return detail::read_usual_table(std::move(text));
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/csv.hpp>
#include <funnel/data/delimited.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/movielens.hpp>
#include <funnel/data/recbole.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

namespace detail {

// Names that people give to the columns of a log, most telling first. Letter case, blanks, "_" and "-" do not count.
inline constexpr std::array usual_users{"user",    "userid",    "customer",  "customerid",
                                        "visitor", "visitorid", "reviewerid"};
inline constexpr std::array usual_items{"item",   "itemid", "movie",   "movieid",   "book",
                                        "bookid", "isbn",   "product", "productid", "sku",
                                        "asin",   "track",  "trackid", "article",   "articleid"};
inline constexpr std::array usual_values{"rating", "value", "score", "stars", "count", "weight"};
inline constexpr std::array usual_times{"timestamp", "time", "unixtime", "unixreviewtime", "datetime", "date"};

// The column of a header that has the first of some usual names.
template <std::size_t N>
[[nodiscard]] std::optional<std::string> usual_column(std::span<const std::string> header,
                                                      const std::array<const char*, N>& names) {
    const auto plain = [](std::string_view name) {
        std::string letters;
        for (const char c : name) {
            if (c != ' ' && c != '_' && c != '-') {
                letters += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
            }
        }
        return letters;
    };
    std::vector<std::string> columns;
    std::transform(header.begin(), header.end(), std::back_inserter(columns), plain);
    for (const char* name : names) {
        if (const auto found = std::find(columns.begin(), columns.end(), name); found != columns.end()) {
            return header[static_cast<std::size_t>(found - columns.begin())];
        }
    }
    return std::nullopt;
}

template <std::size_t N>
[[nodiscard]] std::string listed(const std::array<const char*, N>& names) {
    std::string list;
    for (const char* name : names) {
        list += list.empty() ? name : std::string(", ") + name;
    }
    return list;
}

}  // namespace detail

/// A log of whatever kind this library reads, told by its first line: RecBole (name:type columns), MovieLens, else a
/// table with a header whose columns have usual names, between commas, tabs or semicolons:
///
///     user, user_id, userId, customer_id, ...;  item, item_id, movieId, product_id, sku, ...;
///     rating, value, score, ...;  timestamp, time, date, ...
///
/// A program that knows what it reads should say so: read_movielens, read_recbole, read_csv, read_csv_without_header.
///
/// Errors    as those; where a column for users or items is missing, the message lists the names that are understood
[[nodiscard]] inline Interactions read_interactions(const std::string& path) {
    Text text = Text::read(path);
    const std::string_view first = text.first_line();
    if (first.find(":token") != std::string_view::npos) {
        return read_recbole(path);
    }
    if (!first.empty() && first.front() >= '0' && first.front() <= '9') {
        if (first.find('\t') == std::string_view::npos && first.find("::") == std::string_view::npos) {
            text.reject(1, "names of columns, or ratings of MovieLens (read_csv_without_header takes other tables)",
                        Text::quote(first));
        }
        return read_movielens(path);
    }

    const char delimiter = detail::delimiter_of(first);
    DelimitedRows rows(std::move(text), std::string_view(&delimiter, 1), Quotes::Allowed);
    rows.read_header();
    const auto user = detail::usual_column(rows.header(), detail::usual_users);
    const auto item = detail::usual_column(rows.header(), detail::usual_items);
    if (!user || !item) {
        rows.reject_columns(std::string("a column for the ") + (user ? "items" : "users") + " (" +
                            (user ? detail::listed(detail::usual_items) : detail::listed(detail::usual_users)) +
                            "; read_csv takes other names, read_csv_without_header positions)");
    }
    return read_csv(path, {.user = *user,
                           .item = *item,
                           .value = detail::usual_column(rows.header(), detail::usual_values),
                           .time = detail::usual_column(rows.header(), detail::usual_times),
                           .delimiter = delimiter});
}

}  // namespace funnel::data

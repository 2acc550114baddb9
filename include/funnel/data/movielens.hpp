// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/delimited.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/log_columns.hpp>

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace funnel::inline FUNNEL_ABI::data {

/// Ratings of any MovieLens release, told apart by their first line:
///
///     196<TAB>242<TAB>3<TAB>881250949          100K: u.data, u1.base, ...
///     1::1193::5::978300760                    1M, 10M: ratings.dat
///     userId,movieId,rating,timestamp          latest, 20M, 25M, 32M: ratings.csv (columns in any order)
///
/// Returns   the rows in the order of the file, stars as values, seconds since 1970 as times
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if it is none of these, has no rating, or
///           an id that is not a whole number, or a rating or time that is not a finite one
[[nodiscard]] inline Interactions read_movielens(const std::string& path) {
    Text text = Text::read(path);
    const std::string_view first = text.first_line();
    const auto separators = [&](std::string_view delimiter) {
        std::size_t count = 0;
        for (std::size_t at = first.find(delimiter); at != std::string_view::npos; ++count) {
            at = first.find(delimiter, at + delimiter.size());
        }
        return count;
    };
    const bool has_header = first.find("movieId") != std::string_view::npos;
    const std::string_view delimiter = has_header ? "," : separators("::") == 3 ? "::" : "\t";
    if (!has_header && separators(delimiter) != 3) {
        text.reject(1, "ratings of MovieLens (u.data: user, item, rating, time between tabs; ratings.dat; ratings.csv)",
                    Text::quote(first));
    }

    DelimitedRows rows(std::move(text), delimiter, has_header ? Quotes::Allowed : Quotes::None);
    std::array<std::size_t, 4> columns{0, 1, 2, 3};
    if (has_header) {
        rows.read_header();
        columns = {rows.column("userId"), rows.column("movieId"), rows.column("rating"), rows.column("timestamp")};
    } else {
        rows.expect_columns(4);
    }

    detail::LogColumns log{.user = {columns[0], "a whole number as user id"},
                           .item = {columns[1], "a whole number as movie id"}};
    log.value = {columns[2], "rating"};
    log.time = {columns[3], "timestamp"};
    log.row = "a rating";
    log.has_number_keys = true;
    return detail::read_log(rows, log);
}

}  // namespace funnel::data

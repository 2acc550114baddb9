// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/interactions.hpp>
#include <funnel/data/log_rows.hpp>
#include <funnel/io/delimited.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

namespace detail {

// The delimiter between the four fields of a rating in a file without a header; empty if the line is no rating.
[[nodiscard]] inline std::string_view movielens_delimiter(std::string_view line) noexcept {
    for (const std::string_view delimiter : {"::", "\t"}) {
        std::size_t count = 0;
        for (std::size_t at = line.find(delimiter); at != std::string_view::npos; ++count) {
            at = line.find(delimiter, at + delimiter.size());
        }
        if (count == 3) {
            return delimiter;
        }
    }
    return {};
}

[[nodiscard]] inline Interactions read_movielens(io::Text text) {
    const std::string_view first = text.first_line();
    const bool has_header = first.find("movieId") != std::string_view::npos;
    const std::string_view delimiter = has_header ? "," : movielens_delimiter(first);
    if (delimiter.empty()) {
        text.reject(1, "ratings of MovieLens (u.data: user, item, rating, time between tabs; ratings.dat; ratings.csv)",
                    io::Text::quote(first));
    }

    io::DelimitedRows rows(std::move(text), delimiter, has_header ? io::Quotes::Allowed : io::Quotes::None);
    LogColumns columns{.user = {0, "a whole number as user id"},
                       .item = {1, "a whole number as movie id"},
                       .value = LogColumn{2, "rating"},
                       .time = LogColumn{3, "timestamp"},
                       .keys = KeyKind::WholeNumber};
    if (has_header) {
        rows.read_header();
        columns.user.at = rows.column("userId");
        columns.item.at = rows.column("movieId");
        columns.value->at = rows.column("rating");
        columns.time->at = rows.column("timestamp");
    } else {
        rows.expect_columns(4);
    }
    return gather_log(rows, columns, "a rating");
}

}  // namespace detail

/// Reads the ratings of any MovieLens release. The first line determines the format:
///
///     196<TAB>242<TAB>3<TAB>881250949          100K: u.data, u1.base, ...
///     1::1193::5::978300760                    1M, 10M: ratings.dat
///     userId,movieId,rating,timestamp          latest, 20M, 25M, 32M: ratings.csv (columns in any order)
///
/// Returns   the rows in the order of the file, stars as values, seconds since 1970 as times
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if the format is none of these, there is
///           no rating, an id is not a whole number, or a rating or time is not a finite number
[[nodiscard]] inline Interactions read_movielens(const std::string& path) {
    return detail::read_movielens(io::Text::read(path));
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel

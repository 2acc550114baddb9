// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/csv.hpp>
#include <funnel/data/delimited.hpp>
#include <funnel/data/interactions.hpp>
#include <funnel/data/movielens.hpp>
#include <funnel/data/recbole.hpp>

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace funnel::inline FUNNEL_ABI::data {

/// A log of whatever kind this library reads, told by its first line: RecBole (name:type columns), MovieLens, else a
/// table with a header whose columns have usual names (user, user_id, userId, customer_id, ...; item, item_id, itemId,
/// movieId, product_id, ...; rating, value, ...; timestamp, time, ...). A program that knows what it reads should say
/// so: read_movielens, read_recbole, read_csv.
///
/// Errors    as those three
[[nodiscard]] inline Interactions read_interactions(const std::string& path) {
    const Text text = Text::read(path);
    const std::string_view first = text.first_line();
    const auto has = [&](std::string_view piece) { return first.find(piece) != std::string_view::npos; };
    if (has(":token")) {
        return read_recbole(path);
    }
    const bool starts_with_number = !first.empty() && first.front() >= '0' && first.front() <= '9';
    if (starts_with_number || (has("userId") && has("movieId") && has("rating") && has("timestamp"))) {
        return read_movielens(path);
    }

    // The first of some usual names that stands in the header as a whole word.
    const auto first_of = [&](std::initializer_list<std::string_view> names) -> std::optional<std::string> {
        constexpr std::string_view ends = "\t;,\"";
        for (const std::string_view name : names) {
            for (std::size_t at = first.find(name); at != std::string_view::npos; at = first.find(name, at + 1)) {
                const std::size_t end = at + name.size();
                if ((at == 0 || ends.find(first[at - 1]) != std::string_view::npos) &&
                    (end == first.size() || ends.find(first[end]) != std::string_view::npos)) {
                    return std::string(name);
                }
            }
        }
        return std::nullopt;
    };
    CSVOptions options;
    options.user =
        first_of({"user", "user_id", "userId", "userid", "customer", "customer_id", "visitor_id"}).value_or("user");
    options.item =
        first_of({"item", "item_id", "itemId", "itemid", "movieId", "movie_id", "book_id", "product_id", "sku"})
            .value_or("item");
    options.value = first_of({"rating", "value", "score", "count", "weight"});
    options.time = first_of({"timestamp", "time", "unix_time", "unixtime"});
    return read_csv(path, options);
}

}  // namespace funnel::data

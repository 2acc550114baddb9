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

namespace funnel::inline FUNNEL_ABI::data::detail {

// Where a table has what a log is made of, and what errors call it.
struct LogColumns {
    struct Column {
        std::size_t position;
        std::string name;
    };

    Column user;
    Column item;
    std::optional<Column> value = {};  // without: all 1
    std::optional<Column> time = {};   // without: all 0
    std::string row = "a row";
    bool has_number_keys = false;  // only whole numbers are keys
    bool has_dates = false;        // times may be ISO 8601
};

// The log of the rows that are left. The columns of a row are looked at in the order of LogColumns, so that of several
// mistakes the same one is reported whatever the compiler.
[[nodiscard]] inline Interactions read_log(DelimitedRows& rows, const LogColumns& columns) {
    const auto key = [&](const LogColumns::Column& column) {
        const std::string_view field = rows.key(column.position, column.name);
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        if (columns.has_number_keys && !std::all_of(field.begin(), field.end(), is_digit)) {
            rows.reject(column.name, Text::quote(field));
        }
        return field;
    };
    InteractionsBuilder log;
    while (rows.next()) {
        const std::string_view user = key(columns.user);
        const std::string_view item = key(columns.item);
        const float value = columns.value ? rows.number<float>(columns.value->position, columns.value->name) : 1.0F;
        double time = 0.0;
        if (columns.time) {
            const auto& [position, name] = *columns.time;
            time = columns.has_dates ? rows.time(position, name) : rows.number<double>(position, name);
        }
        log.add(user, item, value, time);
    }
    if (log.size() == 0) {
        rows.reject_end(columns.row);
    }
    return std::move(log).build();
}

}  // namespace funnel::data::detail

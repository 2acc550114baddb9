// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/data/interactions.hpp>
#include <funnel/data/log_rows.hpp>
#include <funnel/io/delimited.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// The rows of a RecBole atomic file (.inter, .item, .user): tab-separated, with a header of name:type fields. Columns
/// are found by name alone.
class RecBoleRows : public io::DelimitedRows {
public:
    /// Errors    CorruptData if a header field is not name:type with type token, float, token_seq or float_seq
    explicit RecBoleRows(io::Text text) : io::DelimitedRows(std::move(text), "\t") {
        next();  // a text has at least one row
        std::vector<std::string_view> names;
        for (const std::string_view field : fields()) {
            const std::size_t colon = field.rfind(':');
            const std::string_view type = colon == std::string_view::npos ? "" : field.substr(colon + 1);
            if (colon == 0 || (type != "token" && type != "float" && type != "token_seq" && type != "float_seq")) {
                reject("a column as name:type, of type token, float, token_seq or float_seq", io::Text::quote(field));
            }
            names.push_back(field.substr(0, colon));
            types_.push_back(type);
        }
        set_header(std::move(names));
    }

    /// The position of a column, if it exists.
    ///
    /// Errors    CorruptData if the column has another type, or there are two with that name
    [[nodiscard]] std::optional<std::size_t> find_column_of(std::string_view name, std::string_view type) const {
        const std::optional<std::size_t> found = find_column(name);
        if (found && types_[*found] != type) {
            text().reject(1, io::Text::quote(name) + " of type " + std::string(type), types_[*found]);
        }
        return found;
    }

private:
    std::vector<std::string_view> types_;
};

namespace detail {

[[nodiscard]] inline Interactions read_recbole(io::Text text) {
    RecBoleRows rows(std::move(text));
    LogColumns columns{.user = {rows.column("user_id"), "a user_id"}, .item = {rows.column("item_id"), "an item_id"}};
    static_cast<void>(rows.find_column_of("user_id", "token"));
    static_cast<void>(rows.find_column_of("item_id", "token"));
    if (const auto rating = rows.find_column_of("rating", "float")) {
        columns.value = LogColumn{*rating, "rating"};
    }
    if (const auto timestamp = rows.find_column_of("timestamp", "float")) {
        columns.time = LogColumn{*timestamp, "timestamp"};
    }
    return gather_log(rows, columns, "an interaction");
}

}  // namespace detail

/// Reads a log from a RecBole atomic file with the columns user_id:token and item_id:token and, optionally,
/// rating:float and timestamp:float. Other columns are ignored.
///
/// Returns   the rows in the order of the file; without ratings the values are 1, without timestamps the times are 0
/// Errors    IOError if the file cannot be read; CorruptData, with the line, if the file has another format or no row
/// Source    RecBole, "Atomic files" (recbole.io/docs/user_guide/data/atomic_files.html)
[[nodiscard]] inline Interactions read_recbole(const std::string& path) {
    return detail::read_recbole(io::Text::read(path));
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel

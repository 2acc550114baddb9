// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/decimal.hpp>
#include <funnel/io/text.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Whether a field may be in double quotes. A quoted field may contain delimiters, line ends and doubled quotes
/// (RFC 4180).
enum class Quotes { None, Allowed };

/// Reads the rows of a delimited text. Strict: every row has the same number of fields, and a number is a whole field.
///
///     DelimitedRows rows(Text::read(path), "\t");
///     rows.expect_columns(4);
///     while (rows.next()) { use(rows.key(0, "user id"), rows.number<float>(2, "rating")); }
///
/// Lines end in LF or CRLF; the last line end is optional. A field is a view into the text, valid as long as the
/// DelimitedRows object.
///
/// Cost      O(characters) for all rows together
class DelimitedRows {
public:
    /// Errors    InvalidArgument if the delimiter is empty or contains a quote or a line end
    DelimitedRows(Text text, std::string_view delimiter, Quotes quotes = Quotes::None)
        : text_(std::move(text)), delimiter_(delimiter), quotes_(quotes) {
        require(!delimiter_.empty() && delimiter_.find_first_of("\"\r\n") == std::string::npos,
                "DelimitedRows: delimiter must not be empty or contain a quote or a line end");
    }

    DelimitedRows(const DelimitedRows&) = delete;  // fields point into the text
    DelimitedRows& operator=(const DelimitedRows&) = delete;

    /// Sets the number of columns. Without this call, the first row determines it.
    void expect_columns(std::size_t columns) noexcept { columns_ = columns; }

    /// Reads the next row; returns false at the end. If it throws, the current row is unchanged.
    ///
    /// Errors    CorruptData if the row has another number of fields than expected, or its quotes do not match
    bool next() {
        const std::string_view content = text_.content_;
        if (at_ >= content.size()) {
            return false;
        }
        next_fields_.clear();
        const std::size_t stop = std::min(content.find('\n', at_), content.size());
        const std::string_view row = content.substr(at_, stop - at_);
        const bool is_quoted = quotes_ == Quotes::Allowed && row.find('"') != std::string_view::npos;
        Place after{stop + 1, next_line_ + 1};
        if (is_quoted) {
            after = split_quoted();
        } else {
            split(row.ends_with('\r') ? row.substr(0, row.size() - 1) : row);
        }
        if (columns_ && *columns_ != next_fields_.size()) {
            reject_next(std::to_string(*columns_) + " columns", std::to_string(next_fields_.size()));
        }

        columns_ = next_fields_.size();
        fields_.swap(next_fields_);
        line_ = next_line_;
        at_ = after.at;
        next_line_ = after.line;
        if (is_quoted) {
            unquote();
        }
        return true;
    }

    [[nodiscard]] std::span<const std::string_view> fields() const noexcept FUNNEL_LIFETIMEBOUND {
        return {fields_.data(), fields_.size()};
    }
    [[nodiscard]] const Text& text() const noexcept FUNNEL_LIFETIMEBOUND { return text_; }

    /// A non-empty field, for use as a key.
    ///
    /// Errors    CorruptData if it is empty or the row has no such field
    [[nodiscard]] std::string_view key(std::size_t column, std::string_view what) const FUNNEL_LIFETIMEBOUND {
        const std::string_view field = field_at(column);
        if (field.empty()) {
            reject(what, "an empty field");
        }
        return field;
    }

    /// A field that is, as a whole, a finite number with a decimal point, independent of the locale.
    ///
    /// Errors    CorruptData if it is not a finite number or the row has no such field
    template <std::floating_point T>
    [[nodiscard]] T number(std::size_t column, std::string_view what) const {
        const std::string_view field = field_at(column);
        const std::optional<T> value = detail::parse_decimal<T>(field);
        if (!value) {
            reject("a finite number as " + std::string(what), Text::quote(field));
        }
        return *value;
    }

    /// Throws CorruptData for the current row.
    [[noreturn]] void reject(std::string_view expected, std::string_view found) const {
        text_.reject(line_, expected, found);
    }

    /// Throws CorruptData because something is missing after the last row.
    [[noreturn]] void reject_end(std::string_view expected) const {
        text_.reject(next_line_, expected, "the end of the file");
    }

    /// Reads the next row as column names; all other rows must have the same length.
    void read_header() {
        if (!next()) {
            reject_end("a header");
        }
        set_header(std::move(fields_));
    }

    /// The position of a column, if it exists.
    ///
    /// Errors    CorruptData if there are two with that name
    [[nodiscard]] std::optional<std::size_t> find_column(std::string_view name) const {
        const auto found = std::find(header_.begin(), header_.end(), name);
        if (found == header_.end()) {
            return std::nullopt;
        }
        if (std::find(found + 1, header_.end(), name) != header_.end()) {
            reject("each column once", Text::quote(name) + " twice");
        }
        return static_cast<std::size_t>(found - header_.begin());
    }

    /// Errors    CorruptData if the column is missing (the message lists the existing columns) or occurs twice
    [[nodiscard]] std::size_t column(std::string_view name) const {
        const std::optional<std::size_t> found = find_column(name);
        if (!found) {
            reject("a column " + Text::quote(name), header_list());
        }
        return *found;
    }

    /// The column names; empty without a header.
    [[nodiscard]] std::span<const std::string_view> header() const noexcept FUNNEL_LIFETIMEBOUND {
        return {header_.data(), header_.size()};
    }

    /// The column names for an error message: `the columns "user", "item"`.
    [[nodiscard]] std::string header_list() const {
        constexpr std::size_t most = 20;
        std::string list = "the columns ";
        for (std::size_t i = 0; i < std::min(most, header_.size()); ++i) {
            list += (i == 0 ? "" : ", ") + Text::quote(header_[i]);
        }
        return header_.size() <= most ? list : list + ", ... (" + std::to_string(header_.size()) + " in all)";
    }

protected:
    void set_header(std::vector<std::string_view> names) noexcept {
        header_ = std::move(names);
        columns_ = header_.size();
    }

private:
    struct Place {
        std::size_t at;
        std::size_t line;
    };

    [[nodiscard]] std::string_view field_at(std::size_t column) const {
        if (column >= fields_.size()) {
            reject("at least " + std::to_string(math::saturating_add(column, 1)) + " columns",
                   std::to_string(fields_.size()));
        }
        return fields_[column];
    }

    [[noreturn]] void reject_next(std::string_view expected, std::string_view found) const {
        text_.reject(next_line_, expected, found);
    }

    void split(std::string_view row) {
        while (true) {
            const std::size_t stop = delimiter_.size() == 1 ? row.find(delimiter_.front()) : row.find(delimiter_);
            next_fields_.push_back(row.substr(0, stop));
            if (stop == std::string_view::npos) {
                return;
            }
            row.remove_prefix(stop + delimiter_.size());
        }
    }

    // Splits the row at at_, which contains quotes. Quoted fields keep their quotes. Returns the end of the row.
    [[nodiscard]] Place split_quoted() {
        const std::string_view content = text_.content_;
        Place place{at_, next_line_ + 1};
        while (true) {
            const std::size_t end =
                content.substr(place.at, 1) == "\"" ? end_of_quoted(place.at) : end_of_plain(place.at);
            const std::string_view field = content.substr(place.at, end - place.at);
            next_fields_.push_back(field);
            place.line += static_cast<std::size_t>(std::count(field.begin(), field.end(), '\n'));
            place.at = end;
            if (content.substr(place.at, delimiter_.size()) == delimiter_) {
                place.at += delimiter_.size();
                continue;
            }
            if (content.substr(place.at, 2) == "\r\n") {
                ++place.at;
            }
            if (place.at < content.size() && content[place.at] != '\n') {
                reject_next("a delimiter after the closing quote", Text::quote(content.substr(place.at, 1)));
            }
            ++place.at;
            return place;
        }
    }

    // The position after the closing quote of the field whose opening quote is at `at`.
    [[nodiscard]] std::size_t end_of_quoted(std::size_t at) const {
        const std::string_view content = text_.content_;
        while (true) {
            const std::size_t quote = content.find('"', at + 1);
            if (quote == std::string_view::npos) {
                reject_next("a closing quote", "the end of the file");
            }
            if (content.substr(quote + 1, 1) != "\"") {
                return quote + 1;
            }
            at = quote + 1;
        }
    }

    // Scans only to the end of the field, because a row may have a million fields.
    [[nodiscard]] std::size_t end_of_plain(std::size_t at) const {
        const std::string_view content = text_.content_;
        const std::size_t begin = at;
        const auto is_end = [&] {
            return content[at] == '\n' ||
                   (content[at] == delimiter_.front() && content.substr(at, delimiter_.size()) == delimiter_);
        };
        while (at < content.size() && !is_end()) {
            ++at;
        }
        if (at > begin && content[at - 1] == '\r' && content.substr(at, 1) == "\n") {
            --at;
        }
        const std::string_view field = content.substr(begin, at - begin);
        if (field.find('"') != std::string_view::npos) {
            reject_next("a field quoted from end to end or not at all", Text::quote(field));
        }
        return at;
    }

    // Removes the quotes from the fields of this row, and replaces doubled quotes by one, in place.
    void unquote() noexcept {
        for (std::string_view& field : fields_) {
            if (!field.starts_with('"')) {
                continue;
            }
            char* const begin = text_.content_.data() + (field.data() - text_.content_.data()) + 1;
            const char* const closing = begin + field.size() - 2;
            char* end = begin;
            for (const char* c = begin; c < closing; ++c) {
                *end++ = *c;
                c += *c == '"' ? 1 : 0;
            }
            field = {begin, static_cast<std::size_t>(end - begin)};
        }
    }

    Text text_;
    std::string delimiter_;
    Quotes quotes_;
    std::optional<std::size_t> columns_;
    std::vector<std::string_view> header_;
    std::vector<std::string_view> fields_;
    std::vector<std::string_view> next_fields_;
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t next_line_ = 1;
};

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

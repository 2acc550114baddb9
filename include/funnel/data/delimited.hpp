// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/data/decimal.hpp>
#include <funnel/data/iso8601.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/recognise.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

/// The text of a file, and the name by which errors speak of it: "u.data:17: expected 4 columns, found 3".
///
/// A UTF-8 byte order mark is dropped. All other bytes stay what they are: UTF-8 and Latin-1 pass unchanged.
class Text {
public:
    /// Errors    CorruptData if there is nothing but line ends, or if it is no text: a compressed file, UTF-16, or
    ///           anything else with a NUL byte
    Text(std::string name, std::string content) : name_(std::move(name)), content_(std::move(content)) {
        if (content_.starts_with("\xEF\xBB\xBF")) {
            content_.erase(0, 3);
        }
        const std::size_t nul = content_.find('\0');
        const bool starts_as_text = content_.empty() || (content_[0] >= ' ' && content_[0] <= '~');
        if (nul != std::string::npos || !starts_as_text) {
            if (const std::string_view format = io::recognise_format(content_); !format.empty()) {
                reject(1, "text", format);
            }
        }
        if (nul != std::string::npos) {
            const auto stop = content_.begin() + static_cast<std::ptrdiff_t>(nul);
            reject(1 + static_cast<std::size_t>(std::count(content_.begin(), stop, '\n')), "text", "a NUL byte");
        }
        content_.erase(content_.find_last_not_of("\r\n") + 1);  // empty lines at the end
        if (content_.empty()) {
            reject(1, "a row", "an empty file");
        }
    }

    /// Errors    IOError if the file cannot be read; CorruptData as above
    [[nodiscard]] static Text read(const std::string& path) {
        const std::vector<std::byte> bytes = io::read_file(path);
        return {path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())};
    }

    [[nodiscard]] const std::string& name() const noexcept FUNNEL_LIFETIMEBOUND { return name_; }
    [[nodiscard]] std::string_view first_line() const noexcept FUNNEL_LIFETIMEBOUND {
        std::string_view line = std::string_view(content_).substr(0, content_.find('\n'));
        if (line.ends_with('\r')) {
            line.remove_suffix(1);
        }
        return line;
    }

    [[noreturn]] void reject(std::size_t line, std::string_view expected, std::string_view found) const {
        std::string message = name_ + ":" + std::to_string(line) + ": expected ";
        message.append(expected).append(", found ").append(found);
        raise<CorruptData>(message);
    }

    /// A piece of the text for an error message: in quotes, short, without control characters.
    [[nodiscard]] static std::string quote(std::string_view piece) {
        constexpr std::size_t longest = 60;
        std::string quoted = '"' + std::string(piece.substr(0, longest)) + (piece.size() > longest ? "..." : "") + '"';
        std::replace_if(
            quoted.begin(), quoted.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; },
            '?');
        return quoted;
    }

private:
    friend class DelimitedRows;

    std::string name_;
    std::string content_;
};

/// Whether a field may stand in double quotes, where it may hold delimiters, line ends and doubled quotes (RFC 4180).
enum class Quotes { None, Allowed };

/// Walks over the rows of a delimited text. Strict: every row has the same number of fields, numbers are whole fields.
///
///     DelimitedRows rows(Text::read(path), "\t");
///     rows.expect_columns(4);
///     while (rows.next()) { use(rows.key(0, "user id"), rows.number<float>(2, "rating")); }
///
/// Lines end in LF or CRLF; the last may lack it. A field points into the text and lives until the rows do.
class DelimitedRows {
public:
    /// Errors    InvalidArgument if the delimiter is empty or holds a quote or a line end
    DelimitedRows(Text text, std::string_view delimiter, Quotes quotes = Quotes::None)
        : text_(std::move(text)), delimiter_(delimiter), quotes_(quotes) {
        require(!delimiter_.empty() && delimiter_.find_first_of("\"\r\n") == std::string::npos,
                "DelimitedRows: the delimiter must not be empty, a quote or a line end");
    }

    DelimitedRows(const DelimitedRows&) = delete;  // fields point into the text
    DelimitedRows& operator=(const DelimitedRows&) = delete;

    void expect_columns(std::size_t columns) noexcept { columns_ = columns; }

    /// For a table without a header: every row must be as long as the first one, which has a column at this position.
    ///
    /// Errors    CorruptData if it has not
    void expect_like_first_row(std::size_t position) {
        next();  // a text has at least one row
        columns_ = fields_.size();
        if (position >= fields_.size()) {
            reject("a column at position " + std::to_string(position),
                   std::to_string(fields_.size()) + " columns, the first at position 0");
        }
        is_read_ahead_ = true;
    }

    /// Goes to the next row; false at the end.
    ///
    /// Errors    CorruptData if the row has another number of fields than expected, or its quotes do not match
    bool next() {
        if (std::exchange(is_read_ahead_, false)) {
            return true;
        }
        const std::string& content = text_.content_;
        if (at_ >= content.size()) {
            return false;
        }
        line_ = next_line_;
        fields_.clear();
        const std::size_t stop = std::min(content.find('\n', at_), content.size());
        std::string_view row = std::string_view(content).substr(at_, stop - at_);
        if (quotes_ == Quotes::Allowed && row.find('"') != std::string_view::npos) {
            split_quoted();
        } else {
            split(row.ends_with('\r') ? row.substr(0, row.size() - 1) : row);
            at_ = stop + 1;
        }
        ++next_line_;
        if (columns_ && *columns_ != fields_.size()) {
            reject(std::to_string(*columns_) + " columns", std::to_string(fields_.size()));
        }
        return true;
    }

    [[nodiscard]] std::span<const std::string_view> fields() const noexcept FUNNEL_LIFETIMEBOUND {
        return {fields_.data(), fields_.size()};
    }
    [[nodiscard]] const Text& text() const noexcept FUNNEL_LIFETIMEBOUND { return text_; }

    /// A field that names something: not empty.
    ///
    /// Errors    CorruptData if it is empty;  InvalidArgument if the row has no such column
    [[nodiscard]] std::string_view key(std::size_t column, std::string_view what) const FUNNEL_LIFETIMEBOUND {
        const std::string_view field = field_at(column);
        if (field.empty()) {
            reject(what, "an empty field");
        }
        return field;
    }

    /// A field that is a finite number from end to end, with a point, in whatever locale.
    template <std::floating_point T>
    [[nodiscard]] T number(std::size_t column, std::string_view what) const {
        const std::optional<T> value = detail::parse_decimal<T>(field_at(column));
        if (!value) {
            reject("a finite number as " + std::string(what), Text::quote(field_at(column)));
        }
        return *value;
    }

    /// A field that is a finite number, or a date and time as parse_iso8601 reads it: then seconds since 1970.
    [[nodiscard]] double time(std::size_t column, std::string_view what) const {
        std::optional<double> value = detail::parse_decimal<double>(field_at(column));
        if (!value) {
            value = parse_iso8601(field_at(column));
        }
        if (!value) {
            reject("a finite number or an ISO 8601 date and time as " + std::string(what),
                   Text::quote(field_at(column)));
        }
        return *value;
    }

    /// Says that the current row is not what it should be.
    [[noreturn]] void reject(std::string_view expected, std::string_view found) const {
        text_.reject(line_, expected, found);
    }

    /// Says that something is missing after the last row.
    [[noreturn]] void reject_end(std::string_view expected) const {
        text_.reject(next_line_, expected, "the end of the file");
    }

    /// Takes the first row as names of columns; every other row must be as long.
    void read_header() {
        next();  // a text has at least one row
        set_header({fields_.begin(), fields_.end()});
    }

    void set_header(std::vector<std::string> names) {
        header_ = std::move(names);
        columns_ = header_.size();
    }

    /// The names of the columns; empty without a header.
    [[nodiscard]] std::span<const std::string> header() const noexcept FUNNEL_LIFETIMEBOUND { return header_; }

    /// Errors    CorruptData if there are two columns of this name
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

    /// Errors    CorruptData, naming the columns there are, if this one is missing or comes twice
    [[nodiscard]] std::size_t column(std::string_view name) const {
        const std::optional<std::size_t> found = find_column(name);
        if (!found) {
            reject_columns("a column " + Text::quote(name));
        }
        return *found;
    }

    /// Says that the columns are not what they should be, and what they are.
    [[noreturn]] void reject_columns(std::string_view expected) const {
        constexpr std::size_t most = 20;
        std::string list;
        for (std::size_t i = 0; i < header_.size() && i < most; ++i) {
            list += (i == 0 ? "" : ", ") + Text::quote(header_[i]);
        }
        if (header_.size() > most) {
            list += " and " + std::to_string(header_.size() - most) + " more";
        }
        reject(expected, "the columns " + list);
    }

private:
    // A field that a caller asks for by its place.
    [[nodiscard]] std::string_view field_at(std::size_t column) const {
        if (column >= fields_.size()) {
            raise<InvalidArgument>("DelimitedRows: column must be below " + std::to_string(fields_.size()) + ", got " +
                                   std::to_string(column));
        }
        return fields_[column];
    }

    void split(std::string_view row) {
        while (true) {
            const std::size_t stop = delimiter_.size() == 1 ? row.find(delimiter_.front()) : row.find(delimiter_);
            fields_.push_back(row.substr(0, stop));
            if (stop == std::string_view::npos) {
                return;
            }
            row.remove_prefix(stop + delimiter_.size());
        }
    }

    // The row at at_, of which some field is in quotes. Doubled quotes become one in place, which never grows.
    void split_quoted() {
        std::string& content = text_.content_;
        while (true) {
            if (at_ < content.size() && content[at_] == '"') {
                unquote();
            } else {
                take_plain();
            }
            if (content.compare(at_, delimiter_.size(), delimiter_) == 0) {
                at_ += delimiter_.size();
                continue;
            }
            if (content.compare(at_, 2, "\r\n") == 0) {
                ++at_;
            }
            if (at_ < content.size() && content[at_] != '\n') {
                reject("a delimiter after the closing quote", Text::quote(std::string_view(content).substr(at_, 1)));
            }
            ++at_;
            return;
        }
    }

    void unquote() {
        std::string& content = text_.content_;
        const std::size_t begin = ++at_;
        std::size_t end = begin;
        while (true) {
            const std::size_t quote = content.find('"', at_);
            if (quote == std::string::npos) {
                reject("a closing quote", "the end of the file");
            }
            std::copy(content.data() + at_, content.data() + quote, content.data() + end);
            end += quote - at_;
            at_ = quote + 1;
            if (at_ == content.size() || content[at_] != '"') {
                break;
            }
            content[end++] = '"';
            ++at_;
        }
        fields_.push_back(std::string_view(content).substr(begin, end - begin));
        next_line_ += static_cast<std::size_t>(std::count(fields_.back().begin(), fields_.back().end(), '\n'));
    }

    void take_plain() {
        // Looks no further than the end of the field: a search for the next line end from every field of a long row
        // would be quadratic.
        const std::string_view content = text_.content_;
        const char ends[2] = {delimiter_.front(), '\n'};
        std::size_t end = at_;
        while (true) {
            end = std::min(content.find_first_of(std::string_view(ends, 2), end), content.size());
            if (end == content.size() || content[end] == '\n' ||
                content.compare(end, delimiter_.size(), delimiter_) == 0) {
                break;
            }
            ++end;
        }
        std::string_view field = content.substr(at_, end - at_);
        if (end < content.size() && content[end] == '\n' && field.ends_with('\r')) {
            field.remove_suffix(1);
        }
        if (field.find('"') != std::string_view::npos) {
            reject("a field quoted from end to end or not at all", Text::quote(field));
        }
        fields_.push_back(field);
        at_ += field.size();
    }

    Text text_;
    std::string delimiter_;
    Quotes quotes_;
    std::optional<std::size_t> columns_;
    std::vector<std::string> header_;
    std::vector<std::string_view> fields_;
    bool is_read_ahead_ = false;  // the current row has not been given to the caller yet
    std::size_t at_ = 0;
    std::size_t line_ = 1;
    std::size_t next_line_ = 1;
};

}  // namespace funnel::data

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/recognise.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// The text of a file, and its name in error messages: "u.data:17: expected 4 columns, found 3".
///
/// A UTF-8 byte order mark is dropped. All other bytes remain unchanged, so UTF-8 and Latin-1 are both accepted.
class Text {
public:
    /// Errors    CorruptData if the text has only line ends, if lines end in CR alone, or if it is not text:
    ///           compressed, UTF-16, or with a NUL byte
    Text(std::string name, std::string content) : name_(std::move(name)), content_(std::move(content)) {
        if (const std::string_view other = io::known_format(std::as_bytes(std::span(content_))); !other.empty()) {
            reject(1, "text", other);
        }
        if (content_.starts_with("\xEF\xBB\xBF")) {
            content_.erase(0, 3);
        }
        if (const std::size_t nul = content_.find('\0'); nul != std::string::npos) {
            const auto stop = content_.begin() + static_cast<std::ptrdiff_t>(nul);
            reject(1 + static_cast<std::size_t>(std::count(content_.begin(), stop, '\n')), "text", "a NUL byte");
        }
        const bool has_only_cr = content_.find('\n') == std::string::npos && content_.find('\r') != std::string::npos;
        content_.erase(content_.find_last_not_of("\r\n") + 1);  // empty lines at the end
        if (content_.empty()) {
            reject(1, "a row", "an empty file");
        }
        if (has_only_cr) {  // otherwise, all rows would be read as one
            reject(1, "lines that end in LF or CRLF", "lines that end in CR alone (convert them first)");
        }
    }

    Text(const Text&) = default;
    Text(Text&&) noexcept = default;
    Text& operator=(const Text& other) { return *this = Text(other); }  // strong guarantee
    Text& operator=(Text&&) noexcept = default;
    ~Text() = default;

    /// Errors    IOError if the file cannot be read; CorruptData as above
    [[nodiscard]] static Text read(const std::string& path) { return {path, io::read_file<std::string>(path)}; }

    [[nodiscard]] const std::string& name() const noexcept FUNNEL_LIFETIMEBOUND { return name_; }
    /// All lines, without empty ones at the end.
    [[nodiscard]] std::string_view content() const noexcept FUNNEL_LIFETIMEBOUND { return content_; }
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

    /// Formats a piece of the text for an error message: quoted, shortened, without control characters.
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

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

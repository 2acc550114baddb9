// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/json_nodes.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io::detail {

[[nodiscard]] inline std::size_t skip_json_spaces(std::string_view text, std::size_t at) noexcept {
    while (at < text.size() && (text[at] == ' ' || text[at] == '\n' || text[at] == '\r' || text[at] == '\t')) {
        ++at;
    }
    return at;
}

// The end of the number that starts at a position, or the position itself if none does. XGBoost also writes NaN,
// Infinity and -Infinity.
[[nodiscard]] inline std::size_t end_of_json_number(std::string_view text, std::size_t first) noexcept {
    std::size_t at = first;
    const auto is_digit = [&] { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    const auto accept = [&](char a, char b) {
        const bool is_next = at < text.size() && (text[at] == a || text[at] == b);
        at += is_next ? 1 : 0;
        return is_next;
    };
    const auto skip_digits = [&] {
        const std::size_t start = at;
        while (is_digit()) {
            ++at;
        }
        return at != start;
    };
    if (text.substr(first, 3) == "NaN") {
        return first + 3;
    }
    accept('-', '-');
    if (text.substr(at, 8) == "Infinity") {
        return at + 8;
    }
    if (!accept('0', '0') && !skip_digits()) {
        return first;
    }
    if (accept('.', '.') && !skip_digits()) {
        return first;
    }
    if (accept('e', 'E')) {
        accept('+', '-');
        if (!skip_digits()) {
            return first;
        }
    }
    return at;
}

// Parses JSON (RFC 8259) with NaN, Infinity and -Infinity.
class JSONTextParser {
public:
    explicit JSONTextParser(JSONNodes& nodes) : nodes_(nodes), text_(nodes.text()) {}

    void parse() {
        skip_spaces();
        value(1);
        skip_spaces();
        if (at_ != text_.size()) {
            nodes_.fail_here(at_, "the end of the file");
        }
    }

private:
    void skip_spaces() noexcept { at_ = skip_json_spaces(text_, at_); }

    [[nodiscard]] char next() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }

    [[nodiscard]] bool accept(char c) noexcept {
        skip_spaces();
        const bool is_next = at_ < text_.size() && text_[at_] == c;
        at_ += is_next ? 1 : 0;
        return is_next;
    }

    void value(unsigned depth) {
        switch (next()) {
            case '{':
                return object(depth);
            case '[':
                return array(depth);
            case '"':
                return string();
            case 't':
                return word("true", JSONKind::True);
            case 'f':
                return word("false", JSONKind::False);
            case 'n':
                return word("null", JSONKind::Null);
            default:
                return number();
        }
    }

    void word(std::string_view word, JSONKind kind) {
        if (text_.substr(at_, word.size()) != word) {
            nodes_.fail_here(at_, "a value");
        }
        nodes_.add(kind, at_);
        at_ += word.size();
    }

    void number() {
        const std::size_t end = end_of_json_number(text_, at_);
        if (end == at_) {
            nodes_.fail_here(at_, "a value");
        }
        nodes_.add(JSONKind::Number, at_, end - at_);
        at_ = end;
    }

    void string() {
        const std::size_t first = at_ + 1;
        char type = 0;
        for (std::size_t at = first; at < text_.size(); ++at) {
            const char c = text_[at];
            if (c == '"') {
                nodes_.add(JSONKind::String, first, at - first, type);
                at_ = at + 1;
                return;
            }
            if (static_cast<unsigned char>(c) < 0x20) {
                nodes_.fail_here(at, "no control characters in a string");
            }
            if (c == '\\') {
                type = '\\';
                ++at;  // the character after it may be a quote; what the escape means is checked where it is read
            }
        }
        nodes_.fail(first, "a closing quote", "the end of the file");
    }

    void array(unsigned depth) {
        nodes_.check_depth(at_, depth);
        ++at_;
        if (numbers()) {
            return;
        }
        const std::size_t node = nodes_.open(JSONKind::Array, at_);
        std::uint64_t size = 0;
        if (!accept(']')) {
            do {
                skip_spaces();
                value(depth + 1);
                ++size;
            } while (accept(','));
            if (!accept(']')) {
                nodes_.fail_here(at_, R"("," or "]")");
            }
        }
        nodes_.close(node, size);
    }

    // Reads the rest of an array if it holds only numbers.
    [[nodiscard]] bool numbers() {
        std::uint64_t size = 0;
        std::size_t at = at_;
        do {
            const std::size_t first = skip_json_spaces(text_, at == at_ ? at : at + 1);
            const std::size_t end = end_of_json_number(text_, first);
            if (end == first) {
                return false;
            }
            at = skip_json_spaces(text_, end);
            ++size;
        } while (at < text_.size() && text_[at] == ',');
        if (at >= text_.size() || text_[at] != ']') {
            return false;
        }
        nodes_.add(JSONKind::Numbers, at_, size);
        at_ = at + 1;
        return true;
    }

    void object(unsigned depth) {
        nodes_.check_depth(at_, depth);
        const std::size_t node = nodes_.open(JSONKind::Object, at_);
        ++at_;
        std::uint64_t size = 0;
        if (!accept('}')) {
            do {
                skip_spaces();
                if (next() != '"') {
                    nodes_.fail_here(at_, "a key in quotes");
                }
                string();
                if (!accept(':')) {
                    nodes_.fail_here(at_, "\":\"");
                }
                skip_spaces();
                value(depth + 1);
                ++size;
            } while (accept(','));
            if (!accept('}')) {
                nodes_.fail_here(at_, R"("," or "}")");
            }
        }
        nodes_.close(node, size);
    }

    JSONNodes& nodes_;
    std::string_view text_;
    std::size_t at_ = 0;
};

}  // namespace io::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

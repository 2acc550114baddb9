// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/io/utf8.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace features {

namespace detail {

// The code point at text[at], which is valid UTF-8, and the position after it.
struct CodePoint {
    char32_t value;
    std::size_t end;
};

[[nodiscard]] inline CodePoint code_point(std::string_view text, std::size_t at) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
    const unsigned first = byte(0);
    const std::size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
    char32_t value = length == 1 ? first : first & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length; ++i) {
        value = value << 6 | (byte(i) & 0x3FU);
    }
    return {value, at + length};
}

inline void append_utf8(std::string& text, char32_t c) {
    const auto byte = [&](char32_t bits) { text += static_cast<char>(bits); };
    if (c < 0x80) {
        byte(c);
    } else if (c < 0x800) {
        byte(0xC0 | c >> 6);
        byte(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        byte(0xE0 | c >> 12);
        byte(0x80 | (c >> 6 & 0x3F));
        byte(0x80 | (c & 0x3F));
    } else {
        byte(0xF0 | c >> 18);
        byte(0x80 | (c >> 12 & 0x3F));
        byte(0x80 | (c >> 6 & 0x3F));
        byte(0x80 | (c & 0x3F));
    }
}

[[nodiscard]] constexpr bool is_within(char32_t c, char32_t first, char32_t last) noexcept {
    return first <= c && c <= last;
}

// A character of a word: ASCII letters, digits and _, and all letters, digits and marks beyond ASCII. Punctuation,
// symbols and spaces lie in the blocks that are named here.
[[nodiscard]] constexpr bool is_word_character(char32_t c) noexcept {
    if (c < 0x80) {
        return is_within(c, 'a', 'z') || is_within(c, 'A', 'Z') || is_within(c, '0', '9') || c == '_';
    }
    const bool is_symbol = (c < 0xC0 && c != 0xAA && c != 0xB5 && c != 0xBA)  // Latin-1, but for ordinals and micro
                           || c == 0xD7 || c == 0xF7                          // times, division
                           || is_within(c, 0x2000, 0x2BFF)  // punctuation, currencies, arrows, mathematics, boxes
                           || is_within(c, 0x2E00, 0x2E7F)  // more punctuation
                           || is_within(c, 0x3000, 0x3004) || is_within(c, 0x3008, 0x3020)  // CJK punctuation
                           || is_within(c, 0xFE10, 0xFE6F)                                  // vertical and small forms
                           || is_within(c, 0xFF01, 0xFF0F) || is_within(c, 0xFF1A, 0xFF20)  // full-width punctuation
                           || is_within(c, 0xFF3B, 0xFF40) || is_within(c, 0xFF5B, 0xFF65) || c == 0xFEFF ||
                           is_within(c, 0x1F000, 0x1FAFF);  // pictures
    return !is_symbol;
}

// The small letter of the scripts that have two cases: Latin, Greek, Cyrillic, Armenian; other letters stay.
[[nodiscard]] constexpr char32_t lower(char32_t c) noexcept {
    const auto next_if = [c](bool is_capital) { return is_capital ? c + 1 : c; };
    if (c < 0x80) {
        return is_within(c, 'A', 'Z') ? c + 0x20 : c;
    }
    if (is_within(c, 0xC0, 0xDE)) {
        return c == 0xD7 ? c : c + 0x20;
    }
    if (is_within(c, 0x100, 0x17F)) {  // pairs: a capital, and the small letter after it
        if (c == 0x130 || c == 0x138 || c == 0x149 || c == 0x17F) {
            return c == 0x130 ? U'i' : c == 0x17F ? U's' : c;
        }
        if (c == 0x178) {
            return 0xFF;
        }
        const bool odd_capitals = is_within(c, 0x139, 0x148) || is_within(c, 0x179, 0x17E);
        return next_if((c % 2 == 1) == odd_capitals);
    }
    if (is_within(c, 0x386, 0x3AB)) {
        switch (c) {
            case 0x386:
                return 0x3AC;
            case 0x388:
            case 0x389:
            case 0x38A:
                return c + 0x25;
            case 0x38C:
                return 0x3CC;
            case 0x38E:
            case 0x38F:
                return c + 0x3F;
            default:
                return is_within(c, 0x391, 0x3AB) && c != 0x3A2 ? c + 0x20 : c;
        }
    }
    if (is_within(c, 0x400, 0x42F)) {
        return c < 0x410 ? c + 0x50 : c + 0x20;
    }
    if (is_within(c, 0x460, 0x481) || is_within(c, 0x48A, 0x4BF) || is_within(c, 0x4D0, 0x52F) ||
        is_within(c, 0x1E00, 0x1E95) || is_within(c, 0x1EA0, 0x1EFF)) {
        return next_if(c % 2 == 0);
    }
    return is_within(c, 0x531, 0x556) ? c + 0x30 : c;
}

}  // namespace detail

/// Calls visit(token) for each word of a text, in its order. A token is a run of at least two letters, digits, marks or
/// underscores, in small letters (UTF-8). Letters of Latin, Greek, Cyrillic and Armenian become small; there is no
/// stemming, and languages without spaces give one token per run. Text that is not valid UTF-8 is read as Latin-1.
///
/// The view that visit gets lives until it returns.
///
/// Source    the default tokens of scikit-learn's TfidfVectorizer, whose words have two word characters or more
template <class Visit>
void for_each_token(std::string_view text, const Visit& visit) {
    std::string converted;
    if (!io::is_utf8(text)) {
        converted = io::as_utf8(text);
        text = converted;
    }
    std::string token;
    std::size_t characters = 0;
    const auto end_token = [&] {
        if (characters >= 2) {
            visit(std::string_view(token));
        }
        token.clear();
        characters = 0;
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto [value, end] = detail::code_point(text, at);
        if (detail::is_word_character(value)) {
            detail::append_utf8(token, detail::lower(value));
            ++characters;
        } else {
            end_token();
        }
        at = end;
    }
    end_token();
}

}  // namespace features
}  // namespace FUNNEL_ABI
}  // namespace funnel

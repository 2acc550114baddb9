// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// Whether these bytes are valid UTF-8: no stray or missing continuation bytes, no overlong encodings, no surrogates,
/// nothing above U+10FFFF.
///
/// Source    The Unicode Standard, table 3-7
[[nodiscard]] inline bool is_utf8(std::string_view text) noexcept {
    const auto is_in = [&](std::size_t at, unsigned from, unsigned to) {
        const unsigned byte = at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
        return from <= byte && byte <= to;
    };
    for (std::size_t i = 0; i < text.size();) {
        std::size_t length = 0;
        if (is_in(i, 0x00, 0x7F)) {
            length = 1;
        } else if (is_in(i, 0xC2, 0xDF)) {
            length = 2;
        } else if (is_in(i, 0xE0, 0xEF)) {
            const bool is_shortest = !is_in(i, 0xE0, 0xE0) || is_in(i + 1, 0xA0, 0xBF);
            const bool is_character = !is_in(i, 0xED, 0xED) || is_in(i + 1, 0x80, 0x9F);
            length = is_shortest && is_character ? 3 : 0;
        } else if (is_in(i, 0xF0, 0xF4)) {
            const bool is_shortest = !is_in(i, 0xF0, 0xF0) || is_in(i + 1, 0x90, 0xBF);
            const bool is_character = !is_in(i, 0xF4, 0xF4) || is_in(i + 1, 0x80, 0x8F);
            length = is_shortest && is_character ? 4 : 0;
        }
        for (std::size_t k = 1; k < length; ++k) {
            length = is_in(i + k, 0x80, 0xBF) ? length : 0;
        }
        if (length == 0) {
            return false;
        }
        i += length;
    }
    return true;
}

/// Converts a text to UTF-8. Text that is not valid UTF-8 is read as Latin-1, the encoding of MovieLens 100K and 1M.
[[nodiscard]] inline std::string as_utf8(std::string_view text) {
    if (is_utf8(text)) {
        return std::string(text);
    }
    std::string converted;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80) {
            converted += c;
        } else {
            converted += static_cast<char>(0xC0 | byte >> 6);
            converted += static_cast<char>(0x80 | (byte & 0x3F));
        }
    }
    return converted;
}

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"

#include <funnel/io/decimal.hpp>
#include <funnel/io/iso8601.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/io/utf8.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <regex>

namespace funnel::fuzz::text_values_target {
namespace {

// The C library decides what a number is worth. The program never leaves the locale "C".
template <class T>
std::optional<T> decimal_by_definition(const std::string& text) {
    static const std::regex grammar(R"(-?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?)");
    if (!std::regex_match(text, grammar)) {
        return std::nullopt;
    }
    T value{};
    if constexpr (sizeof(T) == sizeof(float)) {
        value = std::strtof(text.c_str(), nullptr);
    } else {
        value = std::strtod(text.c_str(), nullptr);
    }
    return math::is_finite(value) ? std::optional(value) : std::nullopt;
}

void check_decimals(std::string_view text) {
    const std::string number(text.substr(0, 100));  // std::regex is recursive
    check(io::detail::parse_decimal<double>(number) == decimal_by_definition<double>(number),
          "a decimal is read as strtod reads it");
    check(io::detail::parse_decimal<float>(number) == decimal_by_definition<float>(number),
          "a decimal is read as strtof reads it");
    check(!io::detail::parse_decimal<double>(number) || io::detail::is_decimal(number),
          "what is read as a decimal is one");
}

// Decodes every character and compares it with the limits of its length.
bool is_utf8_by_definition(std::string_view text) {
    constexpr std::array<std::uint32_t, 4> smallest{0, 0x80, 0x800, 0x10000};
    for (std::size_t i = 0; i < text.size();) {
        const auto first = static_cast<unsigned char>(text[i]);
        const std::size_t more = first < 0x80 ? 0 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
        if ((first >= 0x80 && first < 0xC0) || first >= 0xF8 || more >= text.size() - i) {
            return false;
        }
        std::uint32_t character = more == 0 ? first : first & (0x3FU >> more);
        for (std::size_t k = 1; k <= more; ++k) {
            const auto next = static_cast<unsigned char>(text[i + k]);
            if (next >> 6 != 2) {
                return false;
            }
            character = character << 6 | (next & 0x3FU);
        }
        const bool is_surrogate = character >= 0xD800 && character < 0xE000;
        if (character < smallest[more] || character > 0x10FFFF || is_surrogate) {
            return false;
        }
        i += more + 1;
    }
    return true;
}

void check_utf8(std::string_view text) {
    check(io::is_utf8(text) == is_utf8_by_definition(text), "UTF-8 is what can be decoded");
    const std::string converted = io::as_utf8(text);
    check(io::is_utf8(converted), "as_utf8 returns UTF-8");
    check(!io::is_utf8(text) || converted == text, "as_utf8 leaves UTF-8 as it is");
}

std::string recognised(std::string_view text) {
    return io::recognise(std::as_bytes(std::span(text)));
}

void check_formats(std::string_view text) {
    const std::string found = recognised(text);
    check(!found.empty(), "every file has a description");
    check(found == recognised(text.substr(0, 64)), "the first 64 bytes decide");
    const auto is_printable = [](char c) { return (c >= ' ' && c <= '~') || c == '\t' || c == '\n' || c == '\r'; };
    const std::string_view start = text.substr(0, 64);
    const bool is_text = !start.empty() && std::all_of(start.begin(), start.end(), is_printable);
    check(is_text ? !found.starts_with("bytes ") : found != "text", "text is what is printable");
    if (is_text && start.size() >= 2) {
        std::string little_endian;
        std::string big_endian;
        for (const char c : start) {
            little_endian += {c, '\0'};
            big_endian += {'\0', c};
        }
        check(recognised(little_endian).starts_with("UTF-16"), "UTF-16 is recognised, little-endian");
        check(recognised(big_endian).starts_with("UTF-16"), "UTF-16 is recognised, big-endian");
    }
}

const Registered text_values({
    .name = "text_values",
    .run =
        [](const Input& input) {
            check_decimals(input.bytes);
            check_utf8(input.bytes);
            check_formats(input.bytes);
            if (const auto seconds = io::parse_iso8601(input.bytes)) {
                check(math::is_finite(*seconds), "times are finite");
            }
        },
    .seeds =
        [] {
            return std::vector<std::string>{"2024-02-29T23:59:59.25+05:30",
                                            "2016-12-31T23:59:60Z",
                                            "-12.5e-3",
                                            "1e400",
                                            "0.000000000000000000001",
                                            "Caf\xc3\xa9 \xf0\x9f\x8e\xac",
                                            "Caf\xe9",
                                            "\xe0\x9f\xbf",
                                            "\xed\xa0\x80",
                                            "\xf0\x8f\xbf\xbf",
                                            "\xf4\x90\x80\x80",
                                            "\xc1\xbf"};
        },
    .words = {"T",
              "Z",
              "e+",
              "e-",
              "E9",
              "+23:59",
              ":60",
              "9999-12-31",
              "0000-01-01",
              "\xef\xbb\xbf",
              "\xed\xa0\x80",
              "\xe0\x9f\xbf",
              "\xe0\xa0\x80",
              "\xf0\x8f\xbf\xbf",
              "\xf4\x8f\xbf\xbf",
              "\xc2\x80",
              "\x1f\x8b",
              "PK\x03\x04",
              "\x93NUMPY",
              "<!DOCTYPE"},
});

}  // namespace
}  // namespace funnel::fuzz::text_values_target

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include <doctest/doctest.h>

using funnel::io::as_utf8;
using funnel::io::is_utf8;

namespace {

// The encoding of a number in a given count of bytes, allowed or not.
std::string encoded(std::uint32_t number, int bytes) {
    if (bytes == 1) {
        return {static_cast<char>(number)};
    }
    std::string text;
    for (int k = bytes - 1; k > 0; --k) {
        text.insert(text.begin(), static_cast<char>(0x80 | (number & 0x3F)));
        number >>= 6;
    }
    const unsigned mark = bytes == 2 ? 0xC0 : bytes == 3 ? 0xE0 : 0xF0;
    text.insert(text.begin(), static_cast<char>(mark | number));
    return text;
}

}  // namespace

TEST_CASE("utf8: a number is a character in its shortest form alone, and no surrogate") {
    for (std::uint32_t number = 0; number < 0x120000; number += number < 0x11000 ? 1 : 61) {
        const int shortest = number < 0x80 ? 1 : number < 0x800 ? 2 : number < 0x10000 ? 3 : 4;
        const bool is_character = number < 0x110000 && (number < 0xD800 || number > 0xDFFF);
        for (int bytes = shortest; bytes <= 4; ++bytes) {
            REQUIRE(is_utf8(encoded(number, bytes)) == (is_character && bytes == shortest));
        }
        if (is_character && shortest > 1) {
            const std::string whole = encoded(number, shortest);
            REQUIRE_FALSE(is_utf8(whole.substr(0, whole.size() - 1)));
            REQUIRE_FALSE(is_utf8(whole.substr(0, whole.size() - 1) + 'a'));
            REQUIRE_FALSE(is_utf8(whole.substr(1)));
            REQUIRE(is_utf8('a' + whole + 'b'));
        }
    }
}

TEST_CASE("utf8: bytes that begin nothing") {
    for (const unsigned byte : {0x80U, 0xBFU, 0xC0U, 0xC1U, 0xF5U, 0xFEU, 0xFFU}) {
        const std::string text{static_cast<char>(byte), '\x80', '\x80', '\x80'};
        CHECK_FALSE(is_utf8(text));
    }
    CHECK(is_utf8(""));
}

TEST_CASE("utf8: bytes that continue nothing, in each place") {
    for (const std::string whole : {"\xC3\xA9", "\xE2\x82\xAC", "\xF1\x80\x80\x80"}) {
        for (std::size_t at = 1; at < whole.size(); ++at) {
            for (const char byte : {'\x7F', '\xC0'}) {
                std::string broken = whole;
                broken[at] = byte;
                CHECK_FALSE(is_utf8(broken));
            }
        }
    }
}

TEST_CASE("as_utf8: UTF-8 stays, anything else is read as Latin-1") {
    CHECK(as_utf8("Heat") == "Heat");
    CHECK(as_utf8("Am\xC3\xA9lie") == "Am\xC3\xA9lie");
    CHECK(as_utf8("Am\xE9lie") == "Am\xC3\xA9lie");
    CHECK(as_utf8("\x7F\xE9") == "\x7F\xC3\xA9");
    CHECK(as_utf8("\xC6on \xFF") == "\xC3\x86on \xC3\xBF");
    for (unsigned byte = 0x80; byte <= 0xFF; ++byte) {
        CHECK(as_utf8(std::string(1, static_cast<char>(byte))) == encoded(byte, 2));
    }
}

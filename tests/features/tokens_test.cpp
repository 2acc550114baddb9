// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/features/tokens.hpp>

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

using funnel::features::for_each_token;

namespace {

std::vector<std::string> tokens_of(std::string_view text) {
    std::vector<std::string> tokens;
    for_each_token(text, [&](std::string_view token) { tokens.emplace_back(token); });
    return tokens;
}

using Tokens = std::vector<std::string>;

}  // namespace

TEST_CASE("for_each_token: words of two characters and more, in small letters") {
    CHECK(tokens_of("The cat, a DOG; and 42 of_7!") == Tokens{"the", "cat", "dog", "and", "42", "of_7"});
    CHECK(tokens_of("").empty());
    CHECK(tokens_of(" \t\n.,;").empty());
    CHECK(tokens_of("a b c").empty());
    CHECK(tokens_of("don't") == Tokens{"don"});
    CHECK(tokens_of("x-ray e.t.") == Tokens{"ray"});
    CHECK(tokens_of(std::string("nul\0byte", 8)) == Tokens{"nul", "byte"});
}

TEST_CASE("for_each_token: capital letters of Latin, Greek, Cyrillic and Armenian become small") {
    CHECK(tokens_of("\u00C9T\u00C9 \u0160KODA \u017D\u00D8\u00D0 \u0178\u0178") ==
          Tokens{"\u00E9t\u00E9", "\u0161koda", "\u017E\u00F8\u00F0", "\u00FF\u00FF"});
    CHECK(tokens_of("\u039F\u0394\u03A5\u03A3\u03A3\u0395\u0399\u0391 \u0386\u0388\u038C\u038F") ==
          Tokens{"\u03BF\u03B4\u03C5\u03C3\u03C3\u03B5\u03B9\u03B1", "\u03AC\u03AD\u03CC\u03CE"});
    CHECK(tokens_of("\u0412\u041E\u0419\u041D\u0410 \u0401\u0416") ==
          Tokens{"\u0432\u043E\u0439\u043D\u0430", "\u0451\u0436"});
    CHECK(tokens_of("\u0531\u0556 \u1E94\u1EA0") == Tokens{"\u0561\u0586", "\u1E95\u1EA1"});
    CHECK(tokens_of("\u0139\u013A\u0147 \u014A\u0150") == Tokens{"\u013A\u013A\u0148", "\u014B\u0151"});
}

TEST_CASE("for_each_token: punctuation, spaces and pictures beyond ASCII end a token") {
    CHECK(tokens_of("caf\u00E9\u2026noir \u00ABd\u00E9j\u00E0\u00BB vu\u2019s 20\u20AC3") ==
          Tokens{"caf\u00E9", "noir", "d\u00E9j\u00E0", "vu", "20"});
    CHECK(tokens_of("up\u00D7down ab\u00A0cd ef\u3000gh ij\U0001F600kl") ==
          Tokens{"up", "down", "ab", "cd", "ef", "gh", "ij", "kl"});
    CHECK(tokens_of("\u4E03\u4EBA\u306E\u4F8D") == Tokens{"\u4E03\u4EBA\u306E\u4F8D"});
    CHECK(tokens_of("e\u0301te\u0301") == Tokens{"e\u0301te\u0301"});  // marks belong to their letters
    CHECK(tokens_of("\U00020000\U00020001") == Tokens{"\U00020000\U00020001"});
}

TEST_CASE("for_each_token: text that is not UTF-8 is read as Latin-1") {
    CHECK(tokens_of("Caf\xE9 M\xDCnchen") == Tokens{"caf\u00E9", "m\u00FCnchen"});
}

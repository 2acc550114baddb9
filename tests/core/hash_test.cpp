// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/hash.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>

using funnel::detail::hash_bytes;
using funnel::detail::hash_name;
using funnel::detail::hash_word;

TEST_CASE("hash_word: known answers of SplitMix64") {
    // The first two numbers of the generator with seed 0: its state grows by the golden ratio.
    static_assert(hash_word(0, 0x9E3779B97F4A7C15) == 0xE220A8397B1DCDAF);
    static_assert(hash_word(0, 2 * 0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4);
}

TEST_CASE("hash_name: known answers of FNV-1a, 64 bits") {
    static_assert(hash_name("") == 0xCBF29CE484222325);
    static_assert(hash_name("a") == 0xAF63DC4C8601EC8C);
    static_assert(hash_name("foobar") == 0x85944171F73967E8);
    // Bytes above 127 are not negative: (start ^ 0xFF) * prime.
    static_assert(hash_name("\xff") == (0xCBF29CE484222325 ^ 0xFF) * 0x100000001B3);
}

TEST_CASE("hash_bytes: depends on every byte, on the length and on the seed") {
    const std::string text = "the quick brown fox";
    std::set<std::uint64_t> hashes{hash_bytes(0, text), hash_bytes(1, text)};
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string other = text;
        other[i] = static_cast<char>(other[i] ^ 1);
        hashes.insert(hash_bytes(0, other));
        hashes.insert(hash_bytes(0, text.substr(0, i)));
    }
    hashes.insert(hash_bytes(0, text + '\0'));
    CHECK(hashes.size() == 3 + 2 * text.size());
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/core/number_table.hpp>

#include <funnel/core/hash.hpp>

#include "support/allocations.hpp"

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using funnel::detail::hash_word;
using funnel::detail::NumberTable;

namespace {

// Keys by number, and how often one was compared with another.
struct Keys {
    NumberTable table;
    std::vector<std::uint64_t> words;
    std::size_t compared = 0;

    // The number of a key, which is the next free one if the key is new.
    std::uint32_t number_of(std::uint64_t word) {
        table.reserve(words.size() + 1,
                      [&](std::uint32_t number, std::uint64_t seed) { return hash_word(seed, words[number]); });
        const std::uint64_t hash = hash_word(table.seed(), word);
        const std::size_t slot = table.find(hash, [&](std::uint32_t number) {
            ++compared;
            return words[number] == word;
        });
        if (table[slot] == NumberTable::none) {
            table.put(slot, hash, static_cast<std::uint32_t>(words.size()));
            words.push_back(word);
        }
        return table[slot];
    }
};

std::uint64_t undo_shift(std::uint64_t mixed, unsigned shift) {
    std::uint64_t x = mixed;
    for (unsigned known = shift; known < 64; known += shift) {
        x = mixed ^ x >> shift;
    }
    return x;
}

// The inverse of an odd number, modulo 2^64, by Newton's iteration.
std::uint64_t inverse_of(std::uint64_t odd) {
    std::uint64_t inverse = odd;
    for (int i = 0; i < 6; ++i) {
        inverse *= 2 - odd * inverse;
    }
    return inverse;
}

// The word with hash_word(seed, word) == hash.
std::uint64_t word_with_hash(std::uint64_t hash, std::uint64_t seed) {
    std::uint64_t x = undo_shift(hash, 31) * inverse_of(0x94D049BB133111EB);
    x = undo_shift(x, 27) * inverse_of(0xBF58476D1CE4E5B9);
    return undo_shift(x, 30) ^ seed;
}

}  // namespace

TEST_CASE("NumberTable: numbers keys by first appearance") {
    Keys keys;
    constexpr std::uint32_t n = 10'000;
    for (std::uint32_t i = 0; i < n; ++i) {
        CHECK(keys.number_of(i * std::uint64_t{7'919}) == i);
    }
    for (std::uint32_t i = 0; i < n; ++i) {
        CHECK(keys.number_of(i * std::uint64_t{7'919}) == i);
    }
    CHECK(keys.table.capacity() >= n);
    CHECK(keys.table.capacity() < 4 * n);
    CHECK(keys.table.seed() == 0);  // ordinary keys never need another
}

TEST_CASE("NumberTable: keys that are made to fall together do not make it slow") {
    // One slot for all of them, however large the table: without another seed, that is n^2 / 2 comparisons.
    Keys keys;
    constexpr std::uint32_t n = 50'000;
    for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint64_t word = word_with_hash(std::uint64_t{i} << 40, 0);
        REQUIRE(hash_word(0, word) == std::uint64_t{i} << 40);
        const std::uint64_t seed = keys.table.seed();
        REQUIRE(keys.number_of(word) == i);
        if (keys.table.seed() != seed) {  // all keys have new places
            for (std::uint32_t old = 0; old <= i; ++old) {
                REQUIRE(keys.number_of(keys.words[old]) == old);
            }
        }
    }
    CHECK(keys.table.seed() > 0);
    CHECK(keys.compared < 10 * std::size_t{n});
    for (std::uint32_t i = 0; i < n; ++i) {
        REQUIRE(keys.number_of(keys.words[i]) == i);
    }
}

TEST_CASE("NumberTable: a failed allocation changes nothing") {
    const auto make = [] {
        Keys keys;
        for (std::uint64_t word = 0; word < 8; ++word) {  // full: the next one needs a larger table
            keys.number_of(word);
        }
        keys.words.reserve(16);
        return keys;
    };
    const auto state = [](const Keys& keys) {
        std::vector<std::uint64_t> seen = keys.words;
        seen.push_back(keys.table.capacity());
        seen.push_back(keys.table.seed());
        return seen;
    };
    const auto number_one_more = [](Keys& keys) { keys.number_of(8); };
    CHECK(funnel::testing::check_strong_guarantee(make, number_one_more, state) > 0);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace detail {

/// Mixes a word into a hash: all bits of the result depend on all bits of the word and of the previous hash. With the
/// same previous hash, different words give different results.
///
/// Source    Steele et al., "Fast splittable pseudorandom number generators", OOPSLA 2014 (the finalizer of SplitMix64)
[[nodiscard]] constexpr std::uint64_t hash_word(std::uint64_t hash, std::uint64_t word) noexcept {
    std::uint64_t mixed = hash ^ word;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return mixed ^ mixed >> 31;
}

/// A hash for tables in memory: fast, but it depends on the byte order of the machine.
[[nodiscard]] inline std::uint64_t hash_bytes(std::uint64_t seed, std::span<const char> bytes) noexcept {
    std::uint64_t hash = hash_word(seed, bytes.size());
    for (std::size_t i = 0; i < bytes.size(); i += sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + i, std::min(sizeof word, bytes.size() - i));
        hash = hash_word(hash, word);
    }
    return hash;
}

/// FNV-1a of a name: the same on every machine, and a constant expression.
///
/// Source    Fowler, Noll, Vo, "The FNV non-cryptographic hash algorithm", RFC 9923 (64 bits)
[[nodiscard]] constexpr std::uint64_t hash_name(std::string_view name) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325;
    for (const char c : name) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
    }
    return hash;
}

}  // namespace detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

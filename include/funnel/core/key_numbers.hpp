// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/number_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace detail {

// Assigns numbers 0, 1, 2, ... to keys in order of first appearance. O(1) per key.
class KeyNumbers {
public:
    // A key that can be committed. It is valid until the next call of prepare or commit.
    struct Prepared {
        std::size_t slot;
        std::uint64_t hash;
        std::string key;  // empty unless the key is new
    };

    // Does everything that can fail, without any visible change, so that commit cannot fail.
    [[nodiscard]] Prepared prepare(std::string_view key) {
        numbers_.reserve(keys_.size() + 1,
                         [&](std::uint32_t number, std::uint64_t seed) { return hash_bytes(seed, keys_[number]); });
        if (keys_.size() == keys_.capacity()) {
            keys_.reserve(std::max<std::size_t>(16, 2 * keys_.size()));
        }
        const std::uint64_t hash = hash_bytes(numbers_.seed(), key);
        Prepared prepared{slot_of(key, hash), hash, {}};
        if (numbers_[prepared.slot] == numbers_.none) {
            require(keys_.size() < numbers_.none, "number of keys must be at most 2^32 - 1");
            prepared.key = key;
        }
        return prepared;
    }

    // Returns the number of a prepared key, and assigns one if the key is new.
    std::uint32_t commit(Prepared prepared) noexcept {
        if (numbers_[prepared.slot] == numbers_.none) {
            numbers_.put(prepared.slot, prepared.hash, static_cast<std::uint32_t>(keys_.size()));
            keys_.push_back(std::move(prepared.key));
        }
        return numbers_[prepared.slot];
    }

    std::uint32_t number_of(std::string_view key) { return commit(prepare(key)); }

    // The number of a key that already has one (not checked).
    [[nodiscard]] std::uint32_t known_number_of(std::string_view key) const noexcept {
        return numbers_[slot_of(key, hash_bytes(numbers_.seed(), key))];
    }

    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    // All keys; the index is the number.
    [[nodiscard]] const std::vector<std::string>& keys() const noexcept FUNNEL_LIFETIMEBOUND { return keys_; }

private:
    [[nodiscard]] std::size_t slot_of(std::string_view key, std::uint64_t hash) const noexcept {
        return numbers_.find(hash, [&](std::uint32_t number) { return keys_[number] == key; });
    }

    std::vector<std::string> keys_;  // index: number
    NumberTable numbers_;
};

}  // namespace detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

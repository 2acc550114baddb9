// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
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

// Numbers texts 0, 1, 2, ... by first appearance. O(1) each.
class KeyNumbers {
public:
    // A key on its way in. It stays good until the next call of prepare or commit.
    struct Prepared {
        std::size_t slot;
        std::uint64_t hash;
        std::string key;  // if it is new
    };

    // Does all that can fail, and changes nothing that can be seen.
    [[nodiscard]] Prepared prepare(std::string_view key) {
        numbers_.reserve(keys_.size() + 1,
                         [&](std::uint32_t number, std::uint64_t seed) { return hash_bytes(seed, keys_[number]); });
        if (keys_.size() == keys_.capacity()) {
            keys_.reserve(std::max<std::size_t>(16, 2 * keys_.size()));
        }
        const std::uint64_t hash = hash_bytes(numbers_.seed(), key);
        Prepared prepared{slot_of(key, hash), hash, {}};
        if (numbers_[prepared.slot] == numbers_.none) {
            require(keys_.size() < numbers_.none, "at most 2^32 - 1 keys");
            prepared.key = key;
        }
        return prepared;
    }

    // The number of a prepared key.
    std::uint32_t commit(Prepared prepared) noexcept {
        if (numbers_[prepared.slot] == numbers_.none) {
            numbers_.put(prepared.slot, prepared.hash, static_cast<std::uint32_t>(keys_.size()));
            keys_.push_back(std::move(prepared.key));
        }
        return numbers_[prepared.slot];
    }

    std::uint32_t number_of(std::string_view key) { return commit(prepare(key)); }

    // For a key that has a number.
    [[nodiscard]] std::uint32_t known_number_of(std::string_view key) const noexcept {
        return numbers_[slot_of(key, hash_bytes(numbers_.seed(), key))];
    }

    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    // By number.
    [[nodiscard]] const std::vector<std::string>& keys() const noexcept FUNNEL_LIFETIMEBOUND { return keys_; }

private:
    [[nodiscard]] std::size_t slot_of(std::string_view key, std::uint64_t hash) const noexcept {
        return numbers_.find(hash, [&](std::uint32_t number) { return keys_[number] == key; });
    }

    std::vector<std::string> keys_;  // by number
    NumberTable numbers_;
};

}  // namespace detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

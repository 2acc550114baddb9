// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data::detail {

// Numbers texts 0, 1, 2, ... by first appearance. O(1) each.
class KeyNumbers {
public:
    // A key on its way in. It stays good until the next call of prepare or commit.
    struct Prepared {
        std::size_t slot;
        std::string key;  // if it is new
    };

    // Does all that can fail, and changes nothing that can be seen.
    [[nodiscard]] Prepared prepare(std::string_view key) {
        if (2 * (keys_.size() + 1) > slots_.size()) {
            grow();
        }
        if (keys_.size() == keys_.capacity()) {
            keys_.reserve(std::max<std::size_t>(16, 2 * keys_.size()));
        }
        Prepared prepared{slot_of(key), {}};
        if (slots_[prepared.slot] == none) {
            require(keys_.size() < none, "InteractionsBuilder: at most 2^32 - 1 users and items");
            prepared.key = key;
        }
        return prepared;
    }

    // The number of a prepared key.
    std::uint32_t commit(Prepared prepared) noexcept {
        std::uint32_t& slot = slots_[prepared.slot];
        if (slot == none) {
            slot = static_cast<std::uint32_t>(keys_.size());
            keys_.push_back(std::move(prepared.key));
        }
        return slot;
    }

    std::uint32_t number_of(std::string_view key) { return commit(prepare(key)); }

    // For a key that has a number.
    [[nodiscard]] std::uint32_t known_number_of(std::string_view key) const noexcept { return slots_[slot_of(key)]; }

    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    // By number.
    [[nodiscard]] const std::vector<std::string>& keys() const noexcept FUNNEL_LIFETIMEBOUND { return keys_; }

private:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    // Where the key stands, or where it would. There are always empty slots, and their number is a power of two.
    [[nodiscard]] std::size_t slot_of(std::string_view key) const noexcept {
        const std::size_t mask = slots_.size() - 1;
        const std::hash<std::string_view> hash;
        std::size_t at = hash(key) & mask;
        while (slots_[at] != none && keys_[slots_[at]] != key) {
            at = (at + 1) & mask;
        }
        return at;
    }

    void grow() {
        std::vector<std::uint32_t> slots(std::max<std::size_t>(16, 2 * slots_.size()), none);
        slots_.swap(slots);
        for (std::uint32_t number = 0; number < keys_.size(); ++number) {
            slots_[slot_of(keys_[number])] = number;
        }
    }

    std::vector<std::string> keys_;     // by number
    std::vector<std::uint32_t> slots_;  // open addressing: numbers, at most half of the slots
};

}  // namespace funnel::data::detail

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>
#include <funnel/core/error.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace detail {

/// A hash table of numbers with open addressing, at most half full. The caller stores the keys of the numbers.
///
/// Keys may come from an attacker who knows the hash function and chooses colliding keys. The table detects this by
/// long probe sequences and then changes its seed. Therefore, hashes must depend on seed().
class NumberTable {
public:
    static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

    [[nodiscard]] std::uint64_t seed() const noexcept { return seed_; }
    [[nodiscard]] std::size_t capacity() const noexcept { return slots_.size() / 2; }

    /// Reserves memory for `count` numbers in total, so that put cannot fail. hash_of(number, seed) returns the hash of
    /// the key of a number in the table. On failure nothing has changed.
    ///
    /// Cost      O(1) amortized if count grows by one per call
    template <class HashOf>
    void reserve(std::size_t count, const HashOf& hash_of) {
        const bool is_full = count > capacity();
        if (is_full || longest_search_ > 16 * static_cast<std::size_t>(std::countr_zero(slots_.size()))) {
            NumberTable table;
            table.seed_ = seed_ + (is_full ? 0 : 1);
            table.slots_.resize(std::max(slots_.size(), std::bit_ceil(std::max<std::size_t>(16, 2 * count))), none);
            for (const std::uint32_t number : slots_) {
                if (number != none) {
                    const std::uint64_t hash = hash_of(number, table.seed_);
                    table.put(table.find(hash, [](std::uint32_t) { return false; }), hash, number);
                }
            }
            *this = std::move(table);
        }
    }

    /// The slot of the number for which is_equal(number) is true, or the empty slot where it belongs. reserve must have
    /// been called for at least one number more than the table holds (not checked).
    template <class IsEqual>
    [[nodiscard]] std::size_t find(std::uint64_t hash, const IsEqual& is_equal) const noexcept {
        FUNNEL_ASSERT(!slots_.empty());
        std::size_t slot = hash & (slots_.size() - 1);
        while (slots_[slot] != none && !is_equal(slots_[slot])) {
            slot = (slot + 1) & (slots_.size() - 1);
        }
        return slot;
    }

    /// The number in a slot, or none.
    [[nodiscard]] std::uint32_t operator[](std::size_t slot) const noexcept { return slots_[slot]; }

    /// Stores a number in the slot that find returned for its hash. Returns the previous content, or none.
    std::uint32_t put(std::size_t slot, std::uint64_t hash, std::uint32_t number) noexcept {
        longest_search_ = std::max(longest_search_, (slot - hash) & (slots_.size() - 1));
        return std::exchange(slots_[slot], number);
    }

    /// Removes the number in a slot that find returned. hash_of(number, seed) is that of reserve.
    template <class HashOf>
    void erase(std::size_t slot, const HashOf& hash_of) noexcept {
        const std::size_t mask = slots_.size() - 1;
        // Numbers behind the gap move into it, unless a search for them starts behind it.
        for (std::size_t next = (slot + 1) & mask; slots_[next] != none; next = (next + 1) & mask) {
            const auto start = static_cast<std::size_t>(hash_of(slots_[next], seed_));
            if (((next - start) & mask) >= ((next - slot) & mask)) {
                slots_[slot] = slots_[next];
                slot = next;
            }
        }
        slots_[slot] = none;
    }

private:
    std::vector<std::uint32_t> slots_;
    std::uint64_t seed_ = 0;
    std::size_t longest_search_ = 0;
};

}  // namespace detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

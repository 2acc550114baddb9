// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/data/interactions.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

/// Collects rows with the source's own keys; dense ids are given out at the end, when all keys are known.
class InteractionsBuilder {
public:
    /// Errors    InvalidArgument if value or time is not finite
    void add(std::string_view user, std::string_view item, float value = 1.0F, double time = 0.0) {
        require(math::is_finite(value) && math::is_finite(time), "InteractionsBuilder: value and time must be finite");
        rows_.push_back({users_.number_of(user), items_.number_of(item), value, time});
    }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

    [[nodiscard]] Interactions build() && {
        auto [users, user_ids] = std::move(users_).finish();
        auto [items, item_ids] = std::move(items_).finish();
        for (Interaction& row : rows_) {
            row.user = user_ids[row.user];
            row.item = item_ids[row.item];
        }
        return {std::move(rows_), std::move(users), std::move(items)};
    }

private:
    // Numbers keys by first appearance, until all are known.
    class Numbering {
    public:
        std::uint32_t number_of(std::string_view key) {
            if (2 * keys_.size() >= slots_.size()) {
                grow();
            }
            std::uint32_t& slot = slots_[slot_of(key)];
            if (slot == none) {
                require(keys_.size() < none, "InteractionsBuilder: at most 2^32 - 1 users and items");
                slot = static_cast<std::uint32_t>(keys_.size());
                keys_.emplace_back(key);
            }
            return slot;
        }

        // The map, and the dense id for each number.
        std::pair<KeyMap, std::vector<std::uint32_t>> finish() && {
            KeyMap map(keys_);
            std::vector<std::uint32_t> ids(keys_.size());
            for (std::uint32_t id = 0; id < ids.size(); ++id) {
                ids[slots_[slot_of(map.key(id))]] = id;
            }
            return {std::move(map), std::move(ids)};
        }

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
            slots_.assign(std::max<std::size_t>(16, 2 * slots_.size()), none);
            for (std::uint32_t number = 0; number < keys_.size(); ++number) {
                slots_[slot_of(keys_[number])] = number;
            }
        }

        std::vector<std::string> keys_;     // by number
        std::vector<std::uint32_t> slots_;  // open addressing: numbers, at most half of the slots
    };

    std::vector<Interaction> rows_;
    Numbering users_;
    Numbering items_;
};

}  // namespace funnel::data

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/data/interactions.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace funnel::inline FUNNEL_ABI::data {

/// Collects rows with the source's own keys; dense ids are given out at the end, when all keys are known.
class InteractionsBuilder {
public:
    /// Errors    InvalidArgument if value or time is not finite
    void add(std::string_view user, std::string_view item, float value = 1.0F, double time = 0.0) {
        require(std::isfinite(value) && std::isfinite(time), "InteractionsBuilder: value and time must be finite");
        rows_.push_back({users_.number_of(user), items_.number_of(item), value, time});
    }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

    [[nodiscard]] Interactions build() && {
        const auto [users, user_ids] = std::move(users_).finish();
        const auto [items, item_ids] = std::move(items_).finish();
        for (Interaction& row : rows_) {
            row.user = user_ids[row.user];
            row.item = item_ids[row.item];
        }
        return {std::move(rows_), users, items};
    }

private:
    // Numbers keys by first appearance, until all are known.
    class Numbering {
    public:
        std::uint32_t number_of(std::string_view key) {
            if (const auto known = numbers_.find(key); known != numbers_.end()) {
                return known->second;
            }
            require(numbers_.size() < std::numeric_limits<std::uint32_t>::max(),
                    "InteractionsBuilder: at most 2^32 - 1 users and items");
            const auto number = static_cast<std::uint32_t>(numbers_.size());
            numbers_.emplace(key, number);
            return number;
        }

        // The map, and the dense id for each number.
        std::pair<std::shared_ptr<const KeyMap>, std::vector<std::uint32_t>> finish() && {
            std::vector<std::string> keys;
            keys.reserve(numbers_.size());
            for (const auto& [key, number] : numbers_) {
                keys.push_back(key);
            }
            auto map = std::make_shared<const KeyMap>(std::move(keys));
            std::vector<std::uint32_t> ids(numbers_.size());
            for (std::uint32_t id = 0; id < ids.size(); ++id) {
                ids[numbers_.find(map->key(id))->second] = id;
            }
            return {std::move(map), std::move(ids)};
        }

    private:
        struct Hash {
            using is_transparent = void;
            std::size_t operator()(std::string_view key) const noexcept { return std::hash<std::string_view>{}(key); }
        };
        std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> numbers_;
    };

    std::vector<Interaction> rows_;
    Numbering users_;
    Numbering items_;
};

}  // namespace funnel::data

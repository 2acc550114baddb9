// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/key_map.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace data {

/// One row of a log: an interaction of a user with an item.
struct Interaction {
    std::uint32_t user;  ///< dense id, below Interactions::users()
    std::uint32_t item;  ///< dense id, below Interactions::items()
    float value = 1.0F;  ///< a rating, a count, a watch time; finite
    double time = 0.0;   ///< in the unit of the source, often seconds; finite

    friend bool operator==(const Interaction&, const Interaction&) = default;
};

/// A log of interactions, in the order of its source. Parts of a log (splits, where) share its key maps, so an id means
/// the same user or item in all parts.
///
/// Cost      24 bytes per row
class Interactions {
public:
    Interactions() = default;

    /// Builds a log from rows and the key maps of their ids.
    ///
    /// Errors    InvalidArgument if an id is outside its map, or a value or time is not finite
    Interactions(std::vector<Interaction> rows, KeyMap users, KeyMap items)
        : rows_(std::move(rows)), users_(std::move(users)), items_(std::move(items)) {
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            const Interaction& row = rows_[i];
            if (row.user >= users_.size() || row.item >= items_.size() || !math::is_finite(row.value) ||
                !math::is_finite(row.time)) {
                raise<InvalidArgument>("Interactions: row " + std::to_string(i) +
                                       " must have known ids, a finite value and a finite time");
            }
        }
    }

    /// Builds a log from dense ids alone; the keys are the ids in decimal.
    ///
    /// Errors    as above; InvalidArgument if there are more than 2^32 - 1 users or items
    static Interactions from_ids(std::vector<Interaction> rows, std::size_t users, std::size_t items) {
        constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
        require(users <= most && items <= most, "Interactions: at most 2^32 - 1 users and items");
        const auto decimal = [](std::size_t n) {
            std::vector<std::string> keys(n);
            for (std::size_t i = 0; i < n; ++i) {
                keys[i] = std::to_string(i);
            }
            return KeyMap(std::move(keys));
        };
        return {std::move(rows), decimal(users), decimal(items)};
    }

    [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    [[nodiscard]] std::size_t users() const noexcept { return users_.size(); }
    [[nodiscard]] std::size_t items() const noexcept { return items_.size(); }

    /// Row < size() (not checked).
    [[nodiscard]] const Interaction& operator[](std::size_t row) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(row < rows_.size());
        return rows_[row];
    }
    [[nodiscard]] std::span<const Interaction> rows() const noexcept FUNNEL_LIFETIMEBOUND {
        return {rows_.data(), rows_.size()};
    }
    [[nodiscard]] auto begin() const noexcept FUNNEL_LIFETIMEBOUND { return rows_.begin(); }
    [[nodiscard]] auto end() const noexcept FUNNEL_LIFETIMEBOUND { return rows_.end(); }

    /// The key of a dense id, as the source wrote it.
    ///
    /// Errors    InvalidArgument if there is no such id
    [[nodiscard]] const std::string& user_key(std::size_t user) const FUNNEL_LIFETIMEBOUND { return users_.key(user); }
    [[nodiscard]] const std::string& item_key(std::size_t item) const FUNNEL_LIFETIMEBOUND { return items_.key(item); }

    [[nodiscard]] std::optional<std::uint32_t> find_user(std::string_view key) const noexcept {
        return users_.find(key);
    }
    [[nodiscard]] std::optional<std::uint32_t> find_item(std::string_view key) const noexcept {
        return items_.find(key);
    }

    /// Equal for all logs that assign the same ids to the same users and items, such as all parts of one log.
    /// O(keys).
    [[nodiscard]] std::uint64_t fingerprint() const noexcept {
        return 31 * users_.fingerprint() + items_.fingerprint();
    }

    [[nodiscard]] const KeyMap& user_keys() const noexcept FUNNEL_LIFETIMEBOUND { return users_; }
    [[nodiscard]] const KeyMap& item_keys() const noexcept FUNNEL_LIFETIMEBOUND { return items_; }

private:
    std::vector<Interaction> rows_;
    KeyMap users_;
    KeyMap items_;
};

/// The rows for which keep(row) is true, in the order of the log, with the same key maps.
template <std::predicate<std::size_t> Keep>
[[nodiscard]] Interactions where(const Interactions& log, Keep&& keep) {
    std::vector<Interaction> kept;
    for (std::size_t row = 0; row < log.size(); ++row) {
        if (keep(row)) {
            kept.push_back(log[row]);
        }
    }
    return {std::move(kept), log.user_keys(), log.item_keys()};
}

}  // namespace data
}  // namespace FUNNEL_ABI
}  // namespace funnel

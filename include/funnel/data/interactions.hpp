// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/shared.hpp>

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

namespace funnel::inline FUNNEL_ABI::data {

/// One row of a log: somebody did something with an item.
struct Interaction {
    std::uint32_t user;  ///< dense id, below Interactions::users()
    std::uint32_t item;  ///< dense id, below Interactions::items()
    float value = 1.0F;  ///< a rating, a count, a watch time; finite
    double time = 0.0;   ///< in the unit of the source, often seconds; finite

    friend bool operator==(const Interaction&, const Interaction&) = default;
};

/// The order of keys: whole numbers first, by value; then everything else, bytewise. "9" < "10" < "a" < "b".
///
/// A whole number here is what a program prints for one: digits without a leading zero or a sign.
struct KeyBefore {
    [[nodiscard]] bool operator()(std::string_view a, std::string_view b) const noexcept {
        const bool a_is_number = is_whole_number(a);
        const bool b_is_number = is_whole_number(b);
        if (a_is_number != b_is_number) {
            return a_is_number;
        }
        return a_is_number && a.size() != b.size() ? a.size() < b.size() : a < b;
    }

private:
    static bool is_whole_number(std::string_view key) noexcept {
        const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
        return !key.empty() && std::all_of(key.begin(), key.end(), is_digit) && (key.size() == 1 || key.front() != '0');
    }
};

/// The two directions between a source's own keys and dense ids 0 .. size - 1. Ids follow KeyBefore, so they do not
/// depend on the order in which a file names the keys. Copies share the keys, in O(1).
class KeyMap {
public:
    KeyMap() = default;

    /// Keys in any order, repeated or not.
    explicit KeyMap(std::vector<std::string> keys) {
        std::sort(keys.begin(), keys.end(), KeyBefore{});
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        require(keys.size() <= std::numeric_limits<std::uint32_t>::max(), "KeyMap: at most 2^32 - 1 keys");
        keys_ = Shared(std::move(keys));
    }

    [[nodiscard]] std::size_t size() const noexcept { return keys().size(); }
    /// In the order of their ids.
    [[nodiscard]] std::span<const std::string> keys() const noexcept FUNNEL_LIFETIMEBOUND {
        const std::vector<std::string>* keys = keys_.get();
        return keys != nullptr ? std::span<const std::string>(keys->data(), keys->size())
                               : std::span<const std::string>();
    }

    /// Errors    InvalidArgument if there is no such id
    [[nodiscard]] const std::string& key(std::size_t id) const FUNNEL_LIFETIMEBOUND {
        require(id < size(), "KeyMap: id must be below size()");
        return keys()[id];
    }

    /// The id of a key, if it is known. O(log n).
    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const noexcept {
        const std::span<const std::string> all = keys();
        const auto at = std::lower_bound(all.begin(), all.end(), key, KeyBefore{});
        if (at == all.end() || *at != key) {
            return std::nullopt;
        }
        return static_cast<std::uint32_t>(at - all.begin());
    }

    /// A number that is the same for the same keys, and in practice for no others; on every machine. O(characters).
    [[nodiscard]] std::uint64_t fingerprint() const noexcept {
        std::uint64_t hash = 0xCBF29CE484222325;  // FNV-1a, 64 bit
        const auto add = [&](std::uint64_t n) { hash = (hash ^ n) * 0x100000001B3; };
        for (const std::string& key : keys()) {
            add(key.size());
            for (const char c : key) {
                add(static_cast<unsigned char>(c));
            }
        }
        return hash;
    }

    /// Whether both give the same ids to the same keys. O(1) if one is a copy of the other.
    friend bool operator==(const KeyMap& a, const KeyMap& b) noexcept {
        return a.keys_.get() == b.keys_.get() ||
               std::equal(a.keys().begin(), a.keys().end(), b.keys().begin(), b.keys().end());
    }

private:
    Shared<std::vector<std::string>> keys_;
};

/// A log of interactions, in the order of its source. Parts of a log (splits, where) share its key maps: the same id
/// means the same user in all of them.
///
/// Cost      24 bytes a row
class Interactions {
public:
    Interactions() = default;

    /// From rows and the maps that their ids belong to.
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

    /// From dense ids alone; the keys are the ids in decimal.
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

    /// The same for all logs that give the same ids to the same users and items: for all parts of one log, say.
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

/// The rows for which keep(row) is true, in their order, with the same key maps.
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

}  // namespace funnel::data

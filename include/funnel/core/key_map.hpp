// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/options.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// The order of keys: whole numbers first, by value; then all other keys, bytewise. "9" < "10" < "a" < "b".
///
/// A key is a whole number if it consists of digits only, without a sign or a leading zero.
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

/// Maps keys of a data source to dense ids 0 .. size - 1, and back. Ids follow the order KeyBefore, so they do not
/// depend on the order of keys in a file. Copying is O(1), because copies share the keys.
class KeyMap {
public:
    KeyMap() = default;

    /// Keys may come in any order and repeat.
    explicit KeyMap(std::vector<std::string> keys) {
        std::sort(keys.begin(), keys.end(), KeyBefore{});
        keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
        require(keys.size() <= std::numeric_limits<std::uint32_t>::max(),
                "KeyMap: number of keys must be at most 2^32 - 1");
        keys_ = std::make_shared<const std::vector<std::string>>(std::move(keys));
    }

    [[nodiscard]] std::size_t size() const noexcept { return keys().size(); }
    /// All keys in ascending order of ids.
    [[nodiscard]] std::span<const std::string> keys() const noexcept FUNNEL_LIFETIMEBOUND {
        const std::vector<std::string>* keys = keys_.get();
        return keys != nullptr ? std::span<const std::string>(keys->data(), keys->size())
                               : std::span<const std::string>();
    }

    /// The key of an id.
    ///
    /// Errors    InvalidArgument if there is no such id
    [[nodiscard]] const std::string& key(std::size_t id) const FUNNEL_LIFETIMEBOUND {
        require_below(id, size(), "KeyMap: id");
        return keys()[id];
    }

    /// The id of a key, or nullopt if the key is unknown. O(log n).
    [[nodiscard]] std::optional<std::uint32_t> find(std::string_view key) const noexcept {
        const std::span<const std::string> all = keys();
        const auto at = std::lower_bound(all.begin(), all.end(), key, KeyBefore{});
        if (at == all.end() || *at != key) {
            return std::nullopt;
        }
        return static_cast<std::uint32_t>(at - all.begin());
    }

    /// A hash of all keys, the same on every machine. Different sets of keys have different hashes in practice.
    /// O(characters).
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

    /// Whether both maps have the same keys, and therefore the same ids. O(1) if one is a copy of the other.
    friend bool operator==(const KeyMap& a, const KeyMap& b) noexcept {
        return a.keys_.get() == b.keys_.get() ||
               std::equal(a.keys().begin(), a.keys().end(), b.keys().begin(), b.keys().end());
    }

private:
    std::shared_ptr<const std::vector<std::string>> keys_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel

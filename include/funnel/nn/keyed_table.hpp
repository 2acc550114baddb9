// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

struct KeyedTableOptions {
    float init_scale = 0.01F;  ///< standard deviation of the numbers of a new row, >= 0
    std::uint64_t seed = 1;
};

/// A table of embeddings that grows: a row for each key that it has seen, without collisions. Keys are any 64-bit
/// numbers, such as hashes of strings.
///
/// The first row of a key depends on the seed and the key alone, not on when it came. Rows are numbered in the order in
/// which keys came, and keep their numbers.
///
/// Cost      O(1) per look-up; 16 bytes per slot of the map, at most 7/8 of which are used, beside the rows
/// Source    Celis et al., "Robin Hood hashing", FOCS 1985
class KeyedTable {
public:
    /// Errors    InvalidArgument if init_scale is out of range
    explicit KeyedTable(std::size_t width, const KeyedTableOptions& options = {})
        : options_(options), rows_(0, width), slots_(least_slots) {
        require_not_negative(options.init_scale, "KeyedTable: init_scale");
    }

    [[nodiscard]] std::size_t size() const noexcept { return keys_.size(); }
    [[nodiscard]] std::size_t width() const noexcept { return rows_.cols(); }

    /// The row number of a key, or nullopt if the key has none.
    [[nodiscard]] std::optional<std::uint32_t> find(std::uint64_t key) const noexcept {
        for (std::size_t at = home(key), distance = 0;; at = next(at), ++distance) {
            const Slot& slot = slots_[at];
            if (slot.row == empty || distance > distance_of(at)) {
                return std::nullopt;
            }
            if (slot.key == key) {
                return slot.row;
            }
        }
    }

    /// The row number of a key, which gets a random row if it has none.
    ///
    /// Errors    InvalidArgument if there would be 2^32 - 1 rows
    std::uint32_t find_or_add(std::uint64_t key) {
        if (const std::optional<std::uint32_t> row = find(key)) {
            return *row;
        }
        require(size() + 1 < empty, "KeyedTable: number of rows must be below 2^32 - 1");
        const auto row = static_cast<std::uint32_t>(size());
        if ((size() + 1) * 8 > slots_.size() * 7) {
            grow();
        }
        if (row == rows_.rows()) {
            rows_.resize_rows(std::max<std::size_t>(2 * rows_.rows(), 16));
        }
        keys_.push_back(key);
        insert({.key = key, .row = row});
        constexpr Stream new_row = stream("keyed_table.row");
        Random random(options_.seed, new_row, key);
        for (float& number : rows_.row(row)) {
            number = options_.init_scale * static_cast<float>(random.normal());
        }
        return row;
    }

    /// All rows.
    [[nodiscard]] MatrixView<float> rows() FUNNEL_LIFETIMEBOUND { return rows_.view().rows_from(0, size()); }
    [[nodiscard]] MatrixView<const float> rows() const FUNNEL_LIFETIMEBOUND {
        return rows_.view().rows_from(0, size());
    }
    /// The key of each row.
    [[nodiscard]] std::span<const std::uint64_t> keys() const noexcept FUNNEL_LIFETIMEBOUND { return keys_; }

private:
    static constexpr std::uint32_t empty = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::size_t least_slots = 16;

    struct Slot {
        std::uint64_t key = 0;
        std::uint32_t row = empty;
    };

    [[nodiscard]] std::size_t home(std::uint64_t key) const noexcept {
        return funnel::detail::hash_word(options_.seed, key) & (slots_.size() - 1);
    }
    [[nodiscard]] std::size_t next(std::size_t at) const noexcept { return (at + 1) & (slots_.size() - 1); }
    // How far an entry lies behind its home.
    [[nodiscard]] std::size_t distance_of(std::size_t at) const noexcept {
        return (at - home(slots_[at].key)) & (slots_.size() - 1);
    }

    // An entry takes the slot of one that is nearer to its home, which moves on: no entry is far from home, and a
    // look-up may stop early.
    void insert(Slot entry) noexcept {
        for (std::size_t at = home(entry.key), distance = 0;; at = next(at), ++distance) {
            if (slots_[at].row == empty) {
                slots_[at] = entry;
                return;
            }
            if (const std::size_t theirs = distance_of(at); theirs < distance) {
                std::swap(slots_[at], entry);
                distance = theirs;
            }
        }
    }

    void grow() {
        std::vector<Slot> old(2 * slots_.size());
        old.swap(slots_);
        for (const Slot& slot : old) {
            if (slot.row != empty) {
                insert(slot);
            }
        }
    }

    KeyedTableOptions options_;
    Matrix<float> rows_;  // more than size(), so that it grows in few steps
    std::vector<std::uint64_t> keys_;
    std::vector<Slot> slots_;
};

/// Ids for a table of fixed size: the hash of a key. Different keys may share a row.
class HashedIds {
public:
    /// Errors    InvalidArgument if rows is 0 or above 2^32
    explicit HashedIds(std::size_t rows, std::uint64_t seed = 1) : rows_(rows), seed_(seed) {
        require(rows > 0 && rows - 1 <= std::numeric_limits<std::uint32_t>::max(),
                "HashedIds: rows must lie in [1, 2^32]");
    }

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::uint32_t id(std::uint64_t key) const noexcept {
        // The high half of hash * rows, as in Random::below.
        return static_cast<std::uint32_t>((funnel::detail::hash_word(seed_, key) >> 32) * rows_ >> 32);
    }

    /// The share of the distinct keys that have their row with another one.
    [[nodiscard]] double collision_rate(std::span<const std::uint64_t> keys) const {
        std::vector<std::uint64_t> distinct(keys.begin(), keys.end());
        std::sort(distinct.begin(), distinct.end());
        distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
        if (distinct.empty()) {
            return 0.0;
        }
        std::vector<std::uint32_t> used(distinct.size());
        std::transform(distinct.begin(), distinct.end(), used.begin(), [&](std::uint64_t key) { return id(key); });
        std::sort(used.begin(), used.end());
        std::size_t alone = 0;
        for (std::size_t i = 0; i < used.size(); ++i) {
            const bool as_before = i > 0 && used[i - 1] == used[i];
            const bool as_next = i + 1 < used.size() && used[i + 1] == used[i];
            alone += !as_before && !as_next ? 1 : 0;
        }
        return 1.0 - static_cast<double>(alone) / static_cast<double>(distinct.size());
    }

private:
    std::size_t rows_;
    std::uint64_t seed_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/number_table.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// A hash table of row numbers that keeps the last inserted of all equal rows. Rows are equal if their bits are; +0 and
/// -0 are equal.
class EqualRows {
public:
    /// Reserves memory for `count` rows. On failure nothing has changed.
    void reserve(MatrixView<const float> rows, std::size_t count) {
        table_.reserve(count, [&](std::uint32_t id, std::uint64_t seed) { return hash(rows.row(id), seed); });
    }

    /// The stored row that equals a vector; no_node if there is none. Call reserve first.
    [[nodiscard]] std::uint32_t find(MatrixView<const float> rows, std::span<const float> vector) const noexcept {
        return table_[slot_of(rows, vector, hash(vector, table_.seed()))];
    }

    /// Inserts row `id`, replaces the stored row that equals it, and returns that row; no_node if there is none. Call
    /// reserve first.
    std::uint32_t replace(MatrixView<const float> rows, std::uint32_t id) noexcept {
        const std::uint64_t hash_of_row = hash(rows.row(id), table_.seed());
        return table_.put(slot_of(rows, rows.row(id), hash_of_row), hash_of_row, id);
    }

    /// Removes the stored row that equals row `id`. There must be one (not checked).
    void erase(MatrixView<const float> rows, std::uint32_t id) noexcept {
        table_.erase(slot_of(rows, rows.row(id), hash(rows.row(id), table_.seed())),
                     [&](std::uint32_t other, std::uint64_t seed) { return hash(rows.row(other), seed); });
    }

private:
    static_assert(no_node == funnel::detail::NumberTable::none);

    [[nodiscard]] std::size_t slot_of(MatrixView<const float> rows, std::span<const float> vector,
                                      std::uint64_t hash_of_vector) const noexcept {
        return table_.find(hash_of_vector, [&](std::uint32_t other) {
            return std::equal(vector.begin(), vector.end(), rows.row(other).begin(),
                              [](const float& a, const float& b) { return bits_of(a) == bits_of(b); });
        });
    }

    [[nodiscard]] static std::uint64_t hash(std::span<const float> row, std::uint64_t seed) noexcept {
        std::uint64_t sum = seed;
        for (const float x : row) {
            sum = funnel::detail::hash_word(sum, bits_of(x));
        }
        return sum;
    }

    // Compare bits, not values: in denormals-are-zero mode, a processor would find other rows equal than the processor
    // that saved the index.
    [[nodiscard]] static std::uint32_t bits_of(const float& x) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(x);
        return bits == 0x8000'0000 ? 0 : bits;
    }

    funnel::detail::NumberTable table_;
};

/// Which vectors of an index are equal. Of equal vectors, the one with the smallest id is a node of the graph; the
/// others are its copies and are found through it. If copies were nodes, they would fill the candidate pool of every
/// search near them and would link only to each other.
class Copies {
public:
    Copies() = default;

    /// Cost      O(n d)
    explicit Copies(MatrixView<const float> rows) {
        for (std::uint32_t id = 0; id < rows.rows(); ++id) {
            last_.reserve(rows, rows.rows());
            link(rows, id);
        }
        last_ = EqualRows();
        rows_in_last_ = 0;
    }

    /// The number of vectors that are not nodes.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }

    /// One flag per vector; empty if no vector is a copy.
    [[nodiscard]] std::vector<std::uint8_t> flags() const {
        std::vector<std::uint8_t> is_copy(next_.size(), 0);
        for (std::size_t id = 0; id < next_.size(); ++id) {
            if (next_[id] > id) {
                is_copy[next_[id]] = 1;
            }
        }
        return is_copy;
    }

    /// Calls body(id) for a node and its copies in ascending order of ids, until body returns false.
    template <class Body>
    void for_each(std::uint32_t node, const Body& body) const {
        std::uint32_t id = node;
        do {
            if (!body(id)) {
                return;
            }
            id = next_.empty() ? node : next_[id];
        } while (id != node);
    }

    /// Reserves memory for one more row, the last of `rows`, so that append cannot fail.
    ///
    /// Cost      the first call after the constructor traverses all rows
    void reserve(MatrixView<const float> rows) { fill_table(rows, rows.rows() - 1); }

    /// Whether the last row equals an earlier one. Call it after reserve and before append.
    [[nodiscard]] bool has_equal(MatrixView<const float> rows) const noexcept {
        return last_.find(rows, rows.row(rows.rows() - 1)) != no_node;
    }

    /// Adds the last row; true if it is a copy. Call reserve first.
    bool append(MatrixView<const float> rows) noexcept {
        return link(rows, static_cast<std::uint32_t>(rows.rows() - 1));
    }

    /// Reserves memory, so that the functions below can be called and cannot fail. All of `rows` were added before.
    ///
    /// Cost      as reserve
    void reserve_changes(MatrixView<const float> rows) { fill_table(rows, rows.rows()); }

    /// The node that stands for all rows that equal a vector; no_node if there is none.
    [[nodiscard]] std::uint32_t node_of(MatrixView<const float> rows, std::span<const float> vector) const noexcept {
        const std::uint32_t last = last_.find(rows, vector);
        return last == no_node ? no_node : next(last);  // the smallest id of the group
    }

    /// The next larger id of an equal row; the smallest id after the largest, so that an id without copies is its own.
    [[nodiscard]] std::uint32_t next(std::uint32_t id) const noexcept { return next_.empty() ? id : next_[id]; }

    /// Row id is about to change: its group goes on without it. Call enter() after the change.
    ///
    /// Cost      O(d + size of the group)
    void leave(MatrixView<const float> rows, std::uint32_t id) noexcept {
        if (next(id) == id) {
            last_.erase(rows, id);
            return;
        }
        const std::uint32_t last = last_.find(rows, rows.row(id));
        std::uint32_t before = last;
        while (next_[before] != id) {
            before = next_[before];
        }
        next_[before] = std::exchange(next_[id], id);
        if (id == last) {
            last_.replace(rows, before);
        }
        --count_;
    }

    /// Row id, which leave() took out of its group, has changed: it joins the rows that equal it now.
    ///
    /// Cost      O(d + size of the group)
    void enter(MatrixView<const float> rows, std::uint32_t id) noexcept {
        const std::uint32_t last = last_.find(rows, rows.row(id));
        if (last == no_node) {
            last_.replace(rows, id);
            return;
        }
        if (next_.empty()) {
            next_.resize(rows.rows());
            std::iota(next_.begin(), next_.end(), std::uint32_t{0});
        }
        std::uint32_t before = last;
        while (id < last && next_[before] < id) {
            before = next_[before];
        }
        next_[id] = std::exchange(next_[before], id);
        if (id > last) {
            last_.replace(rows, id);
        }
        ++count_;
    }

    /// Excludes the table that reserve() creates.
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return next_.size() * sizeof(std::uint32_t); }

private:
    // The first `count` rows are in the table, and there is room for all.
    void fill_table(MatrixView<const float> rows, std::size_t count) {
        if (rows_in_last_ != count) {
            EqualRows last;
            for (std::uint32_t id = 0; id < count; ++id) {
                last.reserve(rows, rows.rows());
                last.replace(rows, id);
            }
            last_ = std::move(last);
            rows_in_last_ = count;
        }
        last_.reserve(rows, rows.rows());
        if (next_.capacity() < rows.rows()) {
            next_.reserve(2 * rows.rows());
        }
    }

    bool link(MatrixView<const float> rows, std::uint32_t id) {
        const std::uint32_t equal = last_.replace(rows, id);
        ++rows_in_last_;
        if (equal != no_node && next_.empty()) {
            next_.resize(id);
            std::iota(next_.begin(), next_.end(), std::uint32_t{0});
        }
        if (!next_.empty()) {
            next_.push_back(id);
        }
        if (equal != no_node) {
            next_[id] = std::exchange(next_[equal], id);
            ++count_;
        }
        return equal != no_node;
    }

    // Per vector, the next larger id of an equal vector; the largest id points back to the smallest. Empty while there
    // are no copies, so that data without duplicates needs no memory.
    std::vector<std::uint32_t> next_;
    std::size_t count_ = 0;
    EqualRows last_;  // empty until reserve() fills it
    std::size_t rows_in_last_ = 0;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// Collects the k best of a stream of scored ids in memory that the caller owns; k is the size of that memory.
///
/// The order is RanksBefore: ties go to the smaller id, whatever the order in which ids arrive. NaN scores are ignored.
///
/// Cost      O(log k) per id that enters, one comparison per id that does not; allocates nothing
template <std::integral Id = std::uint32_t>
class TopK {
public:
    explicit TopK(std::span<Scored<Id>> storage FUNNEL_LIFETIMEBOUND) noexcept : storage_(storage) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_full() const noexcept { return size_ >= storage_.size(); }

    /// The k-th best score so far; lower scores cannot enter. Minus infinity until k ids are collected.
    [[nodiscard]] float threshold() const noexcept {
        if (!is_full()) {
            return -std::numeric_limits<float>::infinity();
        }
        return storage_.empty() ? std::numeric_limits<float>::infinity() : storage_.front().score;
    }

    /// Adds an id if it is among the k best. Must not be called after finish() (not checked).
    void push(Id id, float score) noexcept {
        FUNNEL_ASSERT(!is_finished());
        const Scored<Id> candidate{id, score};
        if (!is_full()) {
            if (!math::is_nan(score)) {
                sift_up(candidate, size_++);
            }
        } else if (!storage_.empty() && score >= storage_.front().score && !math::is_nan(score) &&
                   ranks_before(candidate, storage_.front())) {
            sift_down(candidate, storage_.size());
        }
    }

    /// Sorts the collected ids, best first, and returns them. Later calls return the same.
    std::span<Scored<Id>> finish() noexcept {
        const std::size_t count = std::min(size_, storage_.size());  // equals size_; min avoids a warning of g++ 12
        if (is_finished()) {
            return storage_.first(count);
        }
        for (std::size_t n = count; n > 1; --n) {
            const Scored<Id> last = storage_[n - 1];
            storage_[n - 1] = storage_[0];
            sift_down(last, n - 1);
        }
        return storage_.first(count);
    }

private:
    // The worst entry is at the front until finish() moves it to the end.
    [[nodiscard]] bool is_finished() const noexcept {
        return size_ > 1 && ranks_before(storage_[0], storage_[size_ - 1]);
    }

    // A binary heap with the worst entry at the front. It replaces std::push_heap and std::pop_heap, for which g++ 12
    // wrongly warns about out-of-bounds accesses if k is a small constant.

    // Inserts an entry at the free position `hole` at the end and moves it up.
    void sift_up(const Scored<Id>& newcomer, std::size_t hole) noexcept {
        while (hole > 0 && ranks_before(storage_[(hole - 1) / 2], newcomer)) {
            storage_[hole] = storage_[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        storage_[hole] = newcomer;
    }

    // Replaces the worst entry and moves the new one down among the first n.
    void sift_down(const Scored<Id>& newcomer, std::size_t n) noexcept {
        std::size_t hole = 0;
        for (std::size_t child = 1; child < n; child = 2 * hole + 1) {
            if (child + 1 < n && ranks_before(storage_[child], storage_[child + 1])) {
                ++child;
            }
            if (!ranks_before(newcomer, storage_[child])) {
                break;
            }
            storage_[hole] = storage_[child];
            hole = child;
        }
        storage_[hole] = newcomer;
    }

    std::span<Scored<Id>> storage_;
    std::size_t size_ = 0;
};

namespace detail {

// Truncates a list to its first count <= size elements (not checked). resize() could also grow the list, for which
// g++ 12 wrongly warns about writes past the end.
template <std::integral Id>
void keep_first(std::vector<Scored<Id>>& list, std::size_t count) {
    FUNNEL_ASSERT(count <= list.size());
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(count), list.end());
}

// Whether Id can represent all positions 0 .. n - 1.
template <std::integral Id>
[[nodiscard]] constexpr bool holds_positions(std::size_t n) noexcept {
    return n == 0 || n - 1 <= static_cast<std::make_unsigned_t<Id>>(std::numeric_limits<Id>::max());
}

}  // namespace detail

/// The positions of the k best scores, best first; ties go to the smaller position, NaN scores are ignored.
///
/// Shapes    scores: n, where Id can represent n - 1 (not checked with out);  out: k
/// Returns   min(k, number of scores that are not NaN) entries; with out, the filled part of out
/// Cost      O(n + k log k log n) in random order, O(n log k) at worst; the overload with out allocates nothing
/// Errors    InvalidArgument if Id cannot represent n - 1
template <std::integral Id = std::uint32_t>
std::span<Scored<Id>> top_k(std::span<const float> scores,
                            std::type_identity_t<std::span<Scored<Id>>> out FUNNEL_LIFETIMEBOUND) noexcept {
    FUNNEL_ASSERT(detail::holds_positions<Id>(scores.size()));
    TopK<Id> best(out);
    constexpr std::size_t block = 32;
    std::size_t i = 0;
    for (; scores.size() - i >= block; i += block) {
        // Most blocks have no score that may enter. This loop has no branch, so compilers vectorize it.
        const float threshold = best.threshold();
        int enter = 0;
        for (std::size_t j = 0; j < block; ++j) {
            enter |= scores[i + j] >= threshold ? 1 : 0;
        }
        for (std::size_t j = enter != 0 ? 0 : block; j < block; ++j) {
            best.push(static_cast<Id>(i + j), scores[i + j]);
        }
    }
    for (; i < scores.size(); ++i) {
        best.push(static_cast<Id>(i), scores[i]);
    }
    return best.finish();
}

template <std::integral Id = std::uint32_t>
[[nodiscard]] std::vector<Scored<Id>> top_k(std::span<const float> scores, std::size_t k) {
    require(detail::holds_positions<Id>(scores.size()), "top_k: Id must be able to represent all positions of scores");
    std::vector<Scored<Id>> list(std::min(k, scores.size()));
    detail::keep_first(list, top_k<Id>(scores, list).size());
    return list;
}

}  // namespace FUNNEL_ABI
}  // namespace funnel

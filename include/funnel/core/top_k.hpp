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
/// Best means RanksBefore: ties at the k-th place go to the smaller id, in whatever order the ids arrive. A NaN is
/// never taken.
///
/// Cost      O(log k) for an id that enters, one comparison for one that does not; allocates nothing
template <std::integral Id = std::uint32_t>
class TopK {
public:
    explicit TopK(std::span<Scored<Id>> storage FUNNEL_LIFETIMEBOUND) noexcept : storage_(storage) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_full() const noexcept { return size_ >= storage_.size(); }

    /// A score below this one cannot enter any more: minus infinity until k ids are here.
    [[nodiscard]] float threshold() const noexcept {
        if (!is_full()) {
            return -std::numeric_limits<float>::infinity();
        }
        return storage_.empty() ? std::numeric_limits<float>::infinity() : storage_.front().score;
    }

    /// Not after finish() (not checked).
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

    /// Sorts what was collected, best first, and returns it; so does every later call.
    std::span<Scored<Id>> finish() noexcept {
        const std::size_t count = std::min(size_, storage_.size());  // which is size_, but g++ 12 cannot know
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
    // The worst is in front until finish(), which puts it at the end.
    [[nodiscard]] bool is_finished() const noexcept {
        return size_ > 1 && ranks_before(storage_[0], storage_[size_ - 1]);
    }

    // A binary heap of our own with the worst in front: in that of the standard library, g++ 12 warns of places that a
    // small constant k does not have.

    // The newcomer goes to a free place at the end and walks up to where it belongs.
    void sift_up(const Scored<Id>& newcomer, std::size_t hole) noexcept {
        while (hole > 0 && ranks_before(storage_[(hole - 1) / 2], newcomer)) {
            storage_[hole] = storage_[(hole - 1) / 2];
            hole = (hole - 1) / 2;
        }
        storage_[hole] = newcomer;
    }

    // The newcomer takes the place of the worst and walks down to where it belongs among the first n.
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

// Cuts a list to its first count <= size elements (not checked). Unlike resize() it cannot grow: there g++ 12 sees
// writes past the end.
template <std::integral Id>
void keep_first(std::vector<Scored<Id>>& list, std::size_t count) {
    FUNNEL_ASSERT(count <= list.size());
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(count), list.end());
}

// Whether an Id can be each of the positions 0 .. n - 1.
template <std::integral Id>
[[nodiscard]] constexpr bool holds_positions(std::size_t n) noexcept {
    return n == 0 || n - 1 <= static_cast<std::make_unsigned_t<Id>>(std::numeric_limits<Id>::max());
}

}  // namespace detail

/// The k best positions of a list of scores, best first; ties go to the smaller position, a NaN is never taken.
///
/// Shapes    scores: n, positions that an Id can hold (the second form: not checked);  out: room for k
/// Returns   min(k, number of scores that are not NaN) entries; the second form: the filled part of out
/// Cost      O(n + k log k log n) on random order, O(n log k) at worst; the second form allocates nothing
/// Errors    InvalidArgument if an Id cannot hold n - 1
template <std::integral Id = std::uint32_t>
std::span<Scored<Id>> top_k(std::span<const float> scores,
                            std::type_identity_t<std::span<Scored<Id>>> out FUNNEL_LIFETIMEBOUND) noexcept {
    FUNNEL_ASSERT(detail::holds_positions<Id>(scores.size()));
    TopK<Id> best(out);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        best.push(static_cast<Id>(i), scores[i]);
    }
    return best.finish();
}

template <std::integral Id = std::uint32_t>
[[nodiscard]] std::vector<Scored<Id>> top_k(std::span<const float> scores, std::size_t k) {
    require(detail::holds_positions<Id>(scores.size()), "top_k: there are more scores than the type of ids can number");
    std::vector<Scored<Id>> list(std::min(k, scores.size()));
    detail::keep_first(list, top_k<Id>(scores, list).size());
    return list;
}

}  // namespace FUNNEL_ABI
}  // namespace funnel

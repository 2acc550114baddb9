// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/scored.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel::inline FUNNEL_ABI {

/// Collects the k best of a stream of scored ids in memory that the caller owns; k is the size of that memory.
///
/// Best means RanksBefore: ties at the k-th place go to the smaller id, in whatever order the ids arrive. A NaN is
/// never taken.
///
/// Cost      O(log k) for an id that enters, one comparison for one that does not; allocates nothing
template <std::integral Id = std::uint32_t>
class TopK {
public:
    explicit TopK(std::span<Scored<Id>> storage) noexcept : storage_(storage) {}

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool is_full() const noexcept { return size_ == storage_.size(); }

    /// A score below this one cannot enter any more: minus infinity until k ids are here.
    [[nodiscard]] float threshold() const noexcept {
        if (!is_full()) {
            return -std::numeric_limits<float>::infinity();
        }
        return storage_.empty() ? std::numeric_limits<float>::infinity() : storage_.front().score;
    }

    void push(Id id, float score) noexcept {
        const Scored<Id> candidate{id, score};
        if (!is_full()) {
            if (score == score) {  // not NaN
                storage_[size_++] = candidate;
                std::push_heap(storage_.data(), storage_.data() + size_, ranks_before);
            }
        } else if (!storage_.empty() && ranks_before(candidate, storage_.front())) {
            replace_worst(candidate);
        }
    }

    /// Sorts what was collected, best first, and returns it. Push nothing afterwards.
    std::span<Scored<Id>> finish() noexcept {
        std::sort_heap(storage_.data(), storage_.data() + size_, ranks_before);
        return storage_.first(size_);
    }

private:
    // The worst of the k lies at the front of the heap; one walk down takes the newcomer to its place.
    void replace_worst(const Scored<Id>& candidate) noexcept {
        std::size_t hole = 0;
        for (std::size_t child = 1; child < size_; child = 2 * hole + 1) {
            if (child + 1 < size_ && ranks_before(storage_[child], storage_[child + 1])) {
                ++child;
            }
            if (!ranks_before(candidate, storage_[child])) {
                break;
            }
            storage_[hole] = storage_[child];
            hole = child;
        }
        storage_[hole] = candidate;
    }

    std::span<Scored<Id>> storage_;
    std::size_t size_ = 0;
};

/// The k best positions of a list of scores, best first; ties go to the smaller position, a NaN is never taken.
///
/// Shapes    scores: n;  out: room for k
/// Returns   min(k, number of scores that are not NaN) entries; the second form: the filled part of out
/// Cost      O(n + k log k log n) on random order, O(n log k) at worst; the second form allocates nothing
inline std::span<Scored<>> top_k(std::span<const float> scores, std::span<Scored<>> out) noexcept {
    TopK<> best(out);
    for (std::size_t i = 0; i < scores.size(); ++i) {
        best.push(static_cast<std::uint32_t>(i), scores[i]);
    }
    return best.finish();
}

[[nodiscard]] inline std::vector<Scored<>> top_k(std::span<const float> scores, std::size_t k) {
    std::vector<Scored<>> out(std::min(k, scores.size()));
    out.resize(top_k(scores, std::span(out)).size());
    return out;
}

}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace pipeline {

/// The items of one source, best first. A view: the items must outlive the call of merge.
struct SourceList {
    std::span<const Scored<>> items;
    std::optional<std::size_t> at_most = {};  ///< maximum number of items added by this source
    std::string name = "source";              ///< for error messages
};

struct MergeOptions {
    std::optional<std::size_t> at_most = {};      ///< maximum number of candidates in total
    std::span<const std::uint32_t> exclude = {};  ///< items that must not be added, in any order
    double rank_constant = 60.0;                  ///< larger values give the top ranks less weight
};

namespace detail {

// Numbers ids 0, 1, ... in order of first occurrence. A hash table with open addressing; the maximum number of ids is
// given in advance. An attacker may choose ids that collide. A long probe sequence reveals this, and the table is then
// rehashed with another multiplier.
class IdNumbers {
public:
    explicit IdNumbers(std::size_t capacity)
        : slots_(std::bit_ceil(2 * capacity + 2)),
          shift_(64U - static_cast<unsigned>(std::countr_zero(slots_.size()))),
          longest_search_(16 * static_cast<std::size_t>(std::countr_zero(slots_.size()))) {}

    // The number of an id; a new id gets the next free number. If the call throws, nothing has changed.
    std::size_t operator()(std::uint32_t id) {
        FUNNEL_ASSERT(2 * size_ <= slots_.size());
        std::size_t at = slot_of(id);
        if (!slots_[at].is_used) {
            if (((at - home_of(id)) & (slots_.size() - 1)) > longest_search_) [[unlikely]] {
                spread();
                at = slot_of(id);
            }
            slots_[at] = {size_++, id, true};
        }
        return slots_[at].number;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }

private:
    struct Slot {
        std::size_t number = 0;
        std::uint32_t id = 0;
        bool is_used = false;
    };

    // Fibonacci hashing: consecutive ids are placed far apart.
    [[nodiscard]] std::size_t home_of(std::uint32_t id) const noexcept { return id * multiplier_ >> shift_; }

    [[nodiscard]] std::size_t slot_of(std::uint32_t id) const noexcept {
        std::size_t at = home_of(id);
        while (slots_[at].is_used && slots_[at].id != id) {
            at = (at + 1) & (slots_.size() - 1);
        }
        return at;
    }

    [[gnu::noinline]] void spread() {
        std::vector<Slot> old(slots_.size());
        old.swap(slots_);
        multiplier_ *= 0xBF58476D1CE4E5B9;  // odd, so the multiplier stays odd
        for (const Slot& slot : old) {
            if (slot.is_used) {
                slots_[slot_of(slot.id)] = slot;
            }
        }
    }

    std::vector<Slot> slots_;
    unsigned shift_;
    std::size_t longest_search_;  // 16 log(slots): more than ids need that were not chosen to collide
    std::uint64_t multiplier_ = 0x9E3779B97F4A7C15;
    std::size_t size_ = 0;
};

}  // namespace detail

/// Merges the items of several sources into one list of candidates without duplicates. Each candidate stores all its
/// sources.
///
/// Sources take turns, starting with the first. In each turn, a source adds its best item that is not in the list yet,
/// until it has added at_most items or its list ends. An item that was added by another source still counts as found by
/// this one.
///
/// A single source keeps its own scores. Several sources have no common scale, so the score of a candidate is then the
/// reciprocal rank fusion of its ranks:
///
///     score(i) = sum over sources s that found i of 1 / (rank_constant + 1 + rank of i in s)
///
/// In this formula, only ranks count: an item with score 0 (no evidence) gets as much as any other item at its rank. A
/// source must leave such items out, as the models of this library do.
///
/// Returns   the candidates: higher score first, then smaller id
/// Cost      O(n log n) time for n items in all lists, O(n sources) memory
/// Errors    InvalidArgument with the name of the source if a score is NaN; InvalidArgument if there are more than 32
///           sources, or rank_constant is negative or not finite
/// Source    Cormack et al., "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods",
///           SIGIR 2009
[[nodiscard]] inline Candidates merge(std::span<const SourceList> lists, const MergeOptions& options = {}) {
    if (lists.size() > max_sources) {
        raise<InvalidArgument>("merge: at most 32 sources, got " + std::to_string(lists.size()));
    }
    require_not_negative(options.rank_constant, "merge: rank_constant");
    std::size_t total = options.exclude.size();
    for (const SourceList& list : lists) {
        total += list.items.size();
        for (const Scored<>& item : list.items) {
            if (math::is_nan(item.score)) {
                raise<InvalidArgument>("merge: " + list.name + " gave item " + std::to_string(item.id) +
                                       " a score that is NaN");
            }
        }
    }

    // Excluded items get the first numbers, so the code below treats them as known.
    detail::IdNumbers number_of(total);
    for (const std::uint32_t id : options.exclude) {
        number_of(id);
    }
    const std::size_t excluded = number_of.size();
    const std::size_t most = options.at_most.value_or(std::numeric_limits<std::size_t>::max());

    Candidates merged(lists.size());
    std::vector<std::size_t> next(lists.size(), 0);   // next position to read in each source
    std::vector<std::size_t> added(lists.size(), 0);  // number of items each source added
    for (bool any_added = true; any_added && merged.size() < most;) {
        any_added = false;
        for (std::size_t s = 0; s < lists.size(); ++s) {
            const SourceList& list = lists[s];
            bool is_added = merged.size() >= most || (list.at_most && added[s] >= *list.at_most);
            while (!is_added && next[s] < list.items.size()) {
                const std::uint32_t id = list.items[next[s]++].id;
                const std::size_t known = number_of.size();
                is_added = number_of(id) == known;
                if (is_added) {
                    merged.append(id, 0.0F);
                    ++added[s];
                    any_added = true;
                }
            }
        }
    }

    std::vector<double> fused(merged.size(), 0.0);
    for (std::size_t s = 0; s < lists.size(); ++s) {
        for (std::size_t rank = 0; rank < lists[s].items.size(); ++rank) {
            const Scored<>& item = lists[s].items[rank];
            const std::size_t i = number_of(item.id) - excluded;  // wraps around for an excluded item
            if (i < merged.size() && !merged[i].is_from(s)) {     // the first occurrence in a list counts
                merged.found_at(i, s, item.score, rank);
                fused[i] += lists.size() == 1 ? static_cast<double>(item.score)
                                              : 1.0 / (options.rank_constant + 1.0 + static_cast<double>(rank));
            }
        }
    }
    std::vector<float> scores(fused.begin(), fused.end());
    merged.rescore(scores, "merge");
    return merged;
}

}  // namespace pipeline
}  // namespace FUNNEL_ABI
}  // namespace funnel

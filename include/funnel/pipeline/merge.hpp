// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/hash.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/number_table.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/pipeline/candidates.hpp>

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

// Assigns numbers 0, 1, 2, ... to ids in order of first appearance. O(1) per id, also for ids that an attacker chose.
class IdNumbers {
public:
    // Reserves memory for `capacity` ids.
    explicit IdNumbers(std::size_t capacity) {
        ids_.reserve(capacity);
        make_room(capacity);
    }

    // The number of an id; a new id gets the next number. If the call throws, nothing has changed.
    std::size_t operator()(std::uint32_t id) {
        make_room(ids_.size() + 1);
        const std::uint64_t hash = funnel::detail::hash_word(numbers_.seed(), id);
        const std::size_t slot = numbers_.find(hash, [&](std::uint32_t number) { return ids_[number] == id; });
        if (numbers_[slot] == numbers_.none) {
            ids_.push_back(id);
            numbers_.put(slot, hash, static_cast<std::uint32_t>(ids_.size() - 1));
        }
        return numbers_[slot];
    }

    [[nodiscard]] std::size_t size() const noexcept { return ids_.size(); }

private:
    void make_room(std::size_t count) {
        numbers_.reserve(count, [&](std::uint32_t number, std::uint64_t seed) {
            return funnel::detail::hash_word(seed, ids_[number]);
        });
    }

    std::vector<std::uint32_t> ids_;  // index: number
    funnel::detail::NumberTable numbers_;
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/search_stats.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The best nodes that a graph search has visited, in one sorted array, with a mark for those already expanded.
class CandidatePool {
public:
    /// Reserves memory for `capacity` nodes; capacity must be below SIZE_MAX (not checked).
    void reserve(std::size_t capacity) {
        if (entries_.size() < capacity + 1) {
            entries_.resize(capacity + 1);  // one more, because insert shifts before it truncates
        }
    }

    void reset(std::size_t capacity) {
        reserve(capacity);
        capacity_ = capacity;
        size_ = 0;
        next_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    /// Node i < size() (not checked), best first.
    [[nodiscard]] Scored<> operator[](std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size_);
        return {entries_[i].id & ~expanded, entries_[i].score};
    }

    /// Inserts a node that is not in the pool. It is dropped if the pool is full of better nodes.
    void insert(std::uint32_t id, float score) noexcept {
        const Scored<> candidate{id, score};
        if (size_ == capacity_ && !ranks_before(candidate, (*this)[size_ - 1])) {
            return;
        }
        std::size_t position = 0;
        for (std::size_t length = size_; length > 0;) {  // binary search without unpredictable branches
            const std::size_t half = length / 2;
            const bool is_after = ranks_before((*this)[position + half], candidate);
            position = is_after ? position + half + 1 : position;
            length = is_after ? length - half - 1 : half;
        }
        const auto at = entries_.begin() + static_cast<std::ptrdiff_t>(position);
        const auto end = entries_.begin() + static_cast<std::ptrdiff_t>(size_);
        std::copy_backward(at, end, end + 1);
        *at = candidate;
        size_ = std::min(size_ + 1, capacity_);
        next_ = std::min(next_, position);
    }

    /// Marks the best node that is not expanded yet as expanded and returns it; no_node if there is none.
    std::uint32_t expand_next() noexcept {
        while (next_ < size_ && (entries_[next_].id & expanded) != 0) {
            ++next_;
        }
        if (next_ == size_) {
            return no_node;
        }
        const std::uint32_t id = entries_[next_].id;
        entries_[next_++].id |= expanded;
        return id;
    }

private:
    static constexpr std::uint32_t expanded = std::uint32_t{1} << 31;

    std::vector<Scored<>> entries_;
    std::size_t capacity_ = 0;
    std::size_t size_ = 0;
    std::size_t next_ = 0;  // all entries before this one are expanded
};

/// The nodes that a graph search has visited, one bit per node.
class VisitedSet {
public:
    void reserve(std::size_t nodes) { words_.reserve((nodes + 63) / 64); }
    void reset(std::size_t nodes) { words_.assign((nodes + 63) / 64, 0); }

    /// Adds a node; true if it was not in the set.
    bool insert(std::uint32_t node) noexcept {
        FUNNEL_ASSERT(node / 64 < words_.size());
        std::uint64_t& word = words_[node / 64];
        const std::uint64_t bit = std::uint64_t{1} << (node % 64);
        const bool is_new = (word & bit) == 0;
        word |= bit;
        return is_new;
    }

private:
    std::vector<std::uint64_t> words_;
};

inline void prefetch_row(MatrixView<const float> rows, std::uint32_t id) noexcept {
    const auto row = rows.row(id);
    for (std::size_t i = 0; i < row.size(); i += row_alignment / sizeof(float)) {
        __builtin_prefetch(row.data() + i);
    }
}

/// The pool size of walk_down on upper levels.
inline constexpr std::size_t walk_down_width = 4;

/// Scratch memory of a graph search, reused between searches.
struct WalkScratch {
    CandidatePool pool;
    VisitedSet visited;
    std::vector<std::uint32_t> ids;  // neighbours of one node that were not visited before
    std::vector<float> scores;
    std::vector<Scored<>> seeds;  // start nodes of walk_down on the next level
    SearchStats stats;            // counts on, until the owner resets it

    /// Reserves memory, so that searches with a pool of ef nodes do not allocate.
    void reserve(const HNSWGraph& graph, std::size_t ef) {
        pool.reserve(std::min(ef, graph.size()));
        visited.reserve(graph.size());
        ids.resize(graph.capacity(0));
        scores.resize(graph.capacity(0));
        seeds.reserve(walk_down_width + 1);
    }

    /// Prepares a new search. The pool never exceeds the number of nodes, even if a caller or a file gives a larger ef.
    void reset(const HNSWGraph& graph, std::size_t ef) {
        reserve(graph, ef);
        pool.reset(std::min(ef, graph.size()));
        visited.reset(graph.size());
    }
};

template <class Score>
[[nodiscard]] Scored<> scored_by(const Score& score, std::uint32_t id) {
    Scored<> node{id, 0.0F};
    score(std::span<const std::uint32_t>(&node.id, 1), std::span(&node.score, 1));
    return node;
}

/// Greedy search on one level: moves to the best neighbour until no neighbour is better.
template <class Score>
Scored<> descend(const HNSWGraph& graph, std::size_t level, Scored<> from, WalkScratch& scratch, const Score& score) {
    while (true) {
        const auto links = graph.links(from.id, level);
        const auto scores = std::span(scratch.scores).first(links.size());
        score(links, scores);
        ++scratch.stats.hops;
        const Scored<> start = from;
        for (std::size_t i = 0; i < links.size(); ++i) {
            const Scored<> neighbour{links[i], scores[i]};
            from = ranks_before(neighbour, from) ? neighbour : from;
        }
        if (from == start) {
            return from;
        }
    }
}

/// Best-first search on one level: expands the best node of the pool that is not expanded yet, until all are expanded.
/// At the start, the pool holds the start nodes and `visited` contains them. At the end, the pool holds the best of all
/// visited nodes.
///
/// score(ids, out) fills out with the scores of the nodes; prefetch(id) may load the vector of a node into the cache.
///
/// Source    Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
///           small world graphs", TPAMI 2020 (algorithm 2)
template <class Score, class Prefetch>
void walk(const HNSWGraph& graph, std::size_t level, WalkScratch& scratch, const Score& score,
          const Prefetch& prefetch) {
    while (true) {
        const std::uint32_t node = scratch.pool.expand_next();
        if (node == no_node) {
            return;
        }
        // In two phases, so that vectors are loaded into the cache while the other neighbours are looked up.
        std::size_t count = 0;
        for (const std::uint32_t neighbour : graph.slots(node, level)) {
            if (neighbour == no_node) {
                break;
            }
            if (scratch.visited.insert(neighbour)) {
                prefetch(neighbour);
                scratch.ids[count++] = neighbour;
            }
        }
        const auto ids = std::span<const std::uint32_t>(scratch.ids).first(count);
        const auto scores = std::span(scratch.scores).first(count);
        score(ids, scores);
        ++scratch.stats.hops;
        for (std::size_t i = 0; i < count; ++i) {
            scratch.pool.insert(ids[i], scores[i]);
        }
    }
}

/// Best-first search on one level from the node `entry`, which must be on that level; the graph must not be empty. On
/// level 0 the search also starts from the root, so that it can reach every node. The best nodes, at most ef, are then
/// in scratch.pool.
template <class Score, class Prefetch>
void walk_from(const HNSWGraph& graph, Scored<> entry, std::size_t level, std::size_t ef, WalkScratch& scratch,
               const Score& score, const Prefetch& prefetch) {
    scratch.reset(graph, ef);
    scratch.visited.insert(entry.id);
    scratch.pool.insert(entry.id, entry.score);
    if (level == 0 && scratch.visited.insert(graph.root())) {
        scratch.pool.insert(graph.root(), scored_by(score, graph.root()).score);
    }
    walk(graph, level, scratch, score, prefetch);
}

/// Searches all levels from the entry down to level 0. On each upper level it keeps the `width` best nodes and starts
/// from all of them on the next one. The best nodes of level 0, at most ef, are then in scratch.pool. It finds a path
/// where descend stops too early, because a link may lead to a similar vector that does not have a higher score.
template <class Score, class Prefetch>
void walk_down(const HNSWGraph& graph, std::size_t width, std::size_t ef, WalkScratch& scratch, const Score& score,
               const Prefetch& prefetch) {
    scratch.seeds.assign(1, scored_by(score, graph.entry()));
    for (std::size_t level = graph.top_level() + 1; level-- > 0;) {
        if (level == 0) {
            scratch.seeds.push_back(scored_by(score, graph.root()));
        }
        scratch.reset(graph, level == 0 ? ef : width);
        for (const Scored<>& seed : scratch.seeds) {
            if (scratch.visited.insert(seed.id)) {
                scratch.pool.insert(seed.id, seed.score);
            }
        }
        walk(graph, level, scratch, score, prefetch);
        scratch.seeds.clear();
        for (std::size_t i = 0; level > 0 && i < scratch.pool.size(); ++i) {
            scratch.seeds.push_back(scratch.pool[i]);
        }
    }
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/search_stats.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// A node of a search and its score in 64 bits. The smaller number ranks before the other: higher score first, then
/// smaller id. So one comparison of integers, without a branch, does what ranks_before does.
class RankedNode {
public:
    RankedNode() noexcept = default;
    RankedNode(std::uint32_t id, float score) noexcept : bits_(std::uint64_t{order_of(score)} << 32 | id << 1) {}

    [[nodiscard]] std::uint32_t id() const noexcept { return static_cast<std::uint32_t>(bits_) >> 1; }
    /// A score of -0 has become 0, so that both are ties.
    [[nodiscard]] float score() const noexcept {
        const auto order = static_cast<std::uint32_t>(bits_ >> 32);
        return std::bit_cast<float>(order <= order_of_zero ? order_of_zero - order : order + 1);
    }

    [[nodiscard]] bool is_expanded() const noexcept { return (bits_ & 1) != 0; }
    void set_expanded() noexcept { bits_ |= 1; }

    /// Two different nodes. Whether they are expanded makes no difference.
    [[nodiscard]] friend bool operator<(const RankedNode& a, const RankedNode& b) noexcept { return a.bits_ < b.bits_; }

private:
    static constexpr std::uint32_t order_of_zero = 0x7FFFFFFF;

    // The bits of a positive float grow with it, and those of a negative one with its absolute value.
    [[nodiscard]] static std::uint32_t order_of(float score) noexcept {
        const auto bits = std::bit_cast<std::uint32_t>(score);
        return bits <= order_of_zero ? order_of_zero - bits : bits - 1;
    }

    std::uint64_t bits_;
};

/// The best nodes that a graph search has visited, in one sorted array, with a mark for those already expanded.
class CandidatePool {
public:
    /// Reserves memory for `capacity` nodes; capacity must be below SIZE_MAX (not checked).
    void reserve(std::size_t capacity) {
        if (nodes_.size() < capacity + 1) {
            nodes_.resize(capacity + 1);  // one more, because insert shifts before it truncates
        }
    }

    /// Once the pool is full, only the best `width` nodes are worth expanding.
    void reset(std::size_t capacity, std::size_t width) {
        reserve(capacity);
        capacity_ = capacity;
        width_ = width;
        size_ = 0;
        next_ = 0;
    }

    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] std::size_t width() const noexcept { return width_; }
    /// Node i < size() (not checked), best first.
    [[nodiscard]] Scored<> operator[](std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < size_);
        return {nodes_[i].id(), nodes_[i].score()};
    }

    /// Whether the pool is not full of better nodes.
    [[nodiscard]] bool would_keep(RankedNode node) const noexcept { return !is_full() || node < nodes_[size_ - 1]; }

    [[nodiscard]] bool is_full() const noexcept { return size_ == capacity_; }

    /// Nodes of lower scores would not be kept. Minus infinity until the pool is full.
    [[nodiscard]] float threshold() const noexcept {
        return !is_full() ? -std::numeric_limits<float>::infinity() : nodes_[size_ - 1].score();
    }

    /// Inserts a node that is not in the pool. It is dropped if the pool is full of better nodes.
    void insert(RankedNode node) noexcept {
        if (!would_keep(node)) {
            return;
        }
        const std::size_t position = position_of(node);
        const auto at = nodes_.begin() + static_cast<std::ptrdiff_t>(position);
        const auto end = nodes_.begin() + static_cast<std::ptrdiff_t>(size_);
        std::copy_backward(at, end, end + 1);
        *at = node;
        size_ = std::min(size_ + 1, capacity_);
        next_ = std::min(next_, position);
    }

    /// Marks the best nodes that are not expanded yet as expanded, as many as out has room for, and writes their ids.
    ///
    /// Returns   their number
    std::size_t expand(std::span<std::uint32_t> out) noexcept {
        std::size_t count = 0;
        for (const std::size_t end = expandable(); next_ < end && count < out.size(); ++next_) {
            out[count] = nodes_[next_].id();
            count += nodes_[next_].is_expanded() ? 0U : 1U;
            nodes_[next_].set_expanded();
        }
        return count;
    }

    /// Calls visit(id) for each of the best nodes that are not expanded yet, at most `most`.
    template <class Visit>
    [[gnu::always_inline]] void for_each_next(std::size_t most, const Visit& visit) const {
        const std::size_t end = expandable();
        for (std::size_t i = next_; i < end && most > 0; ++i) {
            if (!nodes_[i].is_expanded()) {
                visit(nodes_[i].id());
                --most;
            }
        }
    }

    /// Replaces all scores by those of score(ids, out), and orders the nodes by them. The search must be over.
    template <class Score>
    void rescore(const Score& score) {
        std::array<std::uint32_t, 16> ids;
        std::array<float, 16> scores;
        for (std::size_t begin = 0; begin < size_; begin += ids.size()) {
            const std::size_t count = std::min(ids.size(), size_ - begin);
            for (std::size_t i = 0; i < count; ++i) {
                ids[i] = nodes_[begin + i].id();
            }
            score(std::span<const std::uint32_t>(ids).first(count), std::span(scores).first(count));
            for (std::size_t i = 0; i < count; ++i) {
                nodes_[begin + i] = RankedNode(ids[i], scores[i]);
            }
        }
        std::sort(nodes_.begin(), nodes_.begin() + static_cast<std::ptrdiff_t>(size_));
    }

private:
    [[nodiscard]] std::size_t expandable() const noexcept { return is_full() ? std::min(width_, size_) : size_; }

    // How many nodes rank before this one. Half of the branches of a binary search are mispredicted, so it ends early:
    // compilers vectorize the loop that counts the rest.
    [[nodiscard]] std::size_t position_of(RankedNode node) const noexcept {
        constexpr std::size_t counted = 64;
        std::size_t first = 0;
        std::size_t length = size_;
        while (length > counted) {
            const std::size_t half = (length + 1) / 2;
            first = nodes_[first + half - 1] < node ? first + half : first;
            length -= half;
        }
        std::size_t position = first;
        for (std::size_t i = first; i < first + length; ++i) {
            position += nodes_[i] < node ? 1U : 0U;
        }
        return position;
    }

    std::vector<RankedNode> nodes_;
    std::size_t capacity_ = 0;
    std::size_t width_ = 0;
    std::size_t size_ = 0;
    std::size_t next_ = 0;  // all nodes before this one are expanded
};

/// The nodes that a graph search has visited, one bit per node. A list of the words in use tells what to clear for the
/// next search, which visits little of a large graph.
class VisitedSet {
public:
    void reserve(std::size_t nodes) {
        words_.reserve(words_of(nodes));
        used_.reserve(words_of(nodes) + 1);
    }

    void reset(std::size_t nodes) {
        for (const std::uint32_t word : std::span<const std::uint32_t>(used_).first(count_)) {
            words_[word].bits = 0;
        }
        count_ = 0;
        words_.resize(words_of(nodes));
        used_.resize(words_of(nodes) + 1);  // one more, because insert writes before it counts
    }

    /// Adds a node; true if it was not in the set. No branches: half of the nodes are new.
    bool insert(std::uint32_t node) noexcept {
        FUNNEL_ASSERT(node / 64 < words_.size());
        std::uint64_t& bits = words_[node / 64].bits;
        const std::uint64_t bit = std::uint64_t{1} << (node % 64);
        const bool is_new = (bits & bit) == 0;
        used_[count_] = node / 64;
        count_ += bits == 0 ? 1U : 0U;
        bits |= bit;
        return is_new;
    }

private:
    // A type of its own: a write of a plain integer might change the sizes, which the caller's loop would load again.
    struct Word {
        std::uint64_t bits = 0;
    };
    static constexpr std::size_t words_of(std::size_t nodes) noexcept { return (nodes + 63) / 64; }

    std::vector<Word> words_;
    std::vector<std::uint32_t> used_;  // the first count_: words that are not 0, each once
    std::size_t count_ = 0;
};

/// At most how many nodes walk() expands at a time.
inline constexpr std::size_t beam_width = 4;

/// How many nodes walk() expands at a time on level 0 if it expands the best ef. In a small search, the nodes that are
/// expanded in vain, because a neighbour of a better one pushes them back, are a larger share, so it is fewer.
[[nodiscard]] constexpr std::size_t beam_of(std::size_t ef) noexcept {
    return std::clamp<std::size_t>(1 + ef / 5, 2, beam_width);
}

/// The pool size of walk_down on upper levels.
inline constexpr std::size_t walk_down_width = 4;

/// Scratch memory of a graph search, reused between searches.
struct WalkScratch {
    CandidatePool pool;
    VisitedSet visited;
    std::vector<std::uint32_t> ids;  // neighbours of the nodes of a beam that were not visited before
    std::vector<float> scores;
    std::vector<std::uint32_t> kept;  // positions in ids of those that the pool may keep
    std::vector<Scored<>> seeds;      // start nodes of walk_down on the next level
    SearchStats stats;                // counts on, until the owner resets it

    /// Reserves memory, so that searches with a pool of `capacity` nodes do not allocate.
    void reserve(const HNSWGraph& graph, std::size_t capacity) {
        pool.reserve(std::min(std::max(capacity, walk_down_width), graph.size()));
        visited.reserve(graph.size());
        const std::size_t most = beam_width * graph.capacity(0);
        ids.resize(most);
        scores.resize(most);
        kept.resize(most);
        seeds.reserve(walk_down_width + 1);
    }

    /// Prepares a new search that expands the best ef nodes and keeps max(ef, hits). The pool never exceeds the number
    /// of nodes, even if a caller or a file gives a larger ef.
    void reset(const HNSWGraph& graph, std::size_t ef, std::size_t hits = 1) {
        const std::size_t capacity = std::max(ef, hits);
        reserve(graph, capacity);
        pool.reset(std::min(capacity, graph.size()), ef);
        visited.reset(graph.size());
    }
};

template <class Score>
[[nodiscard]] Scored<> scored_by(const Score& score, std::uint32_t id) {
    Scored<> node{id, 0.0F};
    score(std::span<const std::uint32_t>(&node.id, 1), std::span(&node.score, 1));
    return node;
}

/// Greedy search on one level, not the lowest: moves to the best neighbour until no neighbour is better. For score and
/// prefetch, see walk.
template <class Score, class Prefetch>
Scored<> descend(const HNSWGraph& graph, std::size_t level, Scored<> from, WalkScratch& scratch, const Score& score,
                 const Prefetch& prefetch) {
    while (true) {
        const auto slots = graph.slots(from.id, level);
        std::size_t degree = 0;
        for (; degree < slots.size() && slots[degree] != no_node; ++degree) {
            prefetch(slots[degree]);
        }
        const auto links = slots.first(degree);
        for (const std::uint32_t neighbour : links) {  // the next step begins with the links of one of them
            graph.prefetch_links(neighbour, level);
        }
        const auto scores = std::span(scratch.scores).first(links.size());
        score(links, scores);
        ++scratch.stats.hops;
        const Scored<> start = from;
        for (std::size_t i = 0; i < links.size(); ++i) {
            const Scored<> neighbour{links[i], scores[i]};
            from = ranks_before(neighbour, from) ? neighbour : from;
        }
        graph.prefetch_links(from.id, level - 1);
        if (from == start) {
            return from;
        }
    }
}

/// Best-first search on one level: expands the best nodes of the pool that are not expanded yet, until all within its
/// width are. At the start, the pool holds the start nodes and `visited` contains them. At the end, the pool holds the
/// best of all visited nodes.
///
/// It expands several nodes at a time, see beam_of: their lists of links, and then the vectors of all their neighbours,
/// come from memory together, so that the search waits once for all. A node may therefore be expanded although a
/// neighbour of a better one would have pushed it out of the pool.
///
/// score(ids, out) fills out with the scores of the nodes; prefetch(id) may load the vector of a node into the cache.
///
/// Source    Malkov & Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable
///           small world graphs", TPAMI 2020 (algorithm 2); Subramanya et al., "DiskANN: fast accurate billion-point
///           nearest neighbor search on a single node", NeurIPS 2019 (section 3.4: beams)
template <class Score, class Prefetch>
void walk(const HNSWGraph& graph, std::size_t level, WalkScratch& scratch, const Score& score,
          const Prefetch& prefetch) {
    const auto prefetch_links = [&](std::uint32_t node)
                                    __attribute__((always_inline)) { graph.prefetch_links(node, level); };
    const std::size_t beam = level == 0 ? beam_of(scratch.pool.width()) : beam_width;
    std::array<std::uint32_t, beam_width> nodes;
    while (const std::size_t expanded = scratch.pool.expand(std::span(nodes).first(beam))) {
        std::size_t count = 0;
        for (const std::uint32_t node : std::span<const std::uint32_t>(nodes).first(expanded)) {
            const std::size_t first = count;
            for (const std::uint32_t neighbour : graph.slots(node, level)) {
                if (neighbour == no_node) {
                    break;
                }
                scratch.ids[count] = neighbour;  // half are new: a branch would be mispredicted
                count += scratch.visited.insert(neighbour) ? 1U : 0U;
            }
            for (std::size_t i = first; i < count; ++i) {
                prefetch(scratch.ids[i]);
            }
        }
        const auto ids = std::span<const std::uint32_t>(scratch.ids).first(count);
        scratch.pool.for_each_next(beam, prefetch_links);
        score(ids, std::span(scratch.scores).first(count));
        scratch.stats.hops += expanded;

        const float threshold = scratch.pool.threshold();
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            scratch.kept[kept] = static_cast<std::uint32_t>(i);
            kept += scratch.scores[i] >= threshold ? 1U : 0U;
        }
        for (const std::uint32_t i : std::span<const std::uint32_t>(scratch.kept).first(kept)) {
            scratch.pool.insert({ids[i], scratch.scores[i]});
        }
        scratch.pool.for_each_next(beam, prefetch_links);
    }
}

/// Best-first search on one level from the node `entry`, which must be on that level; the graph must not be empty. On
/// level 0, if the pool is not full of the nodes that can be reached from there, the search goes on from the root,
/// which leads to every node. The best nodes, at most max(ef, hits), are then in scratch.pool.
template <class Score, class Prefetch>
void walk_from(const HNSWGraph& graph, Scored<> entry, std::size_t level, std::size_t ef, WalkScratch& scratch,
               const Score& score, const Prefetch& prefetch, std::size_t hits = 1) {
    scratch.reset(graph, ef, hits);
    scratch.visited.insert(entry.id);
    scratch.pool.insert({entry.id, entry.score});
    walk(graph, level, scratch, score, prefetch);
    if (level == 0 && !scratch.pool.is_full() && scratch.visited.insert(graph.root())) {
        scratch.pool.insert({graph.root(), scored_by(score, graph.root()).score});
        walk(graph, level, scratch, score, prefetch);
    }
}

/// Searches all levels from the entry down to level 0. On each upper level it keeps the `width` best nodes and starts
/// from all of them on the next one. The best nodes of level 0, at most max(ef, hits), are then in scratch.pool. It
/// finds a path where descend stops too early, because a link may lead to a similar vector that does not have a higher
/// score.
template <class Score, class Prefetch>
void walk_down(const HNSWGraph& graph, std::size_t width, std::size_t ef, WalkScratch& scratch, const Score& score,
               const Prefetch& prefetch, std::size_t hits = 1) {
    scratch.seeds.assign(1, scored_by(score, graph.entry()));
    for (std::size_t level = graph.top_level() + 1; level-- > 0;) {
        if (level == 0) {
            scratch.seeds.push_back(scored_by(score, graph.root()));
        }
        scratch.reset(graph, level == 0 ? ef : width, level == 0 ? hits : 1);
        for (const Scored<>& seed : scratch.seeds) {
            if (scratch.visited.insert(seed.id)) {
                scratch.pool.insert({seed.id, seed.score});
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

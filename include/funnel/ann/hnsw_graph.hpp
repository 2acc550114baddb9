// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/vectors.hpp>
#include <funnel/core/copy_on_write_matrix.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/prefetch.hpp>
#include <funnel/core/rng.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

inline constexpr std::uint32_t no_node = std::numeric_limits<std::uint32_t>::max();

/// The links of a hierarchical graph. Every node is on level 0 and has 2 M link slots there. A node of level l is also
/// on levels 1 .. l and has M slots on each. Unused slots are at the end of a list and hold no_node.
///
/// A search starts at `entry`, a node of the highest level. Every node can be reached from `root` on level 0: the code
/// that builds and changes the graph guarantees this, and therefore a search finds k results if they exist.
class HNSWGraph {
public:
    static constexpr std::size_t max_level = 31;
    static constexpr std::size_t max_M = 4096;

    HNSWGraph() : HNSWGraph(2, {}) {}

    /// Creates nodes of the given levels, without links.
    HNSWGraph(std::size_t M, std::vector<std::uint8_t> levels)
        : base_(Matrix<std::uint32_t>(levels.size(), 2 * M)), levels_(std::move(levels)), M_(M) {
        upper_.assign(set_upper_starts(), no_node);
        for (std::uint32_t node = 0; node < size(); ++node) {
            std::ranges::fill(base_.mutable_row(node), no_node);
        }
    }

    [[nodiscard]] std::size_t size() const noexcept { return levels_.size(); }
    [[nodiscard]] std::size_t M() const noexcept { return M_; }
    [[nodiscard]] std::uint32_t entry() const noexcept { return entry_; }
    [[nodiscard]] std::uint32_t root() const noexcept { return root_; }
    [[nodiscard]] std::size_t level(std::uint32_t node) const noexcept { return levels_[node]; }
    [[nodiscard]] std::size_t top_level() const noexcept { return size() == 0 ? 0 : level(entry_); }
    [[nodiscard]] std::size_t capacity(std::size_t level) const noexcept { return level == 0 ? 2 * M_ : M_; }

    /// All link slots of a node on a level, unused ones included. The node must be on that level (not checked).
    [[nodiscard]] std::span<const std::uint32_t> slots(std::uint32_t node,
                                                       std::size_t level) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(node < size() && level <= this->level(node));
        return level == 0 ? base_.row(node) : std::span(upper_.data() + upper_position(node, level), M_);
    }
    /// Writable ones, after own().
    [[nodiscard]] std::span<std::uint32_t> slots(std::uint32_t node, std::size_t level) noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(node < size() && level <= this->level(node));
        return level == 0 ? base_.mutable_row(node) : std::span(upper_.data() + upper_position(node, level), M_);
    }

    [[nodiscard]] std::span<const std::uint32_t> links(std::uint32_t node,
                                                       std::size_t level) const noexcept FUNNEL_LIFETIMEBOUND {
        const auto all = slots(node, level);
        return all.first(static_cast<std::size_t>(std::find(all.begin(), all.end(), no_node) - all.begin()));
    }

    /// Whether a node links to another one on a level.
    [[nodiscard]] bool has_link(std::uint32_t node, std::size_t level, std::uint32_t other) const noexcept {
        const auto all = slots(node, level);
        return std::count(all.begin(), all.end(), other) != 0;  // without a branch per link, unlike std::find
    }

    /// May load the link slots of a node on a level into the cache.
    [[gnu::always_inline]] void prefetch_links(std::uint32_t node, std::size_t level) const noexcept {
        const auto all = slots(node, level);
        prefetch_elements(all.data(), all.size());
    }

    /// Draws the level of a node: at least l with probability M^-l.
    [[nodiscard]] static std::size_t draw_level(std::size_t M, std::uint64_t seed, std::uint64_t id) {
        constexpr Stream level_stream = stream("hnsw.levels");
        Random random(seed, level_stream, id);
        std::size_t level = 0;
        while (level < max_level && random.below(M) == 0) {
            ++level;
        }
        return level;
    }

    /// Draws the levels of `nodes` vectors; copies get level 0. is_copy has one flag per vector or is empty.
    [[nodiscard]] static std::vector<std::uint8_t> draw_levels(std::size_t M, std::uint64_t seed, std::size_t nodes,
                                                               std::span<const std::uint8_t> is_copy) {
        std::vector<std::uint8_t> levels(nodes);
        for (std::size_t id = 0; id < nodes; ++id) {
            const bool is_node = is_copy.empty() || is_copy[id] == 0;
            levels[id] = static_cast<std::uint8_t>(is_node ? draw_level(M, seed, id) : 0);
        }
        return levels;
    }

    /// Copies links that are mapped from a file, so that the graph can change. On failure nothing has changed.
    void own() { base_.own(); }

    /// Adds a node without links and returns its id. On failure nothing has changed.
    std::uint32_t append(std::size_t level) {
        const auto node = static_cast<std::uint32_t>(size());
        reserve_more(upper_start_, 1);
        reserve_more(upper_, level * M_);
        reserve_more(levels_, 1);
        base_.resize_rows(node + std::size_t{1});  // the last step that can fail
        std::ranges::fill(base_.mutable_row(node), no_node);
        upper_start_.push_back(upper_.size());
        upper_.resize(upper_.size() + level * M_, no_node);
        levels_.push_back(static_cast<std::uint8_t>(level));
        return node;
    }

    /// Reserves memory for `levels` more levels of nodes above level 0, so that set_level() cannot fail.
    void reserve_levels(std::size_t levels) { reserve_more(upper_, levels * M_); }

    /// Moves a node to another level. Its links on levels that it keeps stay; new lists are empty. No node may link to
    /// it on a level that it leaves (not checked). Call reserve_levels first if the level is higher.
    ///
    /// Cost      O(n) if the level changes
    void set_level(std::uint32_t node, std::size_t level) noexcept {
        const std::size_t before = this->level(node);
        const auto end = upper_.begin() + static_cast<std::ptrdiff_t>(upper_start_[node] + before * M_);
        if (level > before) {
            upper_.insert(end, (level - before) * M_, no_node);
        } else {
            upper_.erase(end - static_cast<std::ptrdiff_t>((before - level) * M_), end);
        }
        for (std::size_t other = node + std::size_t{1}; level != before && other < size(); ++other) {
            upper_start_[other] = upper_start_[other] + level * M_ - before * M_;
        }
        levels_[node] = static_cast<std::uint8_t>(level);
    }

    /// Removes all nodes except the first `count`. No remaining node may link to a removed one (not checked).
    void keep_first(std::size_t count) {
        for (; size() > count; levels_.pop_back()) {
            upper_.resize(upper_start_.back());
            upper_start_.pop_back();
            base_.resize_rows(size() - 1);
        }
    }

    void set_entry(std::uint32_t node) noexcept { entry_ = node; }
    void set_root(std::uint32_t node) noexcept { root_ = node; }

    /// The parent of each node in a spanning tree of level 0. The root is its own parent; the parent of an unreachable
    /// node is no_node.
    [[nodiscard]] std::vector<std::uint32_t> spanning_tree() const {
        std::vector<std::uint32_t> parents(size(), no_node);
        std::vector<std::uint32_t> reached;
        if (size() > 0) {
            parents[root_] = root_;
            reached.push_back(root_);
            extend_tree(parents, reached, 0);
        }
        return parents;
    }

    /// Adds all nodes that can be reached from reached[first] and later entries to the tree, and appends them to
    /// `reached`.
    void extend_tree(std::vector<std::uint32_t>& parents, std::vector<std::uint32_t>& reached,
                     std::size_t first) const {
        for (std::size_t i = first; i < reached.size(); ++i) {
            const std::uint32_t node = reached[i];
            for (const std::uint32_t next : links(node, 0)) {
                if (parents[next] == no_node) {
                    parents[next] = node;
                    reached.push_back(next);
                }
            }
        }
    }

    [[nodiscard]] std::size_t memory_bytes() const noexcept {
        return base_.memory_bytes() + upper_.size() * sizeof(std::uint32_t) +
               upper_start_.size() * sizeof(std::size_t) + levels_.size();
    }

    /// Adds the sections of the graph to a file. The graph must outlive the call of file.save.
    template <class Writer>
    void write(Writer& file) const {
        file.value("M", std::uint64_t{M_});
        file.value("entry", entry_);
        file.value("root", root_);
        file.array("levels", levels_);
        file.matrix("links", base_.view());
        file.array("upper_links", upper_);
    }

    /// Reads a graph. It checks all ids, levels and links, that every node can be reached from the root, and that no
    /// link leads to a copy. is_copy has one flag per vector or is empty.
    template <class Reader>
    [[nodiscard]] static HNSWGraph read(const Reader& file, std::size_t nodes,
                                        std::span<const std::uint8_t> is_copy = {}) {
        const std::size_t M = file.template value<std::uint64_t>("M");
        file.check(M >= 2 && M <= max_M, "M", "must lie in [2, 4096]");
        auto levels = file.template array<std::uint8_t>("levels", nodes);
        std::uint64_t upper_size = 0;
        for (const std::uint8_t level : levels) {
            file.check(level <= max_level, "levels", "must be at most 31");
            upper_size += level * M;
        }
        HNSWGraph graph;
        graph.upper_ = file.template array<std::uint32_t>("upper_links", upper_size);
        graph.base_ = file.template copy_on_write_matrix<std::uint32_t>("links", nodes, 2 * M);
        graph.levels_ = std::move(levels);
        graph.M_ = M;
        graph.set_upper_starts();
        graph.entry_ = file.template value<std::uint32_t>("entry");
        graph.root_ = file.template value<std::uint32_t>("root");
        if (nodes > 0) {
            graph.check(file, is_copy);
        }
        return graph;
    }

private:
    // Where the lists of each node begin in upper_; returns its size.
    std::size_t set_upper_starts() {
        upper_start_.reserve(size());
        std::size_t upper_size = 0;
        for (std::uint32_t node = 0; node < size(); ++node) {
            upper_start_.push_back(upper_size);
            upper_size += level(node) * M_;
        }
        return upper_size;
    }

    template <class Reader>
    void check(const Reader& file, std::span<const std::uint8_t> is_copy) const {
        file.check(root_ < size(), "root", "must be below the number of vectors");
        file.check(entry_ < size(), "entry", "must be below the number of vectors");
        file.check(is_copy.empty() || (is_copy[entry_] == 0 && is_copy[root_] == 0), "entry",
                   "must not be a copy, and neither must the root");
        file.check(levels_[entry_] == *std::max_element(levels_.begin(), levels_.end()), "entry",
                   "must be a node of the highest level");
        for (std::uint32_t node = 0; node < size(); ++node) {
            for (std::size_t level = 0; level <= this->level(node); ++level) {
                const char* section = level == 0 ? "links" : "upper_links";
                const auto slots = this->slots(node, level);
                const auto links = this->links(node, level);
                for (const std::uint32_t link : links) {
                    file.check(link < size() && link != node, section, "must be ids of other vectors");
                    file.check(this->level(link) >= level, section, "must lead to nodes on the same level");
                    file.check(is_copy.empty() || is_copy[link] == 0, section, "must not lead to copies");
                }
                file.check(std::all_of(slots.begin() + static_cast<std::ptrdiff_t>(links.size()), slots.end(),
                                       [](std::uint32_t link) { return link == no_node; }),
                           section, "must come before the unused slots of their list");
            }
        }
        const auto parents = spanning_tree();
        for (std::uint32_t node = 0; node < size(); ++node) {
            const bool is_node = is_copy.empty() || is_copy[node] == 0;
            file.check(is_node == (parents[node] != no_node), "links", "must make every node reachable from the root");
        }
    }

    [[nodiscard]] std::size_t upper_position(std::uint32_t node, std::size_t level) const noexcept {
        return upper_start_[node] + (level - 1) * M_;
    }

    CopyOnWriteMatrix<std::uint32_t> base_;  // links of level 0
    std::vector<std::uint32_t> upper_;
    std::vector<std::size_t> upper_start_;  // per node, the start of its lists in upper_
    std::vector<std::uint8_t> levels_;
    std::size_t M_;
    std::uint32_t entry_ = 0;
    std::uint32_t root_ = 0;
};

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_build.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_links.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// Scratch memory of unlink_node.
struct UnlinkScratch {
    std::vector<std::uint32_t> around;   // the links of the node on one level
    std::vector<std::uint32_t> orphans;  // its children in the spanning tree
    std::vector<std::uint32_t> ids;
    std::vector<float> scores;
    std::vector<Scored<>> candidates;
    LinkSelection selection;

    /// Reserves memory, so that unlink_node does not allocate.
    void reserve(const HNSWGraph& graph) {
        const std::size_t limit = graph.capacity(0);
        around.reserve(limit);
        orphans.reserve(limit);
        ids.reserve(2 * limit);
        scores.reserve(2 * limit);
        candidates.reserve(2 * limit);
        selection.taken.reserve(limit);
        selection.passed_over.reserve(2 * limit);
    }
};

/// Takes a node out of the links of another one. The gap goes to one of the nodes around the lost one, by the usual
/// selection; the other links stay.
///
/// Source    Singh et al., "FreshDiskANN: a fast and accurate graph-based ANN index for streaming similarity search",
///           2021 (algorithm 4; here it keeps all other links and adds at most one)
template <class Similar>
void close_gap(HNSWGraph& graph, std::uint32_t node, std::size_t level, std::uint32_t lost, const Similar& similarity,
               UnlinkScratch& scratch) {
    const auto slots = graph.slots(node, level);
    const std::size_t degree = graph.links(node, level).size();
    *std::remove(slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(degree), lost) = no_node;
    const auto kept = slots.first(degree - 1);
    const auto is_kept = [&](std::uint32_t id) { return std::find(kept.begin(), kept.end(), id) != kept.end(); };
    scratch.ids.assign(kept.begin(), kept.end());
    std::copy_if(scratch.around.begin(), scratch.around.end(), std::back_inserter(scratch.ids),
                 [&](std::uint32_t id) { return id != node && !is_kept(id); });
    scratch.scores.resize(scratch.ids.size());
    similarity(node, scratch.ids, scratch.scores);
    scratch.candidates.clear();
    for (std::size_t i = 0; i < scratch.ids.size(); ++i) {
        scratch.candidates.push_back({scratch.ids[i], scratch.scores[i]});
    }
    std::sort(scratch.candidates.begin(), scratch.candidates.end(), ranks_before);
    select_links(scratch.candidates, slots.size(), similarity, is_kept, scratch.selection);
    std::copy(scratch.selection.taken.begin(), scratch.selection.taken.end(), slots.begin());
}

/// Whether a node hangs on the root of the spanning tree, and not on a node without a parent.
[[nodiscard]] inline bool is_in_tree(std::span<const std::uint32_t> parents, std::uint32_t node) noexcept {
    while (parents[node] != node && parents[node] != no_node) {
        node = parents[node];
    }
    return parents[node] == node;
}

/// Brings the subtrees of the orphans back into the spanning tree. If a node of the tree that is near an orphan links
/// to it, this link becomes the edge; else a node near it, or any, gets a new link.
inline void adopt(HNSWGraph& graph, UnlinkScratch& scratch, std::vector<std::uint32_t>& parents) noexcept {
    auto& orphans = scratch.orphans;
    const auto near = [&](std::uint32_t orphan, const auto& accept) {
        const auto links = graph.links(orphan, 0);
        return std::any_of(links.begin(), links.end(), accept) ||
               std::any_of(scratch.around.begin(), scratch.around.end(), accept);
    };
    while (!orphans.empty()) {
        const auto is_adopted = [&](std::uint32_t orphan) {
            return near(orphan, [&](std::uint32_t other) {
                const bool is_parent = graph.has_link(other, 0, orphan) && is_in_tree(parents, other);
                parents[orphan] = is_parent ? other : no_node;
                return is_parent;
            });
        };
        if (std::erase_if(orphans, is_adopted) > 0) {
            continue;  // their subtrees are in the tree now, which others may hang on
        }
        const std::uint32_t orphan = orphans.back();
        const auto attaches = [&](std::uint32_t other) {
            return other != orphan && parents[other] != no_node && is_in_tree(parents, other) &&
                   attach(graph, other, orphan, parents);
        };
        bool is_attached = near(orphan, attaches);
        for (std::uint32_t other = 0; !is_attached; ++other) {  // some tree node always has room
            is_attached = attaches(other);
        }
        orphans.pop_back();
    }
}

/// Removes the links of a node, and the links to it from its neighbours and their neighbours, or from everywhere. These
/// get others in their place. All other nodes stay reachable from the root, which is another node afterwards, as is the
/// entry, unless there is none. It does not allocate if the scratch is reserved.
///
/// Cost      the similarities of about 3 M^2 pairs;  everywhere: also O(n M)
template <class Similar>
void unlink_node(HNSWGraph& graph, std::uint32_t node, bool everywhere, std::vector<std::uint32_t>& parents,
                 const Similar& similarity, UnlinkScratch& scratch) noexcept {
    for (std::size_t level = graph.level(node) + 1; level-- > 0;) {
        const auto links = graph.links(node, level);
        scratch.around.assign(links.begin(), links.end());
        std::fill(graph.slots(node, level).begin(), graph.slots(node, level).end(), no_node);
        const auto forget = [&](std::uint32_t other) {
            if (graph.has_link(other, level, node)) {
                close_gap(graph, other, level, node, similarity, scratch);
            }
        };
        if (everywhere) {
            for (std::uint32_t other = 0; other < graph.size(); ++other) {
                if (graph.level(other) >= level) {
                    forget(other);
                }
            }
        }
        for (const std::uint32_t neighbour : scratch.around) {
            forget(neighbour);
            for (const std::uint32_t other : graph.links(neighbour, level)) {
                forget(other);
            }
        }
    }
    if (const std::uint32_t parent = parents[node]; parent != node && graph.has_link(parent, 0, node)) {
        close_gap(graph, parent, 0, node, similarity, scratch);
    }

    scratch.orphans.clear();
    for (const std::uint32_t neighbour : scratch.around) {
        if (parents[neighbour] == node) {
            parents[neighbour] = no_node;
            scratch.orphans.push_back(neighbour);
        }
    }
    if (graph.root() == node) {
        if (scratch.orphans.empty()) {
            return;  // it is the only node
        }
        graph.set_root(scratch.orphans.front());
        parents[graph.root()] = graph.root();
        scratch.orphans.erase(scratch.orphans.begin());
    }
    parents[node] = no_node;
    adopt(graph, scratch, parents);
    if (graph.entry() == node) {
        graph.set_entry(graph.root());
        for (std::uint32_t other = 0; other < graph.size(); ++other) {
            if (other != node && graph.level(other) > graph.top_level()) {
                graph.set_entry(other);
            }
        }
    }
}

/// Lets vector `to`, which is no node, take the place of a node: its level, its links, and all links to it. The levels
/// must be reserved in the graph.
///
/// Cost      O(n M)
inline void relabel_node(HNSWGraph& graph, std::uint32_t from, std::uint32_t to,
                         std::vector<std::uint32_t>& parents) noexcept {
    graph.set_level(to, graph.level(from));
    for (std::size_t level = 0; level <= graph.level(from); ++level) {
        const auto slots = graph.slots(from, level);
        std::copy(slots.begin(), slots.end(), graph.slots(to, level).begin());
        std::fill(slots.begin(), slots.end(), no_node);
    }
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        for (std::size_t level = 0; level <= graph.level(node); ++level) {
            const auto slots = graph.slots(node, level);
            std::replace(slots.begin(), slots.end(), from, to);
        }
    }
    parents[to] = std::exchange(parents[from], no_node);
    std::replace(parents.begin(), parents.end(), from, to);
    graph.set_entry(graph.entry() == from ? to : graph.entry());
    graph.set_root(graph.root() == from ? to : graph.root());
    graph.set_level(from, 0);
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

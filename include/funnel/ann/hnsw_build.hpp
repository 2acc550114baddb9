// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/ann/hnsw_links.hpp>
#include <funnel/ann/hnsw_search.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/scored.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann {

struct HNSWOptions {
    std::size_t M = 16;                 ///< links per new vector and level, 2 to 4096
    std::size_t ef_construction = 200;  ///< candidates for these links, at least 1; more: better graph, slower build
    std::uint64_t seed = 1;             ///< seed of the levels and the insertion order
};

namespace detail {

/// Scratch memory of one thread that inserts nodes.
struct InsertScratch {
    WalkScratch walk;
    std::vector<Scored<>> candidates;
    LinkSelection selection;
};

/// Finds the neighbours that a node of this level should have, among the other nodes, and appends one offer of a
/// reverse link for each, level by level from the top, the best ones first. score(ids, out) is the similarity to the
/// vector of the node, `similarity` that of two nodes. ef is the number of candidates kept per level. It only reads the
/// graph, so several threads may call it at once, each with its own scratch and offers.
template <class Score, class Similar>
void find_links(const HNSWGraph& graph, std::uint32_t node, std::size_t node_level, std::size_t ef, const Score& score,
                const Similar& similarity, InsertScratch& scratch, std::vector<Offer>& offers) {
    const auto prefetch = [&](std::uint32_t id) { similarity.prefetch(id); };
    scratch.walk.reserve(graph, ef);

    Scored<> from = scored_by(score, graph.entry());
    const std::size_t top = graph.top_level();
    const std::size_t highest = std::min(node_level, top);  // the node has links on this level and below
    for (std::size_t level = top; level > highest; --level) {
        from = descend(graph, level, from, scratch.walk, score, prefetch);
    }
    for (std::size_t level = highest + 1; level-- > 0;) {
        walk_from(graph, from, level, ef, scratch.walk, score, prefetch);
        from = scratch.walk.pool[0];
        scratch.candidates.clear();
        for (std::size_t i = 0; i < scratch.walk.pool.size(); ++i) {
            if (scratch.walk.pool[i].id != node) {  // a node that gets another vector is in the graph with the old one
                scratch.candidates.push_back(scratch.walk.pool[i]);
            }
        }
        const auto must_keep = [](std::uint32_t) { return false; };
        select_links(scratch.candidates, graph.M(), similarity, must_keep, scratch.selection);
        for (const std::uint32_t neighbour : scratch.selection.taken) {
            const auto candidate = std::find_if(scratch.candidates.begin(), scratch.candidates.end(),
                                                [&](const Scored<>& other) { return other.id == neighbour; });
            offers.push_back({neighbour, static_cast<std::uint32_t>(level), node, candidate->score});
        }
    }
}

/// Gives a node without links those of its offers.
inline void write_links(HNSWGraph& graph, std::uint32_t node, std::span<const Offer> offers) {
    for (const Offer& offer : offers) {
        graph.slots(node, offer.level)[graph.links(node, offer.level).size()] = offer.target;
    }
}

/// Finds the neighbours of a stored vector that no node links to yet, writes its links, and appends the offers.
template <class Similar>
void link_node(HNSWGraph& graph, std::uint32_t node, std::size_t ef, const Similar& similarity, InsertScratch& scratch,
               std::vector<Offer>& offers) {
    const auto score = [&](std::span<const std::uint32_t> ids, std::span<float> out) { similarity(node, ids, out); };
    const std::size_t before = offers.size();
    find_links(graph, node, graph.level(node), ef, score, similarity, scratch, offers);
    write_links(graph, node, std::span(offers).subspan(before));
}

/// Offers that the threads of an executor have made, and memory to sort them.
struct WorkerOffers {
    std::vector<Offer> made;
    std::vector<Offer> sorted;
};

/// Calls body(offers, worker) in parallel, once per group of offers with the same target and level, and forgets them.
/// The groups, and the order of sources within each, do not depend on the executor; the order of groups does.
///
/// Shapes    workers: one per thread of the executor;  targets < nodes (not checked)
template <Executor E, class Body>
void for_each_target(E& executor, std::size_t nodes, std::span<WorkerOffers> workers, const Body& body) {
    // Each part of the targets is collected and sorted by one thread. It looks at all offers, so parts are few.
    const std::size_t parts = std::min<std::size_t>(nodes, workers.size() * 4);
    const auto of = [](const Offer& offer) { return std::array{offer.level, offer.target}; };
    const auto key = [](const Offer& offer) { return std::array{offer.target, offer.level, offer.source}; };
    executor.for_range(parts, 1, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        FUNNEL_ASSERT(worker < workers.size());
        const std::size_t first = begin * nodes / parts;
        const std::size_t last = end * nodes / parts;
        std::vector<Offer>& own = workers[worker].sorted;
        own.clear();
        for (const WorkerOffers& other : workers) {
            std::copy_if(other.made.begin(), other.made.end(), std::back_inserter(own),
                         [&](const Offer& offer) { return offer.target >= first && offer.target < last; });
        }
        std::sort(own.begin(), own.end(), [&](const Offer& a, const Offer& b) { return key(a) < key(b); });
        for (auto group = own.begin(); group != own.end();) {
            const auto after =
                std::find_if(group, own.end(), [&](const Offer& offer) { return of(offer) != of(*group); });
            body(std::span<const Offer>(group, after), worker);
            group = after;
        }
    });
    for (WorkerOffers& worker : workers) {
        worker.made.clear();
    }
}

/// Links `parent`, a node of the spanning tree, to `child` on level 0. If `parent` has no free slot, the new link
/// replaces one that is not an edge of the tree. Returns false if all its links are edges of the tree.
inline bool attach(HNSWGraph& graph, std::uint32_t parent, std::uint32_t child,
                   std::vector<std::uint32_t>& parents) noexcept {
    const auto slots = graph.slots(parent, 0);
    const std::size_t degree = graph.links(parent, 0).size();
    std::size_t slot = degree;
    if (graph.has_link(parent, 0, child)) {
        slot = static_cast<std::size_t>(std::find(slots.begin(), slots.end(), child) - slots.begin());
    } else if (degree == slots.size()) {
        while (slot > 0 && parents[slots[slot - 1]] == parent) {
            --slot;
        }
        if (slot == 0) {
            return false;
        }
        --slot;
    }
    slots[slot] = child;
    parents[child] = parent;
    return true;
}

/// Makes every node reachable from the root on level 0: each unreachable node gets a link from the nearest node found
/// that can take one more. is_copy has one flag per vector or is empty; a copy of an earlier vector (hnsw_copies.hpp)
/// is no node.
template <class Similar>
void connect(HNSWGraph& graph, std::span<const std::uint8_t> is_copy, std::size_t ef, const Similar& similarity) {
    std::vector<std::uint32_t> parents = graph.spanning_tree();
    std::vector<std::uint32_t> reached;
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        if (parents[node] != no_node) {
            reached.push_back(node);
        }
    }
    // The nodes before reached[spare] are full. A tree has fewer edges than nodes, so some node has room.
    std::size_t spare = 0;
    WalkScratch scratch;
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        if (parents[node] != no_node || (!is_copy.empty() && is_copy[node] != 0)) {
            continue;
        }
        const auto score = [&](std::span<const std::uint32_t> ids, std::span<float> out) {
            similarity(node, ids, out);
        };
        walk_from(graph, scored_by(score, graph.root()), 0, ef, scratch, score, [](std::uint32_t) {});
        bool is_attached = false;
        for (std::size_t i = 0; i < scratch.pool.size() && !is_attached; ++i) {
            is_attached = attach(graph, scratch.pool[i].id, node, parents);
        }
        while (!is_attached) {
            is_attached = attach(graph, reached[spare], node, parents);
            spare += is_attached ? 0 : 1;
        }
        reached.push_back(node);
        graph.extend_tree(parents, reached, reached.size() - 1);
    }
}

/// Links all nodes of a graph that has no links yet. The result does not depend on the executor. is_copy has one flag
/// per vector or is empty. `root` becomes the root of the graph unless it is no_node.
///
/// Nodes are inserted in batches. All nodes of a batch search in parallel for neighbours in the graph as it was before
/// the batch. Then each chosen neighbour merges the links offered to it, in the order of ids. Nodes of one batch do not
/// find each other; batches grow with the graph but hold at most 2 % of the nodes, so recall hardly changes.
///
/// Source    Manohar et al., "ParlayANN: scalable and deterministic parallel graph-based approximate nearest neighbor
///           search algorithms", PPoPP 2024 (prefix doubling; these batches are smaller)
template <class Similar, Executor E>
void build_links(HNSWGraph& graph, std::span<const std::uint8_t> is_copy, std::uint32_t root, std::size_t ef,
                 std::uint64_t seed, const Similar& similarity, E& executor) {
    if (graph.size() == 0) {
        return;
    }
    // Insert nodes of high levels first, so that the upper levels are complete before most nodes descend through them.
    const auto shuffled = Random(seed, stream("hnsw.order")).permutation<std::uint32_t>(graph.size());
    std::vector<std::uint32_t> order;
    order.reserve(shuffled.size());
    for (std::size_t level = HNSWGraph::max_level + 1; level-- > 0;) {
        for (const std::uint32_t node : shuffled) {
            if (graph.level(node) == level && (is_copy.empty() || is_copy[node] == 0)) {
                order.push_back(node);
            }
        }
    }
    graph.set_entry(order[0]);
    graph.set_root(order[0]);

    struct Worker {
        InsertScratch insert;
        MergeScratch merge;
    };
    std::vector<Worker> workers(executor.concurrency());
    std::vector<WorkerOffers> offers(workers.size());
    const std::size_t largest_batch = std::max<std::size_t>(1, order.size() / 50);
    for (std::size_t done = 1; done < order.size();) {
        const std::size_t size = std::min({std::max<std::size_t>(1, done / 4), largest_batch, order.size() - done});
        executor.for_range(size, 4, [&](std::size_t begin, std::size_t end, std::size_t worker) {
            FUNNEL_ASSERT(worker < workers.size());
            for (std::size_t i = begin; i < end; ++i) {
                link_node(graph, order[done + i], ef, similarity, workers[worker].insert, offers[worker].made);
            }
        });
        for_each_target(executor, graph.size(), offers, [&](std::span<const Offer> group, std::size_t worker) {
            const auto must_keep = [](std::uint32_t) { return false; };
            merge_links(graph, group, similarity, must_keep, workers[worker].merge);
        });
        done += size;
        report_progress(executor, "HNSW::build", done, order.size());
    }
    if (root != no_node) {
        graph.set_root(root);
    }
    connect(graph, is_copy, ef, similarity);
}

/// Links a node, which has no links and is not in the spanning tree, by the offers that find_links() made for it. Its
/// neighbours link back if they choose to, and the node gets a parent in the tree. The graph is connected but for this
/// node. It does not allocate if merge has room for one offer.
template <class Similar>
void accept_links(HNSWGraph& graph, std::uint32_t node, std::span<const Offer> offers,
                  std::vector<std::uint32_t>& parents, const Similar& similarity, MergeScratch& merge) {
    write_links(graph, node, offers);
    for (const Offer& offer : offers) {
        if (!graph.has_link(offer.target, offer.level, node)) {  // else a link to the vector that the node had before
            const auto is_in_tree = [&](std::uint32_t id) { return offer.level == 0 && parents[id] == offer.target; };
            merge_links(graph, std::span(&offer, 1), similarity, is_in_tree, merge);
        }
    }
    const auto is_neighbour = [](const Offer& offer) { return offer.level == 0; };
    for (const Offer& offer : offers) {
        if (is_neighbour(offer) && graph.has_link(offer.target, 0, node)) {
            parents[node] = offer.target;
            break;
        }
    }
    for (std::size_t i = 0; parents[node] == no_node && i < offers.size(); ++i) {
        if (is_neighbour(offers[i])) {
            attach(graph, offers[i].target, node, parents);
        }
    }
    for (std::uint32_t other = 0; parents[node] == no_node; ++other) {  // some tree node always has room
        if (parents[other] != no_node) {
            attach(graph, other, node, parents);
        }
    }
    if (graph.level(node) > graph.top_level()) {
        graph.set_entry(node);
    }
}

/// Adds a node of the given level to a connected graph with the spanning tree `parents`. The graph stays connected, and
/// the tree is updated. On failure the new node may exist, but no other node has changed: keep_first() removes it.
template <class Similar>
void insert_node(HNSWGraph& graph, std::size_t level, std::vector<std::uint32_t>& parents, std::size_t ef,
                 const Similar& similarity) {
    const std::uint32_t node = graph.append(level);
    if (node == 0) {
        graph.set_entry(node);
        graph.set_root(node);
        parents.assign(1, node);
        return;
    }
    parents.push_back(no_node);

    InsertScratch scratch;
    MergeScratch merge;
    std::vector<Offer> offers;
    const auto score = [&](std::span<const std::uint32_t> ids, std::span<float> out) { similarity(node, ids, out); };
    find_links(graph, node, level, ef, score, similarity, scratch, offers);
    merge.reserve(graph.capacity(0), 1);  // no allocation may fail after the links of another node have changed
    accept_links(graph, node, offers, parents, similarity, merge);
}

}  // namespace detail
}  // namespace ann
}  // namespace FUNNEL_ABI
}  // namespace funnel

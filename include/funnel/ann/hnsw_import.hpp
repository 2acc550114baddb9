// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_graph.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/io/graph_file.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ann::detail {

/// The graph of another library as ours. In ours, equal vectors share one node: it gets the links of all of them, as
/// far as they fit, and links to them lead to it. Nodes may still be unreachable; see connect.
[[nodiscard]] inline HNSWGraph graph_of(const io::GraphFile& file, const Copies& copies,
                                        std::span<const std::uint8_t> is_copy) {
    const std::size_t n = file.size();
    std::vector<std::uint32_t> node_of(n);
    std::vector<std::uint8_t> levels(n, 0);
    for (std::uint32_t node = 0; node < n; ++node) {
        if (is_copy.empty() || is_copy[node] == 0) {
            copies.for_each(node, [&](std::uint32_t id) {
                node_of[id] = node;
                levels[node] = std::max(levels[node], file.levels[id]);
                return true;
            });
        }
    }
    HNSWGraph graph(file.M, std::move(levels));
    for (std::uint32_t node = 0; node < n; ++node) {
        for (std::size_t level = 0; node_of[node] == node && level <= graph.level(node); ++level) {
            const auto slots = graph.slots(node, level);
            std::size_t used = 0;
            copies.for_each(node, [&](std::uint32_t id) {
                if (level > file.levels[id]) {
                    return true;
                }
                for (const std::uint32_t link : file.links_of(id, level)) {
                    const std::uint32_t other = node_of[link];
                    const auto end = slots.begin() + static_cast<std::ptrdiff_t>(used);
                    if (used < slots.size() && other != node && std::find(slots.begin(), end, other) == end) {
                        slots[used++] = other;
                    }
                }
                return true;
            });
        }
    }
    if (n > 0) {
        graph.set_entry(node_of[file.entry]);
        graph.set_root(node_of[file.entry]);
    }
    return graph;
}

/// Our graph as other libraries want it: each of several equal vectors is a node. They form a chain: each links to the
/// next, and has the links of the first. If that one has no room for the link to the second, its last link goes there.
[[nodiscard]] inline io::GraphFile file_of(const HNSWGraph& graph, const Copies& copies, std::size_t ef_construction) {
    io::GraphFile file;
    file.M = graph.M();
    file.ef_construction = ef_construction;
    file.entry = graph.size() == 0 ? 0 : graph.entry();
    const std::vector<std::uint8_t> is_copy = copies.flags();
    std::vector<std::uint32_t> before(graph.size(), no_node);  // in the chain of equal vectors
    std::vector<std::uint32_t> first(graph.size(), no_node);
    std::vector<std::uint32_t> after(graph.size(), no_node);
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        if (is_copy.empty() || is_copy[node] == 0) {
            std::uint32_t last = no_node;
            copies.for_each(node, [&](std::uint32_t id) {
                first[id] = node;
                before[id] = last;
                if (last != no_node) {
                    after[last] = id;
                }
                last = id;
                return true;
            });
        }
    }
    file.list_begin.push_back(0);
    for (std::uint32_t node = 0; node < graph.size(); ++node) {
        file.levels.push_back(static_cast<std::uint8_t>(graph.level(node)));
        file.first_list.push_back(file.list_begin.size() - 1);
        for (std::size_t level = 0; level <= graph.level(node); ++level) {
            std::vector<std::uint32_t> links;
            const auto own = graph.links(first[node], level);
            if (level == 0 && before[node] != no_node) {
                links.push_back(before[node]);
                if (own.size() == graph.capacity(0)) {
                    links.push_back(own.back());
                }
            }
            const std::size_t room = graph.capacity(level) - (level == 0 && after[node] != no_node ? 1 : 0);
            for (std::size_t i = 0; i < own.size() && links.size() < room; ++i) {
                if (std::find(links.begin(), links.end(), own[i]) == links.end()) {
                    links.push_back(own[i]);
                }
            }
            if (level == 0 && after[node] != no_node) {
                links.push_back(after[node]);
            }
            file.links.insert(file.links.end(), links.begin(), links.end());
            file.list_begin.push_back(file.links.size());
        }
    }
    return file;
}

}  // namespace ann::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/io/byte_reader.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace io {

/// A hierarchical graph of vectors, as files of other libraries hold it.
///
/// The readers check the structure: links are ids of other nodes that exist on the level, no list on level 0 has more
/// than 2 M links and no other one more than M, and the entry is a node of the highest level. They do not check the
/// values of the vectors, nor that links differ from each other, nor that all nodes can be reached.
struct GraphFile {
    Matrix<float> vectors;                 ///< n x d
    std::vector<std::uint64_t> labels;     ///< what the library calls the nodes; they may repeat
    std::vector<std::uint8_t> is_removed;  ///< per node: 1 if it must not be a result
    std::vector<std::uint8_t> levels;      ///< the highest level of each node
    std::vector<std::size_t> first_list;   ///< per node: its list on level 0; its lists on levels 1, 2, ... follow
    std::vector<std::size_t> list_begin;   ///< per list: its first link in `links`, and one end more than lists
    std::vector<std::uint32_t> links;
    std::size_t M = 0;                ///< links per new node and level
    std::size_t ef_construction = 0;  ///< candidates for these links
    std::uint32_t entry = 0;          ///< where a search starts; 0 if there are no nodes

    [[nodiscard]] std::size_t size() const noexcept { return levels.size(); }

    /// node < size() and level <= levels[node] (not checked).
    [[nodiscard]] std::span<const std::uint32_t> links_of(std::size_t node, std::size_t level) const noexcept {
        const std::size_t list = first_list[node] + level;
        return std::span(links).subspan(list_begin[list], list_begin[list + 1] - list_begin[list]);
    }
};

namespace detail {

inline constexpr std::size_t highest_graph_level = 31;

/// Checks what GraphFile promises about links, levels and the entry. `at` is the byte where the graph begins.
inline void check_graph(const GraphFile& graph, const ByteReader& file, std::uint64_t at) {
    const std::size_t n = graph.size();
    if (n == 0) {
        return;
    }
    if (graph.entry >= n) {
        file.fail_at(at, "entry point", "an id below " + std::to_string(n), std::to_string(graph.entry));
    }
    for (std::size_t node = 0; node < n; ++node) {
        if (graph.levels[node] > graph.levels[graph.entry]) {
            file.fail_at(at, "entry point", "a node of the highest level", "node " + std::to_string(graph.entry));
        }
        for (std::size_t level = 0; level <= graph.levels[node]; ++level) {
            for (const std::uint32_t link : graph.links_of(node, level)) {
                if (link >= n || link == node || graph.levels[link] < level) {
                    file.fail_at(at, "links of node " + std::to_string(node),
                                 "ids of other nodes on level " + std::to_string(level), std::to_string(link));
                }
            }
        }
    }
}

}  // namespace detail

}  // namespace io
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_graph.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using funnel::CorruptData;
using funnel::Matrix;
using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::no_node;

namespace {

// What a file holds: three nodes 0 -> 1 -> 2, the middle one also on level 1, M = 2.
struct Sections {
    std::uint64_t M = 2;
    std::uint32_t entry = 1;
    std::uint32_t root = 0;
    std::vector<std::uint8_t> levels{0, 1, 0};
    std::vector<std::uint32_t> links{1,       no_node, no_node, no_node, 2,       0,
                                     no_node, no_node, 1,       no_node, no_node, no_node};
    std::vector<std::uint32_t> upper{no_node, no_node};
};

// The checksums are right: only the meaning can be wrong.
HNSWGraph graph_of(const Sections& sections, std::size_t nodes = 3, const std::vector<std::uint8_t>& is_copy = {}) {
    const Matrix<std::uint32_t> links(funnel::MatrixView<const std::uint32_t>(sections.links, 3, 4));
    funnel::io::ContainerWriter writer("graph", 1);
    writer.value("M", sections.M);
    writer.value("entry", sections.entry);
    writer.value("root", sections.root);
    writer.array("levels", sections.levels);
    writer.matrix("links", links);
    writer.array("upper_links", sections.upper);
    const auto bytes = writer.bytes();
    return HNSWGraph::read(funnel::io::ContainerReader(bytes, "graph", 1), nodes, is_copy);
}

std::string error_of(const Sections& sections, std::size_t nodes = 3, const std::vector<std::uint8_t>& is_copy = {}) {
    try {
        (void)graph_of(sections, nodes, is_copy);
    } catch (const CorruptData& error) {
        return error.what();
    }
    return "none";
}

bool holds(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("HNSWGraph: reads what it writes, and walks its tree") {
    const HNSWGraph graph = graph_of({});
    CHECK(graph.size() == 3);
    CHECK(graph.top_level() == 1);
    CHECK(graph.links(1, 0).size() == 2);
    CHECK(graph.links(1, 1).empty());
    CHECK(graph.spanning_tree() == std::vector<std::uint32_t>{0, 0, 1});
    funnel::io::ContainerWriter writer("graph", 1);
    graph.write(writer);
    const auto bytes = writer.bytes();
    const HNSWGraph again = HNSWGraph::read(funnel::io::ContainerReader(bytes, "graph", 1), 3);
    CHECK(std::equal(again.links(1, 0).begin(), again.links(1, 0).end(), graph.links(1, 0).begin()));
    CHECK(again.entry() == 1);
    CHECK(again.root() == 0);
    // Three rows of level 0, padded to 64 bytes; two links of level 1; where they begin and a level for each node.
    CHECK(again.memory_bytes() == 3 * 64 + 2 * 4 + 3 * (8 + 1));
}

TEST_CASE("HNSWGraph: appended nodes have their own room on every level") {
    HNSWGraph graph;
    CHECK(graph.append(2) == 0);
    CHECK(graph.append(0) == 1);
    CHECK(graph.append(1) == 2);
    graph.slots(0, 0)[0] = 1;
    graph.slots(0, 1)[0] = 2;
    graph.slots(2, 1)[0] = 0;
    CHECK(graph.links(0, 0)[0] == 1);
    CHECK(graph.links(0, 1)[0] == 2);
    CHECK(graph.links(0, 2).empty());
    CHECK(graph.links(2, 1)[0] == 0);
    CHECK(graph.links(2, 0).empty());
    CHECK(graph.spanning_tree() == std::vector<std::uint32_t>{0, 0, no_node});
}

TEST_CASE("HNSWGraph: every id, level and link of a file is checked") {
    CHECK(error_of({}) == "none");
    for (const std::uint64_t M : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{4097}, ~std::uint64_t{0}}) {
        CHECK(holds(error_of({.M = M}), "\"M\""));
    }
    CHECK(holds(error_of({.M = 3}), "\"upper_links\""));
    CHECK(holds(error_of({.entry = 3}), "must be below the number of vectors"));
    CHECK(holds(error_of({.entry = 0}), "must be a node of the highest level"));
    CHECK(holds(error_of({.root = 3}), "must be below the number of vectors"));
    CHECK(holds(error_of({.levels = {0, 2, 0}}), "\"upper_links\""));
    CHECK(holds(error_of({.levels = {0, 32, 0}}), "must be at most 31"));
    CHECK(holds(error_of({}, 4), "\"levels\""));
    CHECK(holds(error_of({.upper = {3, no_node}}), "must be ids of other vectors"));
    CHECK(holds(error_of({.upper = {1, no_node}}), "must be ids of other vectors"));
    CHECK(holds(error_of({.upper = {0, no_node}}), "must lead to nodes on the same level"));
    CHECK(holds(error_of({.upper = {no_node, 0}}), "must come before the unused slots"));

    Sections sections;
    sections.links[1] = 3;
    CHECK(holds(error_of(sections), "must be ids of other vectors"));
    sections.links[1] = no_node;
    sections.links[4] = no_node;
    sections.links[5] = no_node;  // nothing leads to 2
    CHECK(holds(error_of(sections), "must make every node reachable from the root"));
}

TEST_CASE("HNSWGraph: copies are no nodes: nothing leads to them, and nothing starts from them") {
    Sections sections;
    sections.links[4] = 0;
    sections.links[5] = no_node;  // nothing leads to 2
    CHECK(error_of(sections, 3, {0, 0, 1}) == "none");
    CHECK(holds(error_of({}, 3, {0, 0, 1}), "must not lead to copies"));
    CHECK(holds(error_of(sections, 3, {0, 1, 1}), "must not be a copy"));
    CHECK(holds(error_of(sections, 3, {1, 0, 1}), "must not be a copy"));
    sections.levels = {0, 1, 1};
    sections.upper = {2, no_node, no_node, no_node};
    CHECK(holds(error_of(sections, 3, {0, 0, 1}), "must not lead to copies"));
}

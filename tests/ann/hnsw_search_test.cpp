// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_search.hpp>

#include <funnel/core/rng.hpp>
#include <funnel/core/top_k.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

using funnel::Scored;
using funnel::ann::detail::CandidatePool;
using funnel::ann::detail::descend;
using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::no_node;
using funnel::ann::detail::RankedNode;
using funnel::ann::detail::VisitedSet;
using funnel::ann::detail::walk_from;
using funnel::ann::detail::WalkScratch;

namespace {

std::vector<Scored<>> contents(const CandidatePool& pool) {
    std::vector<Scored<>> all;
    for (std::size_t i = 0; i < pool.size(); ++i) {
        all.push_back(pool[i]);
    }
    return all;
}

// Expands one node. Returns it; no_node if there is none.
std::uint32_t expand_next(CandidatePool& pool) {
    std::uint32_t node = no_node;
    return pool.expand(std::span(&node, 1)) == 1 ? node : no_node;
}

void link(HNSWGraph& graph, std::uint32_t node, std::size_t level, const std::vector<std::uint32_t>& to) {
    std::copy(to.begin(), to.end(), graph.slots(node, level).begin());
}

// The score of a node is its entry here. Counts how many were asked for.
struct Table {
    std::vector<float> scores;
    std::size_t& asked;
    void operator()(std::span<const std::uint32_t> ids, std::span<float> out) const {
        std::transform(ids.begin(), ids.end(), out.begin(), [&](std::uint32_t id) { return scores[id]; });
        asked += ids.size();
    }
};

constexpr auto no_prefetch = [](std::uint32_t) {};

// walk_from on level 0 with a sorted list: some of the best that are not expanded are marked, and then all their neighbours
// join. Once the list is full, only the best ef are expanded.
std::vector<Scored<>> walk_by_definition(const HNSWGraph& graph, const std::vector<float>& scores, std::uint32_t entry,
                                         std::size_t ef, std::size_t hits, std::size_t& hops, std::size_t& scored) {
    const std::size_t most = std::max(ef, hits);
    const std::size_t beam = ef < 10 ? 2 : ef < 15 ? 3 : 4;
    std::vector<Scored<>> best;
    std::vector<bool> is_met(graph.size(), false);
    std::vector<bool> is_expanded(graph.size(), false);
    const auto meet = [&](std::uint32_t id) {
        if (!is_met[id]) {
            is_met[id] = true;
            best.push_back({id, scores[id]});
            ++scored;
        }
    };
    meet(entry);
    scored = 0;  // that of the entry was known
    while (true) {
        std::sort(best.begin(), best.end(), funnel::ranks_before);
        best.resize(std::min(best.size(), most));
        std::vector<std::uint32_t> next;
        for (std::size_t i = 0; i < (best.size() == most ? std::min(ef, most) : best.size()); ++i) {
            if (!is_expanded[best[i].id] && next.size() < beam) {
                is_expanded[best[i].id] = true;
                next.push_back(best[i].id);
            }
        }
        if (next.empty() && (best.size() == most || is_met[graph.root()])) {
            return best;
        }
        if (next.empty()) {
            meet(graph.root());
        }
        hops += next.size();
        for (const std::uint32_t node : next) {
            for (const std::uint32_t id : graph.links(node, 0)) {
                meet(id);
            }
        }
    }
}

}  // namespace

TEST_CASE("RankedNode: in the order of ranks_before, and gives back what it was made of") {
    const std::vector<float> scores{-3.0e38F, -2.0F, -1.0F, -1e-40F, 0.0F, 1e-40F, 1.0F, 2.0F, 3.0e38F};
    const std::vector<std::uint32_t> ids{0, 1, 77, (std::uint32_t{1} << 31) - 1};
    for (const float a : scores) {
        for (const float b : scores) {
            for (const std::uint32_t i : ids) {
                for (const std::uint32_t j : ids) {
                    RankedNode node(i, a);
                    CHECK((node < RankedNode(j, b)) == funnel::ranks_before(Scored<>{i, a}, Scored<>{j, b}));
                    node.set_expanded();
                    CHECK(node.is_expanded());
                    CHECK(node.id() == i);
                    CHECK(node.score() == a);
                }
            }
        }
    }
    CHECK_FALSE(RankedNode(7, 1.0F).is_expanded());
    CHECK(RankedNode(1, -0.0F) < RankedNode(2, 0.0F));
    CHECK(RankedNode(1, 0.0F) < RankedNode(2, -0.0F));
    CHECK_FALSE(std::signbit(RankedNode(1, -0.0F).score()));
}

TEST_CASE("CandidatePool: best first, ties by id, the worst falls out") {
    CandidatePool pool;
    pool.reset(3, 3);
    pool.insert({5, 1.0F});
    pool.insert({7, 2.0F});
    pool.insert({3, 1.0F});
    CHECK(contents(pool) == std::vector<Scored<>>{{7, 2.0F}, {3, 1.0F}, {5, 1.0F}});
    pool.insert({4, 1.0F});
    CHECK(contents(pool) == std::vector<Scored<>>{{7, 2.0F}, {3, 1.0F}, {4, 1.0F}});
    pool.insert({6, 1.0F});
    CHECK(pool[2].id == 4);
}

TEST_CASE("CandidatePool: expands each once, a better newcomer next") {
    CandidatePool pool;
    pool.reset(3, 3);
    CHECK(expand_next(pool) == no_node);
    pool.insert({1, 1.0F});
    pool.insert({2, 0.5F});
    CHECK(expand_next(pool) == 1);
    pool.insert({3, 2.0F});
    CHECK(expand_next(pool) == 3);
    CHECK(expand_next(pool) == 2);
    CHECK(expand_next(pool) == no_node);
    CHECK(contents(pool) == std::vector<Scored<>>{{3, 2.0F}, {1, 1.0F}, {2, 0.5F}});
    pool.reset(1, 1);
    CHECK(pool.size() == 0);
    CHECK(expand_next(pool) == no_node);
}

TEST_CASE("CandidatePool: holds what TopK of the same stream does") {
    funnel::Random random(1);
    for (const std::size_t capacity : {1U, 2U, 7U, 64U, 65U, 66U, 200U, 350U}) {
        CandidatePool pool;
        pool.reset(capacity, capacity);
        std::vector<Scored<>> storage(capacity);
        funnel::TopK<> top(storage);
        for (std::uint32_t id = 0; id < 500; ++id) {
            const auto score = static_cast<float>(random.below(40));
            pool.insert({id, score});
            top.push(id, score);
            if (id % 5 == 0) {
                static_cast<void>(expand_next(pool));
            }
        }
        const auto best = top.finish();
        CHECK(contents(pool) == std::vector<Scored<>>(best.begin(), best.end()));
    }
}

TEST_CASE("VisitedSet: true the first time only") {
    VisitedSet visited;
    visited.reset(130);
    for (const std::uint32_t node : {0U, 63U, 64U, 129U}) {
        CHECK(visited.insert(node));
        CHECK_FALSE(visited.insert(node));
    }
    visited.reset(130);
    CHECK(visited.insert(64));
}

TEST_CASE("VisitedSet: nothing is left of the last search, whatever its size") {
    funnel::Random random(1);
    VisitedSet visited;
    for (int search = 0; search < 50; ++search) {
        const std::size_t nodes = 1 + random.below(4000);
        visited.reset(nodes);
        std::vector<bool> is_inserted(nodes, false);
        for (std::size_t i = 0; i < nodes / 3 + 1; ++i) {
            const auto node = static_cast<std::uint32_t>(random.below(nodes));
            CHECK(visited.insert(node) == !is_inserted[node]);
            is_inserted[node] = true;
        }
    }
}

TEST_CASE("CandidatePool: the threshold is the lowest score once it is full") {
    constexpr float none = -std::numeric_limits<float>::infinity();
    CandidatePool pool;
    pool.reset(2, 2);
    CHECK(pool.threshold() == none);
    pool.insert({1, -3.0F});
    CHECK(pool.threshold() == none);
    pool.insert({2, 5.0F});
    CHECK(pool.threshold() == -3.0F);
    pool.insert({3, 4.0F});
    CHECK(pool.threshold() == 4.0F);
    pool.reset(2, 2);
    CHECK(pool.threshold() == none);
}

TEST_CASE("CandidatePool: tells which nodes to expand next") {
    CandidatePool pool;
    pool.reset(3, 3);
    const auto next = [&](std::size_t most) {
        std::vector<std::uint32_t> ids;
        pool.for_each_next(most, [&](std::uint32_t id) { ids.push_back(id); });
        return ids;
    };
    CHECK(next(4).empty());
    pool.insert({4, 1.0F});
    pool.insert({5, 0.5F});
    pool.insert({6, 0.25F});
    CHECK(next(2) == std::vector<std::uint32_t>{4, 5});
    CHECK(next(4) == std::vector<std::uint32_t>{4, 5, 6});
    CHECK(expand_next(pool) == 4);
    CHECK(next(4) == std::vector<std::uint32_t>{5, 6});
    pool.insert({7, 2.0F});  // drops 6
    CHECK_FALSE(pool.would_keep({8, 0.5F}));
    CHECK(pool.would_keep({8, 0.875F}));
    CHECK(next(4) == std::vector<std::uint32_t>{7, 5});
}

TEST_CASE("CandidatePool: expands several at a time, best first, each once") {
    CandidatePool pool;
    pool.reset(10, 10);
    for (std::uint32_t id = 0; id < 5; ++id) {
        pool.insert({id, static_cast<float>(id)});
    }
    std::array<std::uint32_t, 2> two;
    CHECK(pool.expand(two) == 2);
    CHECK(two == std::array<std::uint32_t, 2>{4, 3});
    pool.insert({7, 3.5F});
    CHECK(pool.expand(two) == 2);
    CHECK(two == std::array<std::uint32_t, 2>{7, 2});
    CHECK(pool.expand(std::span<std::uint32_t>()) == 0);
    std::array<std::uint32_t, 4> four;
    CHECK(pool.expand(four) == 2);
    CHECK(four[0] == 1);
    CHECK(four[1] == 0);
    CHECK(pool.expand(four) == 0);
}

TEST_CASE("CandidatePool: once it is full, only those within its width are next") {
    CandidatePool pool;
    pool.reset(3, 1);
    pool.insert({4, 1.0F});
    pool.insert({5, 0.5F});
    CHECK(expand_next(pool) == 4);
    CHECK(expand_next(pool) == 5);  // not full yet
    pool.insert({6, 0.25F});
    CHECK(expand_next(pool) == no_node);
    pool.for_each_next(4, [](std::uint32_t) { FAIL("no node is next"); });
    pool.insert({7, 0.75F});
    CHECK(expand_next(pool) == no_node);
    pool.insert({8, 2.0F});
    CHECK(expand_next(pool) == 8);
    CHECK(contents(pool) == std::vector<Scored<>>{{8, 2.0F}, {4, 1.0F}, {7, 0.75F}});
}

TEST_CASE("VisitedSet: holds what was inserted since the last reset") {
    funnel::Random random(5);
    VisitedSet visited;
    for (const std::size_t nodes : {1U, 63U, 64U, 65U, 1000U, 100U}) {
        visited.reset(nodes);
        std::vector<bool> expected(nodes, false);
        for (std::size_t i = 0; i < 2 * nodes; ++i) {
            const auto node = static_cast<std::uint32_t>(random.below(nodes));
            CHECK(visited.insert(node) == !expected[node]);
            expected[node] = true;
        }
    }
}

TEST_CASE("descend: goes on while a neighbour is better, ties to the smaller id") {
    HNSWGraph graph(2, {1, 1, 1, 1});
    link(graph, 0, 1, {1});
    link(graph, 1, 1, {3, 2});
    std::size_t asked = 0;
    const Table table{{0.0F, 1.0F, 2.0F, 2.0F}, asked};
    WalkScratch scratch;
    scratch.reserve(graph, 1);
    CHECK(descend(graph, 1, {0, 0.0F}, scratch, table, no_prefetch) == Scored<>{2, 2.0F});
    CHECK(descend(graph, 1, {3, 2.0F}, scratch, table, no_prefetch) == Scored<>{3, 2.0F});
}

// A search that misses what a walk should have met scores all vectors instead: only here does a poor walk show.
TEST_CASE("walk_from: meets what the entry leads to and, on level 0, the root, and each once") {
    HNSWGraph graph(2, {1, 1, 0, 0, 0, 0});
    link(graph, 0, 0, {1});
    link(graph, 1, 0, {0, 2});
    link(graph, 2, 0, {0, 1});
    link(graph, 3, 0, {4});
    link(graph, 4, 0, {3, 2});
    link(graph, 0, 1, {1});
    graph.set_root(3);
    std::size_t asked = 0;
    const Table table{{0.5F, 0.0F, 2.0F, -1.0F, 1.0F, 9.0F}, asked};
    WalkScratch scratch;
    walk_from(graph, {0, 0.5F}, 0, 6, scratch, table, no_prefetch);
    CHECK(contents(scratch.pool) == std::vector<Scored<>>{{2, 2.0F}, {4, 1.0F}, {0, 0.5F}, {1, 0.0F}, {3, -1.0F}});
    CHECK(asked == 4);  // all five but the entry
    walk_from(graph, {3, -1.0F}, 0, 2, scratch, table, no_prefetch);
    CHECK(contents(scratch.pool) == std::vector<Scored<>>{{2, 2.0F}, {4, 1.0F}});
    walk_from(graph, {0, 0.5F}, 1, 6, scratch, table, no_prefetch);
    CHECK(contents(scratch.pool) == std::vector<Scored<>>{{0, 0.5F}, {1, 0.0F}});
}

TEST_CASE(
    "walk_from: does what the definition says, for pools of all sizes, more hits than it expands, and with ties") {
    funnel::Random random(3);
    WalkScratch scratch;
    for (const std::size_t distinct : {3U, 40U, 100000U}) {
        for (const std::size_t ef : {1U, 2U, 3U, 5U, 9U, 10U, 14U, 15U, 16U, 63U, 64U, 65U, 130U, 399U, 400U, 1000U}) {
            const std::size_t hits = random.below(3) == 0 ? 1 : random.below(2 * ef + 10);
            constexpr std::size_t nodes = 400;
            HNSWGraph graph(4, std::vector<std::uint8_t>(nodes, 0));
            std::vector<float> scores(nodes);
            for (std::uint32_t node = 0; node < nodes; ++node) {
                scores[node] = static_cast<float>(random.below(distinct)) - static_cast<float>(distinct / 2);
                std::vector<std::uint32_t> to;
                for (std::size_t degree = random.below(9); to.size() < degree;) {
                    const auto other = static_cast<std::uint32_t>(random.below(nodes));
                    if (other != node && std::find(to.begin(), to.end(), other) == to.end()) {
                        to.push_back(other);
                    }
                }
                link(graph, node, 0, to);
            }
            graph.set_root(static_cast<std::uint32_t>(random.below(nodes)));
            const auto entry = static_cast<std::uint32_t>(random.below(nodes));
            std::size_t hops = 0;
            std::size_t scored = 0;
            const auto expected = walk_by_definition(graph, scores, entry, ef, hits, hops, scored);
            std::size_t asked = 0;
            scratch.stats = {};
            walk_from(graph, {entry, scores[entry]}, 0, ef, scratch, Table{scores, asked}, no_prefetch, hits);
            CAPTURE(ef);
            CAPTURE(hits);
            CAPTURE(distinct);
            CHECK(contents(scratch.pool) == expected);
            CHECK(scratch.stats.hops == hops);
            CHECK(asked == scored);
        }
    }
}

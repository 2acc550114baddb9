// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_links.hpp>

#include "ann/sample_vectors.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::LinkSelection;
using funnel::ann::detail::merge_links;
using funnel::ann::detail::MergeScratch;
using funnel::ann::detail::no_node;
using funnel::ann::detail::Offer;
using funnel::ann::detail::select_links;
using funnel::ann::detail::Similarity;
using funnel::ann::detail::Slack;
using Ids = std::vector<std::uint32_t>;

namespace {

constexpr auto none = [](std::uint32_t) { return false; };

// Points on a line; how alike two are is their distance, negated.
struct Line {
    std::vector<float> points;
    void operator()(std::uint32_t node, std::span<const std::uint32_t> ids, std::span<float> out) const {
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const float difference = points[node] - points[ids[i]];
            out[i] = difference < 0.0F ? difference : -difference;
        }
    }
};

}  // namespace

TEST_CASE("select_links: one link into each direction, by hand") {
    // Seen from 0: node 1 at 1, node 2 at 2, node 3 at -3, node 4 at -4. 2 is nearer to 1 than to the origin, 4 to 3.
    const Line line{{0.0F, 1.0F, 2.0F, -3.0F, -4.0F}};
    const std::vector<Scored<>> candidates{{1, -1.0F}, {2, -2.0F}, {3, -3.0F}, {4, -4.0F}};
    LinkSelection selection;
    select_links(candidates, 4, line, none, selection);
    CHECK(selection.taken == Ids{1, 3});
    select_links(candidates, 1, line, none, selection);
    CHECK(selection.taken == Ids{1});
    select_links(candidates, 4, line, [](std::uint32_t id) { return id == 4; }, selection);
    CHECK(selection.taken == Ids{1, 3, 4});
    select_links(candidates, 2, line, [](std::uint32_t id) { return id == 4; }, selection);
    CHECK(selection.taken == Ids{1, 4});
    select_links(candidates, 2, line, [](std::uint32_t id) { return id == 1; }, selection);
    CHECK(selection.taken == Ids{1, 3});  // what was kept already takes no more room
}

TEST_CASE("select_links: a candidate is compared with all that were taken") {
    // Ten directions, two candidates in each: the second of each is like the first, however late that was taken.
    const auto same_direction = [](std::uint32_t node, std::span<const std::uint32_t> ids, std::span<float> out) {
        std::transform(ids.begin(), ids.end(), out.begin(),
                       [&](std::uint32_t id) { return id % 10 == node % 10 ? 0.0F : -100.0F; });
    };
    std::vector<Scored<>> candidates;
    for (std::uint32_t id = 0; id < 20; ++id) {
        candidates.push_back({id, -1.0F - static_cast<float>(id)});
    }
    LinkSelection selection;
    select_links(candidates, 20, same_direction, none, selection);
    CHECK(selection.taken == Ids{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
}

TEST_CASE("select_links: of equal vectors one is enough") {
    const Line line{{0.0F, 0.0F, 0.0F, 0.0F, 5.0F}};
    const std::vector<Scored<>> candidates{{1, 0.0F}, {2, 0.0F}, {3, 0.0F}, {4, -5.0F}};
    LinkSelection selection;
    select_links(candidates, 4, line, none, selection);
    CHECK(selection.taken == Ids{1, 2});  // 4 is as far from 1 as from 0; then up to half of the four
}

TEST_CASE("merge_links: takes all while there is room, then the best choice") {
    // Node 0 at 0, with room for 4 links on level 0.
    const Line line{{0.0F, 1.0F, -2.0F, 1.5F, -2.5F, -0.5F}};
    HNSWGraph graph(2, std::vector<std::uint8_t>(6));
    MergeScratch scratch;
    const std::vector<Offer> first{{0, 0, 1, -1.0F}, {0, 0, 2, -2.0F}};
    merge_links(graph, first, line, none, scratch);
    const std::vector<Offer> second{{0, 0, 3, -1.5F}, {0, 0, 4, -2.5F}};
    merge_links(graph, second, line, none, scratch);
    CHECK(Ids(graph.links(0, 0).begin(), graph.links(0, 0).end()) == Ids{1, 2, 3, 4});
    const std::vector<Offer> third{{0, 0, 5, -0.5F}};
    merge_links(graph, third, line, none, scratch);
    CHECK(Ids(graph.slots(0, 0).begin(), graph.slots(0, 0).end()) == Ids{5, 1, no_node, no_node});
}

TEST_CASE("Slack: makes all vectors equally long, and leaves longer ones that come later alone") {
    Matrix<float> vectors(3, 2);
    vectors(0, 0) = 3.0F;
    vectors(0, 1) = 4.0F;
    vectors(1, 0) = 3.0F;
    Slack<InnerProduct> slack(vectors);
    CHECK(slack[0] == 0.0F);
    CHECK(slack[1] == 4.0F);  // 25 - 9 = 16
    CHECK(slack[2] == 5.0F);
    const Similarity<InnerProduct, funnel::kernels::DefaultBackend> similarity{vectors.view(), slack};
    const Ids ids{0, 1, 2};
    std::vector<float> out(3);
    similarity(1, ids, out);
    CHECK(out == std::vector<float>{9.0F, 25.0F, 20.0F});  // 9 + 0, 9 + 16, 0 + 20
    vectors.resize_rows(5);
    vectors(3, 0) = 6.0F;
    vectors(4, 1) = 4.0F;
    slack.extend(vectors);
    CHECK(slack[3] == 0.0F);
    CHECK(slack[4] == 3.0F);  // 25 - 16 = 9
    CHECK(slack[1] == 4.0F);
}

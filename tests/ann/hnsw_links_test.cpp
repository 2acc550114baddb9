// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/hnsw_links.hpp>

#include "ann/sample_vectors.hpp"

#include <funnel/ann/hnsw_copies.hpp>
#include <funnel/ann/hnsw_similarity.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::InnerProduct;
using funnel::ann::L2;
using funnel::ann::detail::Copies;
using funnel::ann::detail::HNSWGraph;
using funnel::ann::detail::LinkSelection;
using funnel::ann::detail::merge_links;
using funnel::ann::detail::MergeScratch;
using funnel::ann::detail::no_node;
using funnel::ann::detail::NodeSimilarity;
using funnel::ann::detail::NormAugmentation;
using funnel::ann::detail::Offer;
using funnel::ann::detail::select_links;
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
    [[nodiscard]] static bool replaces_link(float alike, float candidate) { return alike >= candidate; }
};

// Nodes are alike if their ids have the same last digit.
struct Directions {
    void operator()(std::uint32_t node, std::span<const std::uint32_t> ids, std::span<float> out) const {
        std::transform(ids.begin(), ids.end(), out.begin(),
                       [&](std::uint32_t id) { return id % 10 == node % 10 ? 0.0F : -100.0F; });
    }
    [[nodiscard]] static bool replaces_link(float alike, float candidate) { return alike >= candidate; }
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
    std::vector<Scored<>> candidates;
    for (std::uint32_t id = 0; id < 20; ++id) {
        candidates.push_back({id, -1.0F - static_cast<float>(id)});
    }
    LinkSelection selection;
    select_links(candidates, 20, Directions{}, none, selection);
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

template <class M>
using Similarity = NodeSimilarity<M, std::dynamic_extent, funnel::kernels::DefaultBackend>;

TEST_CASE("NodeSimilarity: a link is replaced by one to a node 1.2 times as near, in squared distances") {
    // L2: the candidate is 12 from the node, squared.
    CHECK(Similarity<L2>::replaces_link(-9.9F, -12.0F));
    CHECK_FALSE(Similarity<L2>::replaces_link(-10.1F, -12.0F));
    CHECK(Similarity<L2>::replaces_link(-0.0F, 0.0F));  // equal vectors
    // Cosine: 1 - s is half of the squared distance. From .4 to the node, that is .6, and .5 suffices.
    CHECK(Similarity<Cosine>::replaces_link(0.51F, 0.4F));
    CHECK_FALSE(Similarity<Cosine>::replaces_link(0.49F, 0.4F));
    CHECK(Similarity<Cosine>::replaces_link(1.0F, 1.0F));
    CHECK_FALSE(Similarity<Cosine>::replaces_link(-0.5F, -0.4F));
    // Inner product: of vectors on the sphere as L2; those longer than the radius may be more alike than equal ones.
    CHECK(Similarity<InnerProduct>::replaces_link(-4.9F, -6.0F));
    CHECK_FALSE(Similarity<InnerProduct>::replaces_link(-5.1F, -6.0F));
    CHECK(Similarity<InnerProduct>::replaces_link(6.0F, 5.9F));
    CHECK_FALSE(Similarity<InnerProduct>::replaces_link(5.5F, 6.0F));
}

TEST_CASE("NormAugmentation: lifts vectors onto a sphere, and leaves longer ones and those that come later alone") {
    // Ten of length 5, of which nine are equal, one of 3, one of 0 and one of 13: the radius is 5 if copies count once,
    // as position (4 - 1) * 97 / 100 = 2 of {0, 9, 25, 169}.
    Matrix<float> vectors(12, 2);
    vectors(0, 0) = 3.0F;
    vectors(1, 0) = 5.0F;
    vectors(1, 1) = 12.0F;
    for (std::size_t i = 3; i < 12; ++i) {
        vectors(i, 0) = 3.0F;
        vectors(i, 1) = 4.0F;
    }
    NormAugmentation<InnerProduct> augmentation(vectors, Copies(vectors));
    CHECK(augmentation.radius_squared() == 25.0);
    CHECK(NormAugmentation<InnerProduct>(vectors, Copies()).radius_squared() == 25.0);
    CHECK(NormAugmentation<InnerProduct>::longest(vectors) == 1);
    const NodeSimilarity<InnerProduct, std::dynamic_extent, funnel::kernels::DefaultBackend> similarity{vectors.view(),
                                                                                                        augmentation};
    const Ids ids{0, 1, 2, 3};
    std::vector<float> out(4);
    // a . b + lift(a) lift(b) - 25 with lifts 4, 0, 5 and 0.
    similarity(0, ids, out);
    CHECK(out == std::vector<float>{9.0F + 16.0F - 25.0F, 15.0F - 25.0F, 20.0F - 25.0F, 9.0F - 25.0F});
    similarity(2, ids, out);
    CHECK(out == std::vector<float>{-5.0F, -25.0F, 0.0F, -25.0F});

    vectors.resize_rows(13);
    vectors(12, 1) = 3.0F;
    augmentation.append(vectors, Copies());
    CHECK(augmentation.radius_squared() == 25.0);
    CHECK(augmentation(augmentation.drop(12), 12) == doctest::Approx(16.0 - 25.0));
}

TEST_CASE("NormAugmentation: the radius is the length that 97 of 100 vectors do not exceed") {
    Matrix<float> vectors(100, 1);
    for (std::size_t i = 0; i < 100; ++i) {
        vectors(i, 0) = static_cast<float>(100 - i);
    }
    CHECK(NormAugmentation<InnerProduct>(vectors, Copies()).radius_squared() == 97.0 * 97.0);
}

TEST_CASE("NormAugmentation: copies of one long vector do not choose the radius") {
    Matrix<float> vectors(30, 1);
    for (std::size_t i = 0; i < 30; ++i) {
        vectors(i, 0) = i < 10 ? static_cast<float>(1 + i) : 1000.0F;
    }
    CHECK(NormAugmentation<InnerProduct>(vectors, Copies(vectors)).radius_squared() ==
          100.0);  // of 1 .. 10 and 1000, the tenth
    CHECK(NormAugmentation<InnerProduct>(vectors, Copies()).radius_squared() == 1000.0 * 1000.0);
}

TEST_CASE("NormAugmentation: an index that grows from nothing chooses its radius anew") {
    Matrix<float> vectors(1, 1);
    vectors(0, 0) = 2.0F;
    NormAugmentation<InnerProduct> augmentation;
    augmentation.append(vectors, Copies());
    CHECK(augmentation.radius_squared() == 4.0);
    vectors.resize_rows(3);
    vectors(1, 0) = 3.0F;
    vectors(2, 0) = 4.0F;
    augmentation.append(vectors, Copies());  // three is no power of two
    CHECK(augmentation.radius_squared() == 4.0);
    vectors.resize_rows(4);
    vectors(3, 0) = 5.0F;
    augmentation.append(vectors, Copies());
    CHECK(augmentation.radius_squared() == 16.0);
    CHECK(augmentation(augmentation.drop(0), 0) ==
          doctest::Approx(-4.0));  // 12 - 16: all rows are lifted onto the new sphere
}

TEST_CASE("NormAugmentation: short vectors are told apart beside very long ones, and no similarity overflows") {
    Matrix<float> vectors(4, 2);
    vectors(0, 0) = 1.0F;
    vectors(1, 1) = 1.0F;
    vectors(2, 0) = 1.8e19F;
    vectors(3, 0) = -1.8e19F;
    const NormAugmentation<InnerProduct> augmentation(vectors, Copies());
    const NodeSimilarity<InnerProduct, std::dynamic_extent, funnel::kernels::DefaultBackend> similarity{vectors.view(),
                                                                                                        augmentation};
    const Ids ids{0, 1, 2, 3};
    std::vector<float> out(4);
    similarity(0, ids, out);
    CHECK(out[0] > out[1]);
    similarity(2, ids, out);
    for (const float score : out) {
        CHECK(funnel::math::is_finite(score));
    }
}

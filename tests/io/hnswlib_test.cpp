// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/hnswlib.hpp>

#include "io/foreign_index.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/npy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::io::GraphFile;
using funnel::io::read_hnswlib;
using funnel::io::write_hnswlib;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::check_damage;
using funnel::testing::foreign_index;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
using funnel::testing::with_number;

namespace {

// Everything in a graph, to compare with ==.
std::vector<std::uint64_t> contents(const GraphFile& graph) {
    std::vector<std::uint64_t> all{graph.M, graph.ef_construction, graph.entry, graph.vectors.cols()};
    all.insert(all.end(), graph.labels.begin(), graph.labels.end());
    all.insert(all.end(), graph.is_removed.begin(), graph.is_removed.end());
    all.insert(all.end(), graph.levels.begin(), graph.levels.end());
    all.insert(all.end(), graph.first_list.begin(), graph.first_list.end());
    all.insert(all.end(), graph.list_begin.begin(), graph.list_begin.end());
    all.insert(all.end(), graph.links.begin(), graph.links.end());
    for (std::size_t i = 0; i < graph.vectors.rows(); ++i) {
        for (const float x : graph.vectors.row(i)) {
            all.push_back(std::bit_cast<std::uint32_t>(x));
        }
    }
    return all;
}

// Two nodes of one number each: 1.5 with label 7, linked to 2.5 with label 9, which is deleted.
GraphFile two_nodes() {
    GraphFile graph;
    graph.vectors = Matrix<float>(2, 1);
    graph.vectors(0, 0) = 1.5F;
    graph.vectors(1, 0) = 2.5F;
    graph.labels = {7, 9};
    graph.is_removed = {0, 1};
    graph.levels = {1, 0};
    graph.first_list = {0, 2};
    graph.list_begin = {0, 1, 1, 2};
    graph.links = {1, 0};
    graph.M = 2;
    graph.ef_construction = 5;
    return graph;
}

std::string error_of(const Bytes& bytes) {
    const TempDir dir;
    put_bytes(dir / "x.bin", bytes);
    return funnel::testing::error_of(dir / "x.bin", read_hnswlib);
}

}  // namespace

TEST_CASE("read_hnswlib: a file that hnswlib saved") {
    const GraphFile graph = read_hnswlib(foreign_index("hnswlib_l2.bin"));
    const Matrix<float> items = funnel::io::read_npy<float>(foreign_index("foreign_items.npy"));
    REQUIRE(graph.size() == items.rows());
    CHECK(graph.M == 4);
    CHECK(graph.ef_construction == 40);
    std::size_t removed = 0;
    std::size_t links = 0;
    for (std::size_t i = 0; i < graph.size(); ++i) {
        CHECK(std::equal(items.row(i).begin(), items.row(i).end(), graph.vectors.row(i).begin()));
        CHECK(graph.labels[i] == 3 * i + 1000);
        removed += graph.is_removed[i];
        links += graph.links_of(i, 0).size();
    }
    CHECK(removed == 2);
    CHECK(graph.is_removed[0] == 1);
    CHECK(graph.is_removed[11] == 1);
    CHECK(links > 4 * graph.size());  // on average more than M of 2 M
    CHECK(*std::max_element(graph.levels.begin(), graph.levels.end()) >= 1);

    const TempDir dir;  // what we write is what hnswlib wrote
    write_hnswlib(dir / "again.bin", graph);
    const Bytes theirs = bytes_of(foreign_index("hnswlib_l2.bin"));
    const Bytes ours = bytes_of(dir / "again.bin");
    REQUIRE(ours.size() == theirs.size());
    CHECK((contents(read_hnswlib(dir / "again.bin")) == contents(graph)));
}

TEST_CASE("write_hnswlib: a file by hand") {
    const TempDir dir;
    write_hnswlib(dir / "x.bin", two_nodes());
    const Bytes bytes = bytes_of(dir / "x.bin");
    // Head 96; two elements of 4 + 4 x 4 links, 4 of the vector, 8 of the label; the upper links: 4 + (4 + 2 x 4), 4.
    REQUIRE(bytes.size() == 96 + 2 * (20 + 4 + 8) + 4 + 12 + 4);
    const auto number = [&]<class T>(std::size_t at, T) {
        return funnel::io::load_number<T>(std::span(bytes).subspan(at));
    };
    CHECK(number(16, std::uint64_t{}) == 2);                             // elements
    CHECK(number(24, std::uint64_t{}) == 32);                            // bytes of one
    CHECK(number(48, std::int32_t{}) == 1);                              // highest level
    CHECK(number(52, std::uint32_t{}) == 0);                             // entry
    CHECK(number(80, double{}) == doctest::Approx(1.4426950408889634));  // 1 / log M
    CHECK(number(96, std::uint16_t{}) == 1);                             // links of the first
    CHECK(number(100, std::uint32_t{}) == 1);
    CHECK(number(116, float{}) == 1.5F);
    CHECK(number(120, std::uint64_t{}) == 7);
    CHECK(number(128 + 2, std::uint8_t{}) == 1);  // the second one is deleted
    CHECK(number(160, std::uint32_t{}) == 12);    // one upper list
    CHECK((contents(read_hnswlib(dir / "x.bin")) == contents(two_nodes())));
}

TEST_CASE("hnswlib files: an empty index") {
    const TempDir dir;
    GraphFile graph;
    graph.M = 16;
    graph.ef_construction = 200;
    graph.list_begin = {0};
    write_hnswlib(dir / "x.bin", graph);
    const GraphFile again = read_hnswlib(dir / "x.bin");
    CHECK(again.size() == 0);
    CHECK(again.M == 16);
}

TEST_CASE("write_hnswlib: hnswlib would lose a node whose label repeats") {
    const TempDir dir;
    GraphFile graph = two_nodes();
    graph.labels = {9, 9};
    CHECK_THROWS_WITH_AS(write_hnswlib(dir / "x.bin", graph), "write_hnswlib: labels must differ, found 9 twice",
                         InvalidArgument);
}

TEST_CASE("read_hnswlib: damage") {
    const TempDir dir;
    write_hnswlib(dir / "x.bin", two_nodes());
    const Bytes good = bytes_of(dir / "x.bin");
    CHECK(error_of(good) == "none");
    CHECK(error_of(with_number(good, 0, std::uint64_t{8})).find("offset of level 0") != std::string::npos);
    // hnswlib reserves what a file states (a crafted file overflowed its heap); here the number means nothing.
    CHECK(error_of(with_number(good, 8, ~std::uint64_t{0})) == "none");
    CHECK(error_of(with_number(good, 16, std::uint64_t{1} << 40)).find("fewer than 2^31") != std::string::npos);
    CHECK(error_of(with_number(good, 16, std::uint64_t{3})).find("(elements)") != std::string::npos);
    CHECK(error_of(with_number(good, 52, std::uint32_t{2})) ==
          ": byte 160 (entry point): expected an id below 2, found 2");
    CHECK(error_of(with_number(good, 52, std::uint32_t{1})).find("a node of the highest level") != std::string::npos);
    CHECK(error_of(with_number(good, 56, std::uint64_t{0})).find("2 to 4096") != std::string::npos);
    CHECK(error_of(with_number(good, 96, std::uint16_t{5})).find("links of node 0") != std::string::npos);
    CHECK(error_of(with_number(good, 100, std::uint32_t{2})).find("links of node 0") != std::string::npos);
    CHECK(error_of(with_number(good, 100, std::uint32_t{0})).find("links of node 0") != std::string::npos);
    CHECK(error_of(with_number(good, 160, std::uint32_t{11})).find("lists of 12 bytes") != std::string::npos);

    const auto load = [](const std::string& path) { return contents(read_hnswlib(path)); };
    check_damage(good, load, {.has_checksum = false});
    check_damage(bytes_of(foreign_index("hnswlib_l2.bin")), load, {.has_checksum = false});
}

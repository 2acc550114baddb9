// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/import.hpp>

#include "ann/sample_vectors.hpp"
#include "io/foreign_index.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/npy.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

using funnel::CorruptData;
using funnel::Matrix;
using funnel::Scored;
using funnel::ann::Cosine;
using funnel::ann::export_hnswlib;
using funnel::ann::Flat;
using funnel::ann::HNSW;
using funnel::ann::import_faiss_flat;
using funnel::ann::import_faiss_hnsw;
using funnel::ann::import_faiss_ivf;
using funnel::ann::import_hnswlib;
using funnel::ann::InnerProduct;
using funnel::ann::IVFFlat;
using funnel::ann::L2;
using funnel::testing::bytes_of;
using funnel::testing::error_of;
using funnel::testing::foreign_index;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
using funnel::testing::with_number;

namespace {

Matrix<float> queries() {
    return funnel::io::read_npy<float>(foreign_index("foreign_queries.npy"));
}

// How many of the ids that the other library found for the queries we find, too; label_of(id) is its name of our id.
template <class Index, class Options, class LabelOf>
std::size_t found_by_both(const std::string& name, const Index& index, const Options& options,
                          const LabelOf& label_of) {
    const auto theirs = funnel::io::read_npy<std::uint32_t>(foreign_index(name + ".npy"));
    const Matrix<float> all = queries();
    std::size_t both = 0;
    for (std::size_t i = 0; i < all.rows(); ++i) {
        const auto hits = index.search(all.row(i), options);
        REQUIRE(hits.size() == theirs.cols());
        for (std::size_t j = 0; j < hits.size(); ++j) {
            both += label_of(hits[j].id) == theirs(i, j) ? 1U : 0U;  // at the same place
        }
    }
    return both;
}

constexpr auto same = [](std::uint32_t id) { return id; };

}  // namespace

TEST_CASE("import_hnswlib: the same graph finds what hnswlib finds, without its deleted vectors") {
    const auto [index, labels] = import_hnswlib<HNSW<L2>>(foreign_index("hnswlib_l2.bin"));
    CHECK(index.size() == 118);
    CHECK_FALSE(index.contains(0));
    CHECK_FALSE(index.contains(11));
    CHECK(index.unreachable() == 0);
    CHECK(index.options().M == 4);
    CHECK(index.options().ef_construction == 40);
    const auto& names = labels;  // clang 14 does not capture a structured binding
    CHECK(found_by_both("hnswlib_l2", index, funnel::ann::HNSWSearchOptions{.k = 5, .ef = 20},
                        [&](std::uint32_t id) { return names[id]; }) == 100);
}

TEST_CASE("import_faiss: the same ids in the same order as FAISS") {
    CHECK(found_by_both("faiss_flat_l2", import_faiss_flat<Flat<L2>>(foreign_index("faiss_flat_l2.bin")),
                        funnel::ann::FlatSearchOptions{.k = 5}, same) == 100);
    CHECK(found_by_both("faiss_flat_ip", import_faiss_flat<Flat<InnerProduct>>(foreign_index("faiss_flat_ip.bin")),
                        funnel::ann::FlatSearchOptions{.k = 5}, same) == 100);
    const funnel::ann::HNSWSearchOptions ef{.k = 5, .ef = 20};
    CHECK(found_by_both("faiss_hnsw_l2", import_faiss_hnsw<HNSW<L2>>(foreign_index("faiss_hnsw_l2.bin")), ef, same) ==
          100);
    const funnel::ann::IVFSearchOptions nprobe{.k = 5, .nprobe = 2};
    const auto l2 = import_faiss_ivf<IVFFlat<L2>>(foreign_index("faiss_ivf_flat_l2.bin"));
    CHECK(found_by_both("faiss_ivf_flat_l2", l2.index, nprobe, same) == 100);
    CHECK(l2.labels.size() == 120);
    CHECK(l2.labels[119] == 119);
    const auto products = import_faiss_ivf<IVFFlat<InnerProduct>>(foreign_index("faiss_ivf_flat_ip.bin"));
    CHECK(found_by_both("faiss_ivf_flat_ip", products.index, nprobe, same) == 100);
}

TEST_CASE("import_faiss_hnsw: under the inner product, no fewer of the best than FAISS") {
    const auto index = import_faiss_hnsw<HNSW<InnerProduct>>(foreign_index("faiss_hnsw_ip.bin"));
    CHECK(index.unreachable() == 0);
    const auto exact = import_faiss_flat<Flat<InnerProduct>>(foreign_index("faiss_flat_ip.bin"));
    const auto theirs = funnel::io::read_npy<std::uint32_t>(foreign_index("faiss_hnsw_ip.npy"));
    const Matrix<float> all = queries();
    std::size_t ours_found = 0;
    std::size_t theirs_found = 0;
    for (std::size_t i = 0; i < all.rows(); ++i) {
        const auto best = exact.search(all.row(i), {.k = 5});
        const auto hits = index.search(all.row(i), {.k = 5, .ef = 20});
        for (const Scored<>& hit : best) {
            for (std::size_t j = 0; j < 5; ++j) {
                ours_found += hits[j].id == hit.id ? 1U : 0U;
                theirs_found += theirs(i, j) == hit.id ? 1U : 0U;
            }
        }
    }
    CHECK(ours_found >= theirs_found);
}

TEST_CASE("import: a wrong metric, other kinds and vectors that Cosine cannot hold are errors") {
    CHECK_THROWS_AS(static_cast<void>(import_faiss_flat<Flat<InnerProduct>>(foreign_index("faiss_flat_l2.bin"))),
                    CorruptData);
    CHECK_THROWS_AS(static_cast<void>(import_faiss_flat<Flat<L2>>(foreign_index("faiss_flat_ip.bin"))), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(import_faiss_flat<Flat<Cosine>>(foreign_index("faiss_flat_ip.bin"))),
                    CorruptData);  // not unit
    CHECK_THROWS_AS(static_cast<void>(import_hnswlib<HNSW<Cosine>>(foreign_index("hnswlib_l2.bin"))), CorruptData);
    CHECK_THROWS_AS(static_cast<void>(import_faiss_ivf<IVFFlat<L2>>(foreign_index("faiss_ivf_pq8_l2.bin"))),
                    CorruptData);
    CHECK_THROWS_AS(static_cast<void>(import_faiss_hnsw<HNSW<L2>>(foreign_index("faiss_flat_l2.bin"))), CorruptData);
}

TEST_CASE("import_faiss_ivf: lists that FAISS chooses by another metric than the index are an error") {
    const TempDir dir;
    const std::string path = dir / "mixed.bin";
    constexpr std::size_t metric_of_quantiser = 86;
    put_bytes(path,
              with_number(bytes_of(foreign_index("faiss_ivf_flat_ip.bin")), metric_of_quantiser, std::int32_t{1}));
    CHECK(error_of(path, import_faiss_ivf<IVFFlat<InnerProduct>>) ==
          ": the coarse quantiser is for another metric than the index");
}

TEST_CASE("export_hnswlib: what it writes is read as the same index") {
    const TempDir dir;
    const std::string path = dir / "x.bin";
    const Matrix<float> rows = funnel::io::read_npy<float>(foreign_index("foreign_items.npy"));
    auto index = HNSW<L2>::build(rows, {.M = 4, .ef_construction = 40});
    index.remove(7);
    export_hnswlib(path, index);
    const auto again = import_hnswlib<HNSW<L2>>(path);
    CHECK(again.index.size() == 119);
    CHECK_FALSE(again.index.contains(7));
    const Matrix<float> all = queries();
    for (std::size_t i = 0; i < all.rows(); ++i) {
        CHECK((again.index.search(all.row(i), {.k = 10, .ef = 20}) == index.search(all.row(i), {.k = 10, .ef = 20})));
    }
    for (std::size_t id = 0; id < again.labels.size(); ++id) {
        CHECK(again.labels[id] == id);
    }
}

TEST_CASE("export_hnswlib: equal vectors are nodes of a chain that stays connected") {
    const TempDir dir;
    const std::string path = dir / "x.bin";
    Matrix<float> rows = funnel::io::read_npy<float>(foreign_index("foreign_items.npy"));
    for (const std::size_t copy : {5U, 17U, 60U, 61U, 119U}) {  // six times the same vector
        for (std::size_t j = 0; j < rows.cols(); ++j) {
            rows(copy, j) = rows(2, j);
        }
    }
    const auto index = HNSW<L2>::build(rows, {.M = 2, .ef_construction = 40});  // most nodes are full
    export_hnswlib(path, index);

    // As hnswlib would: every node is reached on level 0 from the entry.
    const funnel::io::GraphFile file = funnel::io::read_hnswlib(path);
    std::vector<int> is_reached(file.size());
    std::vector<std::uint32_t> nodes{file.entry};
    is_reached[file.entry] = 1;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
        for (const std::uint32_t link : file.links_of(nodes[i], 0)) {
            if (is_reached[link] == 0) {
                is_reached[link] = 1;
                nodes.push_back(link);
            }
        }
    }
    CHECK(nodes.size() == file.size());

    const auto again = import_hnswlib<HNSW<L2>>(path);
    const auto hits = again.index.search(rows.row(2), {.k = 6, .ef = 20});
    CHECK((hits == index.search(rows.row(2), {.k = 6, .ef = 20})));
    CHECK(hits[5].id == 119);
    CHECK(hits[5].score == 0.0F);
}

TEST_CASE("import and export: empty indexes") {
    const TempDir dir;
    const std::string path = dir / "x.bin";
    export_hnswlib(path, HNSW<L2>::build(Matrix<float>(0, 3)));
    CHECK(import_hnswlib<HNSW<L2>>(path).index.size() == 0);
}

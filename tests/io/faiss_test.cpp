// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/io/faiss.hpp>

#include "io/foreign_index.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/little_endian.hpp>
#include <funnel/io/npy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

using funnel::Matrix;
using funnel::io::FaissFlat;
using funnel::io::FaissHNSW;
using funnel::io::FaissIVF;
using funnel::io::FaissMetric;
using funnel::io::read_faiss_flat;
using funnel::io::read_faiss_hnsw;
using funnel::io::read_faiss_ivf;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::check_damage;
using funnel::testing::error_of;
using funnel::testing::foreign_index;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
using funnel::testing::with_number;

namespace {

using Contents = std::vector<std::uint64_t>;

void append(Contents& all, const Matrix<float>& rows) {
    all.push_back(rows.cols());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (const float x : rows.row(i)) {
            all.push_back(std::bit_cast<std::uint32_t>(x));
        }
    }
}

Contents contents(const FaissFlat& flat) {
    Contents all{static_cast<std::uint64_t>(flat.metric)};
    append(all, flat.vectors);
    return all;
}

Contents contents(const FaissIVF& ivf) {
    Contents all{static_cast<std::uint64_t>(ivf.metric),
                 static_cast<std::uint64_t>(ivf.centroid_metric),
                 ivf.size,
                 ivf.code_bytes,
                 ivf.sub_quantisers,
                 ivf.bits,
                 ivf.codes_residuals ? 1U : 0U};
    append(all, ivf.transform);
    append(all, ivf.centroids);
    append(all, ivf.codewords);
    for (const funnel::io::FaissList& list : ivf.lists) {
        all.insert(all.end(), list.ids.begin(), list.ids.end());
        all.insert(all.end(), list.codes.begin(), list.codes.end());
    }
    return all;
}

Contents contents(const FaissHNSW& hnsw) {
    Contents all{static_cast<std::uint64_t>(hnsw.metric), hnsw.graph.M, hnsw.graph.ef_construction, hnsw.graph.entry};
    append(all, hnsw.graph.vectors);
    for (std::size_t node = 0; node < hnsw.graph.size(); ++node) {
        for (std::size_t level = 0; level <= hnsw.graph.levels[node]; ++level) {
            const auto links = hnsw.graph.links_of(node, level);
            all.push_back(links.size());
            all.insert(all.end(), links.begin(), links.end());
        }
    }
    return all;
}

Matrix<float> items() {
    return funnel::io::read_npy<float>(foreign_index("foreign_items.npy"));
}

}  // namespace

TEST_CASE("read_faiss_flat: files that FAISS saved") {
    const FaissFlat l2 = read_faiss_flat(foreign_index("faiss_flat_l2.bin"));
    CHECK(l2.metric == FaissMetric::l2);
    Contents expected{static_cast<std::uint64_t>(FaissMetric::l2)};
    append(expected, items());
    CHECK((contents(l2) == expected));
    CHECK(read_faiss_flat(foreign_index("faiss_flat_ip.bin")).metric == FaissMetric::inner_product);
}

TEST_CASE("read_faiss_ivf: IndexIVFFlat") {
    const Matrix<float> rows = items();
    for (const char* name : {"faiss_ivf_flat_l2.bin", "faiss_ivf_flat_ip.bin"}) {
        const FaissIVF ivf = read_faiss_ivf(foreign_index(name));
        CHECK(ivf.lists.size() == 4);
        CHECK(ivf.centroids.rows() == 4);
        CHECK(ivf.size == rows.rows());
        CHECK(ivf.code_bytes == 4 * rows.cols());
        CHECK(ivf.sub_quantisers == 0);
        std::vector<int> seen(rows.rows());
        for (const funnel::io::FaissList& list : ivf.lists) {
            REQUIRE(list.codes.size() == list.ids.size() * ivf.code_bytes);
            for (std::size_t i = 0; i < list.ids.size(); ++i) {
                const auto id = static_cast<std::size_t>(list.ids[i]);
                REQUIRE(id < rows.rows());
                ++seen[id];
                std::vector<float> code(rows.cols());
                funnel::io::load_numbers<float>(std::as_bytes(std::span(list.codes)).subspan(i * ivf.code_bytes),
                                                std::span(code));
                CHECK(std::equal(code.begin(), code.end(), rows.row(id).begin()));
            }
        }
        CHECK(seen == std::vector<int>(rows.rows(), 1));
    }
}

TEST_CASE("read_faiss_ivf: IndexIVFPQ") {
    const FaissIVF eight = read_faiss_ivf(foreign_index("faiss_ivf_pq8_l2.bin"));
    CHECK(eight.sub_quantisers == 3);
    CHECK(eight.bits == 8);
    CHECK(eight.codes_residuals);
    CHECK(eight.code_bytes == 3);
    CHECK(eight.codewords.rows() == 3 * 256);
    CHECK(eight.codewords.cols() == 2);
    const FaissIVF four = read_faiss_ivf(foreign_index("faiss_ivf_pq4_l2.bin"));
    CHECK(four.bits == 4);
    CHECK(four.code_bytes == 2);  // 3 x 4 bits
    CHECK(four.codewords.rows() == 3 * 16);

    // A vector is near its centroid plus the codewords of its code.
    const Matrix<float> rows = items();
    double errors = 0.0;
    double squares = 0.0;
    for (std::size_t list = 0; list < eight.lists.size(); ++list) {
        for (std::size_t i = 0; i < eight.lists[list].ids.size(); ++i) {
            const auto row = rows.row(static_cast<std::size_t>(eight.lists[list].ids[i]));
            for (std::size_t j = 0; j < row.size(); ++j) {
                const std::size_t code = eight.lists[list].codes[3 * i + j / 2];
                const double decoded = eight.centroids(list, j) + eight.codewords(j / 2 * 256 + code, j % 2);
                errors += (row[j] - decoded) * (row[j] - decoded);
                squares += row[j] * row[j];
            }
        }
    }
    CHECK(errors < 0.05 * squares);
}

TEST_CASE("read_faiss_ivf: IndexIVFPQ behind a rotation") {
    const auto deviation = [](const Matrix<float>& rotation) {
        double largest = 0.0;
        for (std::size_t i = 0; i < rotation.rows(); ++i) {
            for (std::size_t j = 0; j < rotation.rows(); ++j) {
                double sum = i == j ? -1.0 : 0.0;
                for (std::size_t l = 0; l < rotation.cols(); ++l) {
                    sum += static_cast<double>(rotation(i, l)) * static_cast<double>(rotation(j, l));
                }
                largest = std::max(largest, std::abs(sum));
            }
        }
        return largest;
    };
    for (const char* name : {"faiss_opq_ivf_pq4_l2.bin", "faiss_rotated_ivf_pq4_whole_ip.bin"}) {
        const FaissIVF ivf = read_faiss_ivf(foreign_index(name));
        REQUIRE(ivf.transform.rows() == 6);
        CHECK(deviation(ivf.transform) < 1e-6);
        CHECK(ivf.transform(0, 1) != ivf.transform(1, 0));
        CHECK(ivf.sub_quantisers == 3);
        CHECK(ivf.metric == ivf.centroid_metric);
    }
    CHECK(read_faiss_ivf(foreign_index("faiss_ivf_pq4_l2.bin")).transform.rows() == 0);
    CHECK_FALSE(read_faiss_ivf(foreign_index("faiss_opq_ivf_pq4_whole_l2.bin")).codes_residuals);
    CHECK(read_faiss_ivf(foreign_index("faiss_opq_ivf_pq4_l2.bin")).codes_residuals);
}

TEST_CASE("read_faiss_hnsw: files that FAISS saved") {
    const Matrix<float> rows = items();
    for (const char* name : {"faiss_hnsw_l2.bin", "faiss_hnsw_ip.bin"}) {
        const FaissHNSW hnsw = read_faiss_hnsw(foreign_index(name));
        CHECK(hnsw.graph.M == 4);
        CHECK(hnsw.graph.ef_construction == 40);
        REQUIRE(hnsw.graph.size() == rows.rows());
        std::size_t links = 0;
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            CHECK(std::equal(rows.row(i).begin(), rows.row(i).end(), hnsw.graph.vectors.row(i).begin()));
            CHECK(hnsw.graph.labels[i] == i);
            links += hnsw.graph.links_of(i, 0).size();
        }
        CHECK(links > 4 * rows.rows());
    }
}

TEST_CASE("FAISS files: another kind is named, damage is found") {
    CHECK(error_of(foreign_index("faiss_hnsw_l2.bin"), read_faiss_flat) ==
          ": byte 0 (kind of index): expected an IndexFlat for L2 or the inner product, found \"IHNf\"");
    CHECK(error_of(foreign_index("faiss_flat_l2.bin"), read_faiss_ivf) ==
          ": byte 0 (kind of index): expected an IndexIVFFlat, an IndexIVFPQ or an IndexPreTransform, found \"IxF2\"");
    CHECK(error_of(foreign_index("faiss_flat_l2.bin"), read_faiss_hnsw).find("an IndexHNSWFlat") != std::string::npos);

    const TempDir dir;
    const std::string path = dir / "x.bin";
    const Bytes flat = bytes_of(foreign_index("faiss_flat_l2.bin"));
    put_bytes(path, with_number(flat, 4, std::int32_t{0}));
    CHECK(error_of(path, read_faiss_flat).find("dimension") != std::string::npos);
    put_bytes(path, with_number(flat, 8, std::int64_t{-1}));
    CHECK(error_of(path, read_faiss_flat).find("fewer than 2^31") != std::string::npos);
    put_bytes(path, with_number(flat, 33, std::int32_t{4}));
    CHECK(error_of(path, read_faiss_flat).find("metric") != std::string::npos);

    const auto damage = [](const char* name, const auto& read) {
        check_damage(bytes_of(foreign_index(name)), [&](const std::string& file) { return contents(read(file)); },
                     {.has_checksum = false});
    };
    damage("faiss_flat_l2.bin", read_faiss_flat);
    damage("faiss_ivf_flat_l2.bin", read_faiss_ivf);
    damage("faiss_ivf_pq8_l2.bin", read_faiss_ivf);
    damage("faiss_ivf_pq4_l2.bin", read_faiss_ivf);
    damage("faiss_opq_ivf_pq4_l2.bin", read_faiss_ivf);
    damage("faiss_hnsw_l2.bin", read_faiss_hnsw);
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/import_ivfpq.hpp>

#include "io/foreign_index.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/io/container.hpp>
#include <funnel/io/faiss.hpp>
#include <funnel/io/npy.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

using funnel::Matrix;
using funnel::Scored;
using funnel::ann::import_faiss_ivfpq;
using funnel::ann::Imported;
using funnel::ann::InnerProduct;
using funnel::ann::IVFPQIndex;
using funnel::ann::L2;
using funnel::testing::Bytes;
using funnel::testing::bytes_of;
using funnel::testing::check_damage;
using funnel::testing::error_of;
using funnel::testing::foreign_index;
using funnel::testing::put_bytes;
using funnel::testing::TempDir;
using funnel::testing::with_number;

namespace {

using L2Bytes = IVFPQIndex<6, 3, L2>;
using L2Nibbles = IVFPQIndex<6, 3, L2, 4>;
using ProductBytes = IVFPQIndex<6, 3, InnerProduct>;
using ProductNibbles = IVFPQIndex<6, 3, InnerProduct, 4>;

constexpr std::size_t k = 5;
constexpr funnel::ann::IVFPQSearchOptions two_lists{.k = k, .nprobe = 2};
constexpr std::size_t linear_transform_at = 41;  // in files of an IndexPreTransform: its kind
constexpr std::size_t inner_index_at = 215;

// Calls check(name, index type) for each fixture.
template <class Check>
void for_each_fixture(const Check& check) {
    check.template operator()<L2Bytes>("faiss_ivf_pq8_l2");
    check.template operator()<L2Nibbles>("faiss_ivf_pq4_l2");
    check.template operator()<ProductBytes>("faiss_ivf_pq8_ip");
    check.template operator()<ProductNibbles>("faiss_ivf_pq4_ip");
    check.template operator()<L2Bytes>("faiss_ivf_pq8_whole_l2");
    check.template operator()<ProductNibbles>("faiss_ivf_pq4_whole_ip");
    check.template operator()<L2Nibbles>("faiss_opq_ivf_pq4_l2");
    check.template operator()<ProductBytes>("faiss_opq_ivf_pq8_ip");
    check.template operator()<L2Nibbles>("faiss_opq_ivf_pq4_whole_l2");
    check.template operator()<ProductNibbles>("faiss_rotated_ivf_pq4_whole_ip");
}

// How far the score of a code may be from that of FAISS: each of three entries of a table is rounded to 21845 levels
// (8 bits) or 255 (4 bits), by half a level at most. Floats may add 1e-5.
double rounding(const funnel::io::FaissIVF& file, std::span<const float> query) {
    std::vector<double> rotated(query.begin(), query.end());
    for (std::size_t i = 0; i < file.transform.rows(); ++i) {
        rotated[i] = 0.0;
        for (std::size_t j = 0; j < query.size(); ++j) {
            rotated[i] += static_cast<double>(file.transform(i, j)) * static_cast<double>(query[j]);
        }
    }
    const std::size_t size = std::size_t{1} << file.bits;
    double range = 0.0;
    for (std::size_t m = 0; m < 3; ++m) {
        double low = std::numeric_limits<double>::max();
        double high = -low;
        for (std::size_t c = 0; c < size; ++c) {
            double sum = 0.0;
            for (std::size_t j = 0; j < 2; ++j) {
                sum += rotated[2 * m + j] * static_cast<double>(file.codewords(m * size + c, j));
            }
            low = std::min(low, sum);
            high = std::max(high, sum);
        }
        range = std::max(range, high - low);
    }
    const double factor = file.metric == funnel::io::FaissMetric::l2 ? 2.0 : 1.0;
    return factor * 3.0 * range / (file.bits == 8 ? 21845.0 : 255.0) / 2.0 + 1e-5;
}

using Answers = std::vector<std::vector<Scored<>>>;

template <class Index>
Answers answers(const Index& index) {
    const Matrix<float> queries = funnel::io::read_npy<float>(foreign_index("foreign_queries.npy"));
    return index.search_batch(queries, two_lists);
}

constexpr auto import_and_search = []<class Index>(const std::string& path) {
    Imported<Index> imported = import_faiss_ivfpq<Index>(path);
    Answers all = answers(imported.index);
    const std::vector<float> vector(6, 1.0F);
    const std::uint32_t id = imported.index.add(vector);
    imported.index.remove(id);
    return std::pair(std::move(all), imported.labels);
};

template <class Index>
std::string import_error(const Bytes& bytes) {
    const TempDir dir;
    const std::string path = dir / "x.bin";
    put_bytes(path, bytes);
    return error_of(path, [](const std::string& file) { return import_faiss_ivfpq<Index>(file); });
}

template <class Index>
std::string import_error(const char* name) {
    return import_error<Index>(bytes_of(foreign_index(std::string(name) + ".bin")));
}

Bytes with_text(Bytes bytes, std::size_t at, const char* text) {
    for (std::size_t i = 0; text[i] != '\0'; ++i) {
        bytes[at + i] = static_cast<std::byte>(text[i]);
    }
    return bytes;
}

}  // namespace

TEST_CASE("import_faiss_ivfpq: ids and scores are those of FAISS, but for the rounding of tables") {
    const Matrix<float> queries = funnel::io::read_npy<float>(foreign_index("foreign_queries.npy"));
    for_each_fixture([&]<class Index>(const std::string& name) {
        CAPTURE(name);
        const auto [index, labels] = import_faiss_ivfpq<Index>(foreign_index(name + ".bin"));
        const auto file = funnel::io::read_faiss_ivf(foreign_index(name + ".bin"));
        const auto ids = funnel::io::read_npy<std::uint32_t>(foreign_index(name + ".npy"));  // of the 10 best
        const auto scores = funnel::io::read_npy<float>(foreign_index(name + "_scores.npy"));
        CHECK(index.size() == 120);
        CHECK(index.options().opq == (file.transform.rows() > 0));
        CHECK_FALSE(index.options().keep_vectors);
        std::size_t at_the_same_place = 0;
        double largest = 0.0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const double bound = rounding(file, queries.row(i));
            const auto hits = index.search(queries.row(i), two_lists);
            REQUIRE(hits.size() == k);
            for (std::size_t j = 0; j < k; ++j) {
                const auto row = ids.row(i);
                const auto found = std::find(row.begin(), row.end(), labels[hits[j].id]);
                REQUIRE(found != row.end());
                const auto score = static_cast<double>(scores(i, static_cast<std::size_t>(found - row.begin())));
                const double difference = std::abs(static_cast<double>(hits[j].score) - score);
                largest = std::max(largest, difference);
                CHECK(difference <= bound);
                CHECK(static_cast<double>(scores(i, j)) - score <= 2.0 * bound);  // else another belongs here
                at_the_same_place += labels[hits[j].id] == ids(i, j) ? 1U : 0U;
            }
        }
        MESSAGE(name, ": ", at_the_same_place, " of 100 at the same place, largest difference ", largest);
        CHECK(at_the_same_place >= (file.bits == 8 ? 100 : 90));
    });
}

TEST_CASE("import_faiss_ivfpq: labels are the ids of FAISS, rising; refine does nothing") {
    const auto [index, labels] = import_faiss_ivfpq<L2Nibbles>(foreign_index("faiss_opq_ivf_pq4_l2.bin"));
    CHECK(labels.size() == 120);
    CHECK(labels.front() == 5000 - 3 * 119);
    CHECK(labels.back() == 5000);
    CHECK(std::is_sorted(labels.begin(), labels.end()));
    const std::vector<float> query(6, 0.5F);
    CHECK(index.search(query, {.k = 7, .refine = 10}) == index.search(query, {.k = 7, .refine = 0}));
    CHECK(index.search(query, {.k = 1000, .nprobe = 1}).size() == 120);
    CHECK_THROWS_AS(static_cast<void>(index.vector(0)), funnel::InvalidArgument);
}

TEST_CASE("import_faiss_ivfpq: vectors that are added get the codes that FAISS gave them") {
    const Matrix<float> items = funnel::io::read_npy<float>(foreign_index("foreign_items.npy"));
    const Matrix<float> queries = funnel::io::read_npy<float>(foreign_index("foreign_queries.npy"));
    for_each_fixture([&]<class Index>(const std::string& name) {
        CAPTURE(name);
        auto imported = import_faiss_ivfpq<Index>(foreign_index(name + ".bin"));
        for (std::size_t i = 0; i < 120; ++i) {
            const std::uint64_t label = imported.labels[i];
            CHECK(imported.index.add(items.row(imported.labels.back() == 5000 ? (5000 - label) / 3 : label)) ==
                  120 + i);
        }
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            std::vector<float> scores(240);
            for (const auto& hit : imported.index.search(queries.row(i), {.k = 240})) {
                scores[hit.id] = hit.score;
            }
            for (std::size_t id = 0; id < 120; ++id) {
                CHECK(scores[id] == scores[id + 120]);
            }
        }
    });
}

TEST_CASE("import_faiss_ivfpq: an index is the same after save and load") {
    const TempDir dir;
    for_each_fixture([&]<class Index>(const std::string& name) {
        CAPTURE(name);
        const auto imported = import_faiss_ivfpq<Index>(foreign_index(name + ".bin"));
        imported.index.save(dir / "a.fnl");
        // A reader of layout 1 would take codes of whole vectors for those of residuals.
        CHECK_THROWS_AS(funnel::io::ContainerReader(dir / "a.fnl", Index::file_kind, 1), funnel::CorruptData);
        auto loaded = Index::load(dir / "a.fnl");
        CHECK(answers(loaded) == answers(imported.index));
        CHECK(loaded.memory_bytes() == imported.index.memory_bytes());
        loaded.save(dir / "b.fnl");
        CHECK(bytes_of(dir / "a.fnl") == bytes_of(dir / "b.fnl"));
    });
}

TEST_CASE("import_faiss_ivfpq: errors say which dimension, parts, bits and metric were found and expected") {
    CHECK(import_error<IVFPQIndex<12, 3>>("faiss_ivf_pq8_l2") ==
          ": the index has 6 dimensions, not 12 as the IVFPQIndex");
    CHECK(import_error<IVFPQIndex<6, 2>>("faiss_ivf_pq8_l2") ==
          ": the index has 3 parts per code, not 2 as the IVFPQIndex");
    CHECK(import_error<L2Nibbles>("faiss_ivf_pq8_l2") == ": the index has 8 bits per part, not 4 as the IVFPQIndex");
    CHECK(import_error<L2Bytes>("faiss_ivf_pq4_l2") == ": the index has 4 bits per part, not 8 as the IVFPQIndex");
    CHECK(import_error<L2Bytes>("faiss_ivf_pq8_ip") == ": the index is for inner products, not for L2");
    CHECK(import_error<ProductBytes>("faiss_ivf_pq8_l2") == ": the index is for L2, not for InnerProduct");
    CHECK(import_error<L2Bytes>("faiss_ivf_flat_l2") ==
          ": the index holds vectors, no codes of product quantisation: see import_faiss_ivf");
}

TEST_CASE("import_faiss_ivfpq: errors for what FAISS has and we have not say what was found") {
    const Bytes plain = bytes_of(foreign_index("faiss_ivf_pq4_l2.bin"));
    for (const char* kind : {"IwPf", "IwQR", "IxRF"}) {
        CHECK(import_error<L2Nibbles>(with_text(plain, 0, kind)).find("found \"" + std::string(kind) + "\"") !=
              std::string::npos);
    }
    constexpr std::size_t metric_of_quantiser = 86;
    CHECK(import_error<L2Nibbles>(with_number(plain, metric_of_quantiser, std::int32_t{0})) ==
          ": the coarse quantiser is for another metric than the index");

    const Bytes opq = bytes_of(foreign_index("faiss_opq_ivf_pq4_l2.bin"));
    const auto error = [&](const Bytes& bytes) { return import_error<L2Nibbles>(bytes); };
    CHECK(error(opq) == "none");
    CHECK(error(with_number(opq, linear_transform_at - 4, std::int32_t{2})) ==
          ": byte 41 (number of transforms): expected 1, found 2");
    CHECK(
        error(with_text(opq, linear_transform_at, "Pcam")) ==
        ": byte 41 (kind of transform): expected \"LTra\" (linear, OPQ) or \"rrot\" (random rotation), found \"Pcam\"");
    CHECK(error(with_number(opq, linear_transform_at + 4, std::uint8_t{1})) ==
          ": byte 46 (bias of the transform): expected none, found 1");
    CHECK(error(with_number(opq, linear_transform_at + 5, std::uint64_t{35})) ==
          ": byte 54 (numbers of the transform): expected 36, found 35");
    CHECK(error(with_number(opq, linear_transform_at + 169, std::int32_t{12})).find("output dimension") !=
          std::string::npos);
    CHECK(error(with_number(opq, linear_transform_at + 165, std::int32_t{12})).find("input dimension") !=
          std::string::npos);
    CHECK(error(with_number(opq, linear_transform_at + 173, std::uint8_t{0})).find("is_trained") != std::string::npos);
    CHECK(error(with_text(opq, inner_index_at, "IwFl")).find("expected an IndexIVFPQ, found \"IwFl\"") !=
          std::string::npos);
    CHECK(
        error(with_number(opq, inner_index_at + 33, std::int32_t{0})) ==
        ": byte 215 (index behind the transform): expected 120 vectors of 6 dimensions for L2, found 120 vectors of 6 "
        "dimensions for inner products");
    CHECK(error(with_number(opq, 8, std::int64_t{119})).find("expected 119 vectors") != std::string::npos);

    const std::string stretched = error(with_number(opq, linear_transform_at + 13, 7.0F));
    CHECK(stretched.find("the transform is no rotation") != std::string::npos);
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
        CHECK(error(with_number(opq, linear_transform_at + 13, bad)).find("no rotation") != std::string::npos);
    }
}

TEST_CASE("import_faiss_ivfpq: numbers that no index may hold are errors") {
    const Bytes plain = bytes_of(foreign_index("faiss_ivf_pq4_l2.bin"));
    const auto error = [&](const Bytes& bytes) { return import_error<L2Nibbles>(bytes); };
    constexpr std::size_t centroids_at = 53 + 37 + 8;
    const std::size_t codewords_at = plain.size() - 4 - 8 - 8 - 4 - 8 - 4 * 8 - 120 * 10 - 4 * 16 * 6;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(error(with_number(plain, centroids_at, nan)) == ": centroid 0 holds a NaN or an infinity");
    CHECK(error(with_number(plain, codewords_at + 8, nan)) == ": codeword 1 holds a NaN or an infinity");
    // Each of these is short enough, but not the vector whose parts they are.
    const Bytes long_part = with_number(plain, codewords_at, 0x1p62F);
    CHECK(error(long_part) == "none");
    CHECK(error(with_number(long_part, codewords_at + 4 * 16 * 2, 0x1p61F)) ==
          ": codewords are too long: a decoded vector must not be longer than 2^62");
    const std::size_t last_id = plain.size() - 8;
    CHECK(error(with_number(plain, last_id, std::int64_t{-5})) ==
          ": ids of vectors must differ and not be negative, found -5");
    const auto other = funnel::io::load_number<std::int64_t>(std::span(plain).subspan(last_id - 8));
    CHECK(error(with_number(plain, last_id, other)) ==
          ": ids of vectors must differ and not be negative, found " + std::to_string(other) + " twice");
}

TEST_CASE("import_faiss_ivfpq: damaged files are errors, or indexes that can be used") {
    for_each_fixture([]<class Index>(const std::string& name) {
        CAPTURE(name);
        const auto report =
            check_damage(bytes_of(foreign_index(name + ".bin")),
                         [](const std::string& path) { return import_and_search.template operator()<Index>(path); },
                         {.has_checksum = false, .head = 1024, .bit_flips = 8000, .truncations = 300});
        CHECK(report.cases >= 10'000);
    });
}

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/ivfpq.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"
#include "support/index_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/ann/flat.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/io/container.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::InnerProduct;
using funnel::ann::IVFPQIndex;
using funnel::ann::L2;
using funnel::testing::Hits;
using funnel::testing::nearest_by_definition;
using funnel::testing::recall;
using funnel::testing::small_integers;
using funnel::testing::tastes;

namespace {

constexpr funnel::ann::IVFPQSearchOptions some_lists{.nprobe = 4, .refine = 5};

[[nodiscard]] Matrix<float> unit_rows(Matrix<float> rows) {
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        double squares = 0.0;
        for (const float x : rows.row(i)) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        for (float& x : rows.row(i)) {
            x = static_cast<float>(static_cast<double>(x) / std::sqrt(squares));
        }
    }
    return rows;
}

}  // namespace

TEST_CASE("IVFPQIndex: keeps what every index promises, under L2 with codes of 4 bits") {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return IVFPQIndex<9, 9, L2, 4>::build(vectors, {.lists = 12}, executor);
    };
    funnel::testing::check_index<L2>(build, some_lists,
                                     {.min_recall = 0.5, .damage = {.head = 300, .bit_flips = 100, .truncations = 20}});
}

TEST_CASE("IVFPQIndex: keeps what every index promises, under Cosine with a rotation") {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return IVFPQIndex<16, 4, Cosine>::build(vectors, {.lists = 6, .opq = true, .seed = 2}, executor);
    };
    funnel::testing::check_index<Cosine>(
        build, some_lists, {.min_recall = 0.5, .damage = {.head = 300, .bit_flips = 20, .truncations = 10}});
}

TEST_CASE("IVFPQIndex: keeps what every index promises, without vectors") {
    const auto build = [](MatrixView<const float> vectors, auto& executor) {
        return IVFPQIndex<9, 3, InnerProduct>::build(vectors, {.lists = 8, .keep_vectors = false}, executor);
    };
    funnel::testing::check_index_searches<InnerProduct>(build, some_lists,
                                                        {.min_recall = 0.5, .scores_are_exact = false});
}

TEST_CASE("IVFPQIndex: worked by hand") {
    // One list; its centroid is the mean (1, 2). Each part takes three values, so that codes lose nothing.
    const std::vector<float> rows{0.0F, 0.0F, 2.0F, 0.0F, 1.0F, 6.0F};
    const std::vector<float> query{1.0F, 1.0F};
    const auto index = IVFPQIndex<2, 2, L2, 4>::build(MatrixView<const float>(rows, 3, 2), {.lists = 1});
    CHECK(index.search(query, {.k = 3}) == Hits{{0, -2.0F}, {1, -2.0F}, {2, -25.0F}});
    const Hits by_codes = index.search(query, {.k = 3, .refine = 0});
    REQUIRE(by_codes.size() == 3);
    CHECK(by_codes[2].id == 2);
    CHECK(by_codes[2].score == doctest::Approx(-25.0).epsilon(0.02));  // tables have 256 levels
    CHECK(by_codes[0].score == doctest::Approx(-2.0).epsilon(0.1));
}

TEST_CASE_TEMPLATE_DEFINE("IVFPQIndex: scores of codes are those of decoded vectors, and refine makes them exact",
                          Backend, ivfpq_scores) {
    const auto check = [](auto index, auto metric, const Matrix<float>& vectors, const Matrix<float>& queries,
                          double least_overlap, double most_error) {
        using M = decltype(metric);
        double overlap = 0.0;
        double error = 0.0;
        for (std::size_t i = 0; i < queries.rows(); ++i) {
            const Hits all = nearest_by_definition<M>(vectors, queries.row(i), vectors.rows());
            std::vector<double> exact(vectors.rows());
            for (const auto& hit : all) {
                exact[hit.id] = static_cast<double>(hit.score);
            }
            const double spread = exact[all.front().id] - exact[all.back().id];
            for (const auto& hit : index.search(queries.row(i), {.k = 50, .nprobe = 8, .refine = 4})) {
                CHECK(static_cast<double>(hit.score) == doctest::Approx(exact[hit.id]).epsilon(1e-4));
            }
            for (const auto& hit : index.search(queries.row(i), {.k = 50, .nprobe = 8, .refine = 0})) {
                error = std::max(error, std::abs(static_cast<double>(hit.score) - exact[hit.id]) / spread);
                overlap +=
                    std::any_of(all.begin(), all.begin() + 50, [&](const auto& best) { return best.id == hit.id; })
                        ? 0.02
                        : 0.0;
            }
        }
        overlap /= static_cast<double>(queries.rows());
        MESSAGE("overlap of the 50 best ", overlap, ", largest error of a score ", error, " of the range");
        CHECK(overlap >= least_overlap);
        CHECK(error <= most_error);
    };
    const Matrix<float> vectors = tastes(3000, 16, 1);
    const Matrix<float> queries = tastes(8, 16, 2);
    const funnel::ann::IVFPQOptions plain{.lists = 8, .seed = 1};
    const funnel::ann::IVFPQOptions rotated{.lists = 8, .opq = true, .seed = 1};
    check(IVFPQIndex<16, 8, L2, 8, Backend>::build(vectors, plain), L2{}, vectors, queries, 0.9, 0.05);
    check(IVFPQIndex<16, 16, InnerProduct, 4, Backend>::build(vectors, plain), InnerProduct{}, vectors, queries, 0.8,
          0.1);
    check(IVFPQIndex<16, 4, Cosine, 8, Backend>::build(vectors, rotated), Cosine{}, vectors, queries, 0.7, 0.2);
}
TEST_CASE_TEMPLATE_APPLY(ivfpq_scores, funnel::testing::HostBackends);

TEST_CASE("IVFPQIndex: under Cosine, scores of codes make up for the length that codes lose") {
    // On unit vectors, both metrics have the same nearest vectors, and both indexes the same codes.
    const Matrix<float> vectors = unit_rows(tastes(3000, 16, 1));
    const Matrix<float> queries = unit_rows(tastes(50, 16, 2));
    const funnel::ann::IVFPQOptions options{.lists = 8, .seed = 1};
    const funnel::ann::IVFPQSearchOptions search{.k = 50, .nprobe = 8, .refine = 0};
    const auto expected = funnel::ann::Flat<Cosine>::build(vectors).search_batch(queries, {.k = 50});
    const double with =
        recall(IVFPQIndex<16, 2, Cosine>::build(vectors, options).search_batch(queries, search), expected);
    const double without =
        recall(IVFPQIndex<16, 2, InnerProduct>::build(vectors, options).search_batch(queries, search), expected);
    MESSAGE("recall with penalties ", with, ", without ", without);
    CHECK(with >= without + 0.05);
}

TEST_CASE("IVFPQIndex: without vectors it needs a fraction of the memory, and gives the same scores of codes") {
    const Matrix<float> vectors = tastes(4000, 16, 3);
    using Index = IVFPQIndex<16, 4, InnerProduct>;
    const auto with = Index::build(vectors, {.lists = 4});
    const auto without = Index::build(vectors, {.lists = 4, .keep_vectors = false});
    CHECK(without.memory_bytes() < with.memory_bytes() - 4000 * 64 + 1000);
    const std::size_t estimate = Index::memory_estimate(4000, 16, {.lists = 4, .keep_vectors = false});
    CHECK(static_cast<double>(without.memory_bytes()) == doctest::Approx(static_cast<double>(estimate)).epsilon(0.02));
    const Hits expected = with.search(vectors.row(7), {.k = 20, .refine = 0});
    CHECK(without.search(vectors.row(7), {.k = 20, .refine = 0}) == expected);
    CHECK(without.search(vectors.row(7), {.k = 20, .refine = 10}) == expected);  // nothing to refine with
    CHECK_THROWS_AS((void)without.vector(7), InvalidArgument);

    const funnel::testing::TempDir dir;
    without.save(dir / "a.fnl");
    const auto loaded = Index::load(dir / "a.fnl");
    CHECK(loaded.search(vectors.row(7), {.k = 20}) == expected);
    CHECK(loaded.memory_bytes() == without.memory_bytes());
}

TEST_CASE("IVFPQIndex: rejects vectors of another dimension, options out of range, and files for other codes") {
    using Index = IVFPQIndex<9, 3>;
    const Matrix<float> vectors = small_integers(100, 9, 1);
    CHECK_THROWS_WITH_AS((void)Index::build(small_integers(100, 8, 1)),
                         "IVFPQIndex::build: number of columns must be 9, got 8", InvalidArgument);
    CHECK_THROWS_AS((void)Index::build(vectors, {.lists = 0}), InvalidArgument);
    const auto index = Index::build(vectors, {.lists = 3});
    CHECK_THROWS_WITH_AS((void)index.search(vectors.row(0), {.nprobe = 0}),
                         "IVFPQIndex::search: nprobe must be at least 1, got 0", InvalidArgument);
    const funnel::testing::TempDir dir;
    index.save(dir / "a.fnl");
    CHECK_NOTHROW((void)Index::load(dir / "a.fnl"));
    CHECK_THROWS_AS((void)(IVFPQIndex<9, 9>::load(dir / "a.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(IVFPQIndex<9, 3, L2, 4>::load(dir / "a.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(IVFPQIndex<9, 3, InnerProduct>::load(dir / "a.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(IVFPQIndex<12, 3>::load(dir / "a.fnl")), funnel::CorruptData);
}

TEST_CASE("IVFPQIndex: scores of codes do not depend on the place of a vector in its list") {
    const Matrix<float> vectors = tastes(500, 16, 3);
    const Matrix<float> queries = tastes(20, 16, 4);
    const auto check = [&](auto index) {
        const funnel::ann::IVFPQSearchOptions all{.k = 500, .nprobe = 7, .refine = 0};
        const auto expected = index.search_batch(queries, all);
        for (std::uint32_t i = 0; i < 500; ++i) {
            index.replace((i * 7) % 500, vectors.row((i * 7) % 500));  // goes to the end of its list
        }
        CHECK(index.search_batch(queries, all) == expected);
    };
    const funnel::ann::IVFPQOptions plain{.lists = 7, .keep_vectors = false};
    const funnel::ann::IVFPQOptions rotated{.lists = 7, .opq = true, .keep_vectors = false};
    check(IVFPQIndex<16, 4, L2>::build(vectors, plain));
    check(IVFPQIndex<16, 4, Cosine>::build(vectors, rotated));
    check(IVFPQIndex<16, 8, InnerProduct, 4>::build(vectors, plain));
    check(IVFPQIndex<16, 8, Cosine, 4>::build(vectors, rotated));
}

TEST_CASE("IVFPQIndex: loads a file of layout 1, which does not say whether codes are of residuals") {
    // The example worked by hand above, without vectors.
    const auto path = std::filesystem::path(__FILE__).parent_path() / "data" / "ivfpq_layout_1.fnl";
    const auto index = IVFPQIndex<2, 2, L2, 4>::load(path);
    const std::vector<float> query{1.0F, 1.0F};
    const Hits hits = index.search(query, {.k = 3});
    REQUIRE(hits.size() == 3);
    CHECK(hits[2].id == 2);
    CHECK(hits[2].score == doctest::Approx(-25.0).epsilon(0.01));
    CHECK(hits[0].score == doctest::Approx(-2.0).epsilon(0.01));
}

TEST_CASE("IVFPQIndex: codes of whole vectors, worked by hand; their flag is 0 or 1, else the file is rejected") {
    // Centroid (1, 2). The only code is of (0, 4): as a residual it stands for (1, 6), as a whole vector for itself.
    const funnel::testing::TempDir dir;
    const auto load = [&]<class Index>(std::optional<std::uint8_t> codes_residuals) {
        funnel::io::ContainerWriter file(Index::file_kind, Index::file_layout);
        const std::string metric(Index::Metric::name);
        const Matrix<float> centroids(funnel::MatrixView<const float>(std::vector<float>{1.0F, 2.0F}, 1, 2));
        std::vector<float> codebooks(32);
        codebooks[16] = 4.0F;
        const std::vector<std::uint8_t> live(1);
        const std::vector<std::uint32_t> list_of(1);
        const std::vector<std::uint8_t> codes(2);
        file.strings("metric", std::span(&metric, 1));
        file.value("dimension", std::uint64_t{2});
        file.array("is_removed", live);
        file.value("parts", std::uint64_t{2});
        file.value("bits", std::uint64_t{4});
        file.value("lists", std::uint64_t{1});
        file.value("opq", std::uint8_t{0});
        file.value("seed", std::uint64_t{0});
        file.value("keep_vectors", std::uint8_t{0});
        file.matrix("centroids", centroids);
        file.array("codebooks", codebooks);
        if (codes_residuals) {
            file.value("codes_residuals", *codes_residuals);
        }
        file.array("list_of", list_of);
        file.array("codes", codes);
        file.save(dir / "a.fnl");
        return Index::load(dir / "a.fnl");
    };
    const auto score = [&]<class Index>(std::optional<std::uint8_t> codes_residuals, float x, float y) {
        const std::vector<float> query{x, y};
        return load.template operator()<Index>(codes_residuals).search(query, {.k = 1}).at(0).score;
    };
    using Distances = IVFPQIndex<2, 2, L2, 4>;
    using Products = IVFPQIndex<2, 2, InnerProduct, 4>;
    using Cosines = IVFPQIndex<2, 2, Cosine, 4>;
    CHECK(score.operator()<Distances>(std::uint8_t{1}, 1.0F, 1.0F) == doctest::Approx(-25.0));  // 0 + 25
    CHECK(score.operator()<Distances>(std::nullopt, 1.0F, 1.0F) == doctest::Approx(-25.0));
    CHECK(score.operator()<Distances>(std::uint8_t{0}, 1.0F, 1.0F) == doctest::Approx(-10.0));  // 1 + 9
    CHECK(score.operator()<Products>(std::uint8_t{1}, 1.0F, 2.0F) == doctest::Approx(13.0));    // 1 + 12
    CHECK(score.operator()<Products>(std::uint8_t{0}, 1.0F, 2.0F) == doctest::Approx(8.0));     // 0 + 8
    // 1 - |q - x|^2 / 2 would be far below -1, which is the least cosine.
    CHECK(score.operator()<Cosines>(std::uint8_t{0}, 1.0F, 0.0F) == -1.0F);
    CHECK_THROWS_AS((void)load.operator()<Distances>(std::uint8_t{2}), funnel::CorruptData);

    // A vector that is added gets the code of itself, not of its difference to the centroid: (0, 4) is a codeword.
    Distances whole = load.operator()<Distances>(std::uint8_t{0});
    const std::vector<float> vector{0.0F, 4.0F};
    CHECK(whole.add(vector) == 1);
    const Hits hits = whole.search(vector, {.k = 2});
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].score == hits[1].score);
    CHECK(std::abs(hits[0].score) < 1e-4F);
}

TEST_CASE("IVFPQIndex: import rejects parts of other sizes, and lists and codes out of range") {
    using Index = IVFPQIndex<2, 2, L2, 4>;
    const Matrix<float> centroids(3, 2);
    const Matrix<float> codewords(32, 1);
    const std::vector<std::uint32_t> list_of{0, 2};
    const std::vector<std::uint8_t> codes{0, 1, 15, 3};
    const auto import = [](const funnel::ann::detail::ProductParts& parts, std::vector<std::uint32_t> lists,
                           std::vector<std::uint8_t> all_codes) {
        return Index::import(funnel::ann::detail::Vectors<L2>::without_rows(2, 2), parts,
                             std::span<const std::uint32_t>(lists), std::span<const std::uint8_t>(all_codes));
    };
    CHECK(import({centroids, codewords, {}}, list_of, codes).size() == 2);
    CHECK_THROWS_WITH_AS((void)import({centroids, codewords, {}}, {0, 3}, codes),
                         "IVFPQIndex::import: list of a vector must be below 3, got 3", InvalidArgument);
    CHECK_THROWS_WITH_AS((void)import({centroids, codewords, {}}, list_of, {0, 1, 16, 3}),
                         "IVFPQIndex::import: code must be below 16, got 16", InvalidArgument);
    CHECK_THROWS_AS((void)import({centroids, codewords, {}}, {0}, codes), InvalidArgument);
    CHECK_THROWS_AS((void)import({centroids, codewords, {}}, list_of, {0, 1, 2}), InvalidArgument);
    CHECK_THROWS_AS((void)import({Matrix<float>(3, 3), codewords, {}}, list_of, codes), InvalidArgument);
    CHECK_THROWS_AS((void)import({Matrix<float>(0, 2), codewords, {}}, list_of, codes), InvalidArgument);
    CHECK_THROWS_AS((void)import({centroids, centroids, {}}, list_of, codes), InvalidArgument);
    CHECK_THROWS_AS((void)import({centroids, codewords, Matrix<float>(2, 2)}, list_of, codes), InvalidArgument);
}

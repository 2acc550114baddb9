// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/quantise/product.hpp>

#include "ann/sample_vectors.hpp"
#include "kernels/inputs.hpp"
#include "support/backends.hpp"
#include "support/damage.hpp"
#include "support/saved_contract.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/io/container.hpp>
#include <funnel/quantise/integer_tables.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::quantise::ProductQuantiser;
using funnel::quantise::round_tables;
using namespace funnel::testing;

namespace {

Matrix<float> random_rows(std::size_t n, std::size_t d, std::uint64_t stream) {
    const auto elements = normals(n * d, stream);
    return Matrix<float>(MatrixView<const float>(elements, n, d));
}

template <class Quantiser>
std::vector<float> decoded(const Quantiser& quantiser, std::span<const std::uint8_t> codes, std::size_t dim) {
    std::vector<float> out(dim);
    quantiser.decode(codes, out);
    return out;
}

template <class Quantiser>
double mean_error(const Quantiser& quantiser, MatrixView<const float> rows) {
    const auto codes = quantiser.encode(rows);
    const std::size_t m = codes.size() / rows.rows();
    double sum = 0.0;
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        const auto vector = decoded(quantiser, std::span(codes).subspan(i * m, m), rows.cols());
        sum += squared_distance(rows.row(i), vector);
    }
    return sum / static_cast<double>(rows.rows());
}

}  // namespace

TEST_CASE("product quantiser: worked by hand") {
    // Two parts of one number each. The first takes 16 values, the second is 10 or 20.
    Matrix<float> rows(64, 2);
    for (std::size_t i = 0; i < 64; ++i) {
        rows(i, 0) = static_cast<float>(i % 16);
        rows(i, 1) = i % 2 == 0 ? 10.0F : 20.0F;
    }
    const auto quantiser = ProductQuantiser<2, 2, 4>::train(rows);
    const std::vector<std::uint8_t> codes = quantiser.encode(rows);
    REQUIRE(codes.size() == 128);
    for (std::size_t i = 0; i < 64; ++i) {  // nothing is lost
        CHECK(decoded(quantiser, std::span(codes).subspan(2 * i, 2), 2) == std::vector<float>{rows(i, 0), rows(i, 1)});
    }
    const std::vector<float> query{2.0F, 0.5F};
    std::vector<float> tables(32);
    quantiser.inner_products(query, tables);  // row 3: 2 * 3 + 0.5 * 20
    CHECK(tables[codes[6]] + tables[16U + codes[7]] == 16.0F);
    quantiser.negated_distances(query, tables);  // row 3: (2 - 3)^2 + (0.5 - 20)^2
    CHECK(tables[codes[6]] + tables[16U + codes[7]] == -381.25F);
}

TEST_CASE_TEMPLATE_DEFINE("product quantiser: codes are the nearest codewords, and tables score the decoded vector",
                          Backend, product_nearest) {
    const auto check = [](const auto& quantiser, MatrixView<const float> rows, MatrixView<const float> queries,
                          std::size_t m_count, std::size_t words) {
        const std::size_t dim = rows.cols();
        const std::size_t part = dim / m_count;
        const auto codes = quantiser.encode(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            const auto own = std::span(codes).subspan(i * m_count, m_count);
            const auto vector = decoded(quantiser, own, dim);
            for (std::size_t m = 0; m < m_count; ++m) {
                const auto mine = rows.row(i).subspan(m * part, part);
                double least = std::numeric_limits<double>::infinity();
                for (std::size_t c = 0; c < words; ++c) {
                    const std::vector<std::uint8_t> all(m_count, static_cast<std::uint8_t>(c));
                    const auto other = decoded(quantiser, all, dim);
                    least = std::min(least, squared_distance(mine, std::span(other).subspan(m * part, part)));
                }
                const double found = squared_distance(mine, std::span(std::as_const(vector)).subspan(m * part, part));
                CHECK(found <= least + 1e-5);  // distances are rounded
            }
        }
        std::vector<float> dots(m_count * words);
        std::vector<float> distances(m_count * words);
        for (std::size_t q = 0; q < queries.rows(); ++q) {
            quantiser.inner_products(queries.row(q), dots);
            quantiser.negated_distances(queries.row(q), distances);
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                const auto own = std::span(codes).subspan(i * m_count, m_count);
                const auto vector = decoded(quantiser, own, dim);
                double dot = 0.0;
                double dot_of_table = 0.0;
                double distance_of_table = 0.0;
                for (std::size_t j = 0; j < dim; ++j) {
                    dot += static_cast<double>(vector[j]) * static_cast<double>(queries(q, j));
                }
                for (std::size_t m = 0; m < m_count; ++m) {
                    dot_of_table += static_cast<double>(dots[m * words + own[m]]);
                    distance_of_table += static_cast<double>(distances[m * words + own[m]]);
                }
                CHECK(dot_of_table == doctest::Approx(dot).epsilon(1e-5));
                CHECK(distance_of_table == doctest::Approx(-squared_distance(vector, queries.row(q))).epsilon(1e-5));
            }
        }
    };
    const Matrix<float> rows = random_rows(600, 12, 1);
    const Matrix<float> some = random_rows(20, 12, 2);
    const Matrix<float> queries = random_rows(3, 12, 3);
    check(ProductQuantiser<12, 4, 8, Backend>::train(rows, {.iterations = 3}), some, queries, 4, 256);
    check(ProductQuantiser<12, 6, 4, Backend>::train(rows, {.iterations = 3}), some, queries, 6, 16);
    check(ProductQuantiser<12, 1, 4, Backend>::train(rows, {.iterations = 3}), some, queries, 1, 16);
}
TEST_CASE_TEMPLATE_APPLY(product_nearest, HostBackends);

TEST_CASE("product quantiser: more codes and more iterations lose less") {
    const Matrix<float> rows = random_rows(2000, 8, 5);
    const double two = mean_error(ProductQuantiser<8, 2, 4>::train(rows), rows);
    const double four = mean_error(ProductQuantiser<8, 4, 4>::train(rows), rows);
    const double bytes = mean_error(ProductQuantiser<8, 4, 8>::train(rows), rows);
    CHECK(two < 8.0);  // the mean of |row|^2
    CHECK(four < 0.6 * two);
    CHECK(bytes < 0.2 * four);

    auto quantiser = ProductQuantiser<8, 2, 4>::train(rows, {.iterations = 1});
    double before = mean_error(quantiser, rows);
    for (int i = 0; i < 5; ++i) {
        quantiser.improve(rows);
        const double after = mean_error(quantiser, rows);
        CHECK(after < before);
        before = after;
    }
}

TEST_CASE("product quantiser: few rows, equal rows, no rows") {
    const Matrix<float> three = random_rows(3, 4, 6);
    CHECK(mean_error(ProductQuantiser<4, 2, 8>::train(three), three) == 0.0);
    const Matrix<float> equal(50, 4);
    CHECK(mean_error(ProductQuantiser<4, 2, 4>::train(equal), equal) == 0.0);
    const auto nothing = ProductQuantiser<4, 2, 4>::train(Matrix<float>(0, 4));
    CHECK(nothing.encode(Matrix<float>(0, 4)).empty());
    const std::vector<std::uint8_t> codes = nothing.encode(three);
    CHECK(decoded(nothing, std::span(codes).first(2), 4) == std::vector<float>(4, 0.0F));
}

TEST_CASE("product quantiser: the same bits for any number of threads") {
    const Matrix<float> rows = random_rows(3000, 8, 7);
    const auto one = ProductQuantiser<8, 4, 4>::train(rows, {.seed = 3});
    for (const std::size_t threads : {2U, 4U}) {
        funnel::Threads pool(threads);
        const auto many = ProductQuantiser<8, 4, 4>::train(rows, {.seed = 3}, pool);
        CHECK(many.encode(rows, pool) == one.encode(rows));
        std::vector<float> a(64);
        std::vector<float> b(64);
        one.inner_products(rows.row(0), a);
        many.inner_products(rows.row(0), b);
        CHECK(a == b);
    }
    const auto other = ProductQuantiser<8, 4, 4>::train(rows, {.seed = 4});
    CHECK(other.encode(rows) != one.encode(rows));
}

TEST_CASE("integer tables: the error is at most half a step per table, and sums fit into 16 bits") {
    const auto check = [](auto integer, std::size_t m, std::size_t size, float stretch) {
        using Integer = decltype(integer);
        auto tables = normals(m * size, m);
        for (float& x : tables) {
            x *= stretch;
        }
        std::vector<Integer> rounded(tables.size());
        const auto scale = round_tables<Integer>(tables, m, rounded);
        std::size_t largest_sum = 0;
        for (std::size_t i = 0; i < m; ++i) {
            const auto part = std::span(rounded).subspan(i * size, size);
            largest_sum += *std::max_element(part.begin(), part.end());
        }
        CHECK(largest_sum <= 65535);
        for (std::size_t shift = 0; shift < size; ++shift) {
            double expected = 0.0;
            std::size_t sum = 0;
            for (std::size_t i = 0; i < m; ++i) {
                const std::size_t at = i * size + (i + shift) % size;
                expected += static_cast<double>(tables[at]);
                sum += rounded[at];
            }
            const double found =
                static_cast<double>(scale.scale) * static_cast<double>(sum) + static_cast<double>(scale.offset);
            const double step = static_cast<double>(scale.scale) * static_cast<double>(m) / 2.0;
            CHECK(std::abs(found - expected) <=
                  1.001 * step + 1e-5 * static_cast<double>(stretch) * static_cast<double>(m));
        }
        if (m == 1) {  // all levels are used
            const auto limit = std::numeric_limits<Integer>::max();
            CHECK(*std::max_element(rounded.begin(), rounded.end()) == limit);
            CHECK(*std::min_element(rounded.begin(), rounded.end()) == 0);
        }
    };
    for (const float stretch : {1.0F, 1e20F, 1e-20F}) {
        for (const std::size_t m : {1U, 2U, 8U, 33U, 256U}) {
            check(std::uint8_t{}, m, 16, stretch);
            check(std::uint16_t{}, m, 256, stretch);
        }
    }
    const std::vector<float> equal(32, 2.5F);  // no range
    std::vector<std::uint8_t> rounded(32, 9);
    const auto scale = round_tables<std::uint8_t>(equal, 2, rounded);
    CHECK(scale.scale == 0.0F);
    CHECK(scale.offset == 5.0F);
    CHECK(rounded == std::vector<std::uint8_t>(32, 0));
    std::vector<float> tiny(16, 0.0F);
    tiny[3] = std::numeric_limits<float>::denorm_min();
    std::vector<std::uint8_t> zeros(16, 9);
    CHECK(round_tables<std::uint8_t>(tiny, 1, zeros).scale == 0.0F);
    CHECK(zeros == std::vector<std::uint8_t>(16, 0));
}

TEST_CASE("product quantiser: rejects rows of another dimension or with NaN, and options out of range") {
    using Quantiser = ProductQuantiser<4, 2, 4>;
    const Matrix<float> rows = random_rows(30, 4, 8);
    CHECK_THROWS_WITH_AS((void)Quantiser::train(Matrix<float>(3, 5)),
                         "ProductQuantiser::train: number of columns must be 4, got 5", funnel::InvalidArgument);
    CHECK_THROWS_AS((void)Quantiser::train(rows, {.rows_per_codeword = 0}), funnel::InvalidArgument);
    auto quantiser = Quantiser::train(rows);
    CHECK_THROWS_AS((void)quantiser.encode(Matrix<float>(1, 3)), funnel::InvalidArgument);
    CHECK_THROWS_AS(quantiser.improve(Matrix<float>(1, 3)), funnel::InvalidArgument);
#ifndef __FAST_MATH__
    Matrix<float> bad = random_rows(30, 4, 9);
    bad(3, 2) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)Quantiser::train(bad), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)quantiser.encode(bad), funnel::InvalidArgument);
#endif
}

TEST_CASE("product quantiser: import takes codewords, and rejects other shapes and numbers out of range") {
    using Quantiser = ProductQuantiser<4, 2, 4>;
    Matrix<float> codewords = random_rows(32, 2, 12);
    const auto quantiser = Quantiser::import(codewords);
    for (std::uint8_t c = 0; c < 16; ++c) {
        const std::vector<std::uint8_t> codes{c, static_cast<std::uint8_t>(15 - c)};
        Matrix<float> decoded(1, 4);
        quantiser.decode(codes, decoded.row(0));
        CHECK(decoded(0, 0) == codewords(c, 0));
        CHECK(decoded(0, 1) == codewords(c, 1));
        CHECK(decoded(0, 2) == codewords(std::size_t{31} - c, 0));
        CHECK(decoded(0, 3) == codewords(std::size_t{31} - c, 1));
        CHECK(quantiser.encode(decoded) == codes);
    }
    CHECK_THROWS_AS((void)Quantiser::import(Matrix<float>(31, 2)), funnel::InvalidArgument);
    CHECK_THROWS_AS((void)Quantiser::import(Matrix<float>(32, 3)), funnel::InvalidArgument);
    codewords(31, 1) = 0x1.8p62F;
    CHECK_THROWS_AS((void)Quantiser::import(codewords), funnel::InvalidArgument);
#ifndef __FAST_MATH__
    codewords(31, 1) = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS((void)Quantiser::import(codewords), funnel::InvalidArgument);
#endif
}

TEST_CASE("product quantiser: rejects damaged files, and files for other codes or with infinite codewords") {
    using Quantiser = ProductQuantiser<4, 2, 4>;
    const Matrix<float> rows = random_rows(40, 4, 10);
    const auto quantiser = Quantiser::train(rows);
    const auto answers = [&](const Quantiser& any) { return std::pair(any.encode(rows), any.memory_bytes()); };
    check_saved(quantiser, Quantiser::train(random_rows(40, 4, 11)), answers, answers,
                {.head = 300, .bit_flips = 300, .truncations = 30});
    CHECK_THROWS_AS((void)Quantiser().encode(rows), funnel::InvalidArgument);
    CHECK_THROWS_AS(Quantiser().improve(rows), funnel::InvalidArgument);

    const TempDir dir;
    quantiser.save(dir / "a.fnl");
    CHECK_THROWS_AS((void)(ProductQuantiser<4, 4, 4>::load(dir / "a.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(ProductQuantiser<4, 2, 8>::load(dir / "a.fnl")), funnel::CorruptData);
    CHECK_THROWS_AS((void)(ProductQuantiser<8, 2, 4>::load(dir / "a.fnl")), funnel::CorruptData);
#ifndef __FAST_MATH__
    const auto with_codeword = [&](float x) {
        std::vector<float> codebooks(64, 1.0F);
        codebooks[7] = x;
        funnel::io::ContainerWriter file(Quantiser::kind, Quantiser::layout_version);
        file.value("parts", std::uint64_t{2});
        file.value("bits", std::uint64_t{4});
        file.array("codebooks", codebooks);
        file.save(dir / "b.fnl");
        return dir / "b.fnl";
    };
    CHECK_NOTHROW((void)Quantiser::load(with_codeword(2.0F)));
    CHECK_THROWS_AS((void)Quantiser::load(with_codeword(std::numeric_limits<float>::infinity())), funnel::CorruptData);
    CHECK_THROWS_AS((void)Quantiser::load(with_codeword(1e30F)), funnel::CorruptData);
#endif
}

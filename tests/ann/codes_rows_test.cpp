// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ann/codes_rows.hpp>

#include "ann/sample_vectors.hpp"
#include "support/backends.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>

using funnel::Matrix;
using funnel::MatrixView;
using funnel::ann::Cosine;
using funnel::ann::F16;
using funnel::ann::InnerProduct;
using funnel::ann::Int8;
using funnel::ann::L2;
using funnel::ann::detail::CodeRows;

namespace {

// Normals around a mean far from 0, with lengths of very different sizes.
Matrix<float> samples(std::size_t n, std::size_t d, std::uint64_t seed) {
    funnel::Random random(seed);
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        const double size = std::exp(random.normal());
        for (std::size_t j = 0; j < d; ++j) {
            rows(i, j) = static_cast<float>(2.0 + static_cast<double>(j % 3) + size * random.normal());
        }
    }
    return rows;
}

template <class M, std::size_t Dim, class Codes, class Backend>
std::vector<float> scores_of(const CodeRows<M, Dim, Codes, Backend>& codes, MatrixView<const float> rows,
                             std::span<const float> query, const std::vector<std::uint32_t>& ids) {
    typename CodeRows<M, Dim, Codes, Backend>::Query prepared;
    codes.prepare(query, prepared);
    std::vector<float> scores(ids.size());
    codes.score(std::span<const float, Dim>(query), prepared, rows, ids, scores);
    return scores;
}

// The largest error of an element of a vector, of which `most` is the largest one, and of a query.
template <class Codes>
struct Errors;
template <>
struct Errors<Int8> {  // half a step
    static double row(double, double most) { return most / 254.0 * 1.001; }
    static double query(double, double most) { return most / 254.0 * 1.001; }
};
template <>
struct Errors<F16> {  // half of the last place; below 2^-14, of a number whose largest is 2^14 to 2^15, half of 2^-24
    static double row(double x, double most) { return std::abs(x) * 0x1p-11 + most * 0x1p-39; }
    static double query(double x, double) { return std::abs(x) * 0x1p-24; }
};

// The error of a score, as the definition of the codes bounds it.
template <class M, std::size_t Dim, class Codes, class Backend>
void check_errors(std::size_t d) {
    const Matrix<float> rows = samples(70, d, 1);
    const Matrix<float> queries = samples(5, d, 2);
    const CodeRows<M, Dim, Codes, Backend> codes(rows.view());
    std::vector<std::uint32_t> ids;
    for (std::uint32_t i = 0; i < 70; ++i) {
        ids.push_back(69 - i);
    }
    for (std::size_t q = 0; q < queries.rows(); ++q) {
        const auto scores = scores_of(codes, rows, queries.row(q), ids);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            std::vector<double> mean(d, 0.0);
            double most_row = 0.0;
            double most_query = 0.0;
            for (std::size_t j = 0; j < d; ++j) {
                for (std::size_t r = 0; r < rows.rows(); ++r) {
                    mean[j] += static_cast<double>(rows(r, j)) / 70.0;
                }
                const double shift = std::is_same_v<M, L2> ? mean[j] : 0.0;
                most_row = std::max(most_row, std::abs(static_cast<double>(rows(ids[i], j)) - mean[j]));
                most_query = std::max(most_query, std::abs(static_cast<double>(queries(q, j)) - shift));
            }
            double exact = 0.0;
            double bound = 1e-4;
            for (std::size_t j = 0; j < d; ++j) {
                const double x = static_cast<double>(rows(ids[i], j)) - mean[j];
                const double y = static_cast<double>(queries(q, j));
                const double row_error = Errors<Codes>::row(x, most_row);
                const double query_error =
                    Errors<Codes>::query(y - (std::is_same_v<M, L2> ? mean[j] : 0.0), most_query);
                if (std::is_same_v<M, L2>) {
                    const double z = y - mean[j];
                    exact -= (z - x) * (z - x);
                    bound += 2.0 * (std::abs(z - x) * row_error + (std::abs(x) + row_error) * query_error) +
                             row_error * row_error;
                } else {
                    exact += static_cast<double>(rows(ids[i], j)) * y;
                    bound += (std::abs(x) + row_error) * query_error + std::abs(y) * row_error;
                }
            }
            CHECK(std::abs(static_cast<double>(scores[i]) - exact) <= bound);
        }
    }
}

// Vectors of unit length, two of which differ by a little: halves of both keep the difference.
template <class Codes, class Backend>
void check_cosines() {
    Matrix<float> rows = samples(70, 33, 1);
    for (std::size_t i = 0; i < 70; ++i) {
        funnel::ann::detail::prepare<Cosine>(rows.row(i), rows.row(i));
    }
    const CodeRows<Cosine, 33, Codes, Backend> codes(rows.view());
    const auto scores = scores_of(codes, rows, rows.row(0), {69, 0, 33});
    const std::vector<std::size_t> ids{69, 0, 33};
    for (std::size_t i = 0; i < 3; ++i) {
        double exact = 0.0;
        for (std::size_t j = 0; j < 33; ++j) {
            exact += static_cast<double>(rows(0, j)) * static_cast<double>(rows(ids[i], j));
        }
        CHECK(std::abs(static_cast<double>(scores[i]) - exact) < 0x1p-11);
    }
}

}  // namespace

TEST_CASE_TEMPLATE_DEFINE("CodeRows: scores differ from the exact ones by at most half a step per element", Backend,
                          code_errors) {
    for (const std::size_t d : {1U, 3U, 31U, 64U, 100U}) {
        check_errors<L2, std::dynamic_extent, Int8, Backend>(d);
        check_errors<InnerProduct, std::dynamic_extent, Int8, Backend>(d);
        check_errors<L2, std::dynamic_extent, F16, Backend>(d);
        check_errors<InnerProduct, std::dynamic_extent, F16, Backend>(d);
    }
    check_errors<L2, 20, Int8, Backend>(20);
    check_errors<InnerProduct, 64, Int8, Backend>(64);
    check_errors<L2, 20, F16, Backend>(20);
    check_errors<InnerProduct, 100, F16, Backend>(100);
    check_cosines<F16, Backend>();
}
TEST_CASE_TEMPLATE_APPLY(code_errors, funnel::testing::HostBackends);

TEST_CASE("CodeRows: worked by hand") {
    // Mean (1, 0). The first vector is (127, 254) from it: scale 2, numbers 64 (63.5, away from 0) and 127.
    Matrix<float> rows(2, 2);
    rows(0, 0) = 128.0F;
    rows(0, 1) = 254.0F;
    rows(1, 0) = -126.0F;
    rows(1, 1) = -254.0F;
    const CodeRows<InnerProduct, 2, Int8, funnel::kernels::Scalar> codes(rows.view());
    const std::vector<float> query{127.0F, 0.0F};  // step 1, numbers 127 and 0
    // mean . q = 127;  2 * 1 * (64 * 127) = 16256
    CHECK(scores_of(codes, rows, query, {0, 1}) == std::vector<float>{127.0F + 16256.0F, 127.0F - 16256.0F});
}

TEST_CASE("CodeRows: halves, worked by hand") {
    // Mean (1, 0). From it, the first vector is (127, 254): scale 2^-7, halves 16256 and 32512, without an error.
    Matrix<float> rows(2, 2);
    rows(0, 0) = 128.0F;
    rows(0, 1) = 254.0F;
    rows(1, 0) = -126.0F;
    rows(1, 1) = -254.0F;
    const CodeRows<L2, 2, F16, funnel::kernels::Scalar> codes(rows.view());
    const std::vector<float> query{1.0F, 1.0F};
    // 127^2 + 253^2 and 127^2 + 255^2
    CHECK(scores_of(codes, rows, query, {1, 0}) == std::vector<float>{-81154.0F, -80138.0F});
}

namespace {

template <class M, class Codes>
void check_appended(std::size_t bytes_per_row) {  // of 40 elements
    const Matrix<float> rows = samples(9, 40, 3);
    CodeRows<M, std::dynamic_extent, Codes, funnel::kernels::Scalar> codes(rows.view().rows_from(0, 5));
    const std::size_t before = codes.memory_bytes();
    for (std::size_t n = 6; n <= 9; ++n) {
        codes.append(rows.view().rows_from(0, n));
        codes.keep_first(n - 1);
        codes.append(rows.view().rows_from(0, n));
    }
    CHECK(codes.memory_bytes() == before + 4 * bytes_per_row);
    const CodeRows<M, std::dynamic_extent, Codes, funnel::kernels::Scalar> all(rows.view().rows_from(0, 5));
    // The mean is still that of the first five, and a code depends on nothing else.
    CHECK(scores_of(codes, rows, rows.row(7), {0, 4}) == scores_of(all, rows, rows.row(7), {0, 4}));
    const auto last = scores_of(codes, rows, rows.row(8), {8});
    if (std::is_same_v<M, L2>) {
        float squares = 0.0F;
        for (const float x : rows.row(8)) {
            squares += x * x;
        }
        CHECK(std::abs(last[0]) < 0.01F * squares);
    }
}

}  // namespace

TEST_CASE_TEMPLATE("CodeRows: codes added one by one, after a failure too, equal those of a file", M, L2, Cosine) {
    check_appended<M, Int8>(64 + (std::is_same_v<M, L2> ? 12 : 4));
    check_appended<M, F16>(2 * 64 + (std::is_same_v<M, L2> ? 8 : 0));  // unit length needs no scale
}

TEST_CASE_TEMPLATE("CodeRows: equal vectors, tiny ones and the longest give finite scores", Codes, Int8, F16) {
    for (const float size : {0.0F, 1e-44F, 1e-30F, 1e-12F, 0x1p60F, 0x1p61F}) {
        Matrix<float> rows(3, 4);
        for (std::size_t j = 0; j < 4; ++j) {
            rows(0, j) = size;
            rows(1, j) = size;
            rows(2, j) = -size;
        }
        const CodeRows<L2, 4, Codes, funnel::kernels::DefaultBackend> codes(rows.view());
        for (std::size_t query = 0; query < 3; ++query) {
            for (const float score : scores_of(codes, rows, rows.row(query), {0, 1, 2})) {
                CHECK(std::isfinite(score));
                CHECK(score <= 0.0F + 1e-3F * size * size);
            }
        }
    }
}

TEST_CASE("CodeRows: halves keep the differences of vectors that are far from 0, and those beside an outlier") {
    // 1000 +- 1 has no room for 1/64 in 11 digits, and 2^40 leaves none for 1 with a scale that all vectors share.
    Matrix<float> rows(5, 2);
    const std::vector<float> offsets{0.0F, 1.0F, -1.0F, 1.0F / 64.0F};
    for (std::size_t i = 0; i < offsets.size(); ++i) {
        rows(i, 0) = 1000.0F + offsets[i];
        rows(i, 1) = 1000.0F - offsets[i];
    }
    const CodeRows<L2, 2, F16, funnel::kernels::DefaultBackend> near(rows.view().rows_from(0, 4));
    const auto scores = scores_of(near, rows, rows.row(0), {0, 1, 2, 3});
    CHECK(std::abs(scores[0]) < 1e-6F);
    CHECK(scores[1] == doctest::Approx(-2.0F).epsilon(1e-3));
    CHECK(scores[2] == doctest::Approx(-2.0F).epsilon(1e-3));
    CHECK(scores[3] == doctest::Approx(-2.0F / 4096.0F).epsilon(1e-2));

    CodeRows<InnerProduct, 2, F16, funnel::kernels::DefaultBackend> spoiled(Matrix<float>(1, 2).view());  // mean 0
    Matrix<float> all(1, 2);
    for (const float size : {1.0F, 0x1p61F, 0x1p-60F, 3.0F}) {
        all.resize_rows(all.rows() + 1);
        all(all.rows() - 1, 0) = size;
        all(all.rows() - 1, 1) = -size;
        spoiled.append(all);
    }
    CHECK(scores_of(spoiled, all, std::vector<float>{2.0F, 1.0F}, {0, 1, 2, 3, 4}) ==
          std::vector<float>{0.0F, 1.0F, 0x1p61F, 0x1p-60F, 3.0F});
}

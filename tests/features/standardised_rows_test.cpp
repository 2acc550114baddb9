// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/features/standardised_rows.hpp>

#include "support/dies.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/core/sparse.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

using doctest::Approx;
using funnel::CSRMatrix;
using funnel::Matrix;
using funnel::Random;
using funnel::Triplet;
using funnel::features::detail::StandardisedRows;

namespace {

// Row i as the formula says it: what is visited, less the shifts.
std::vector<double> row_of(const StandardisedRows& rows, std::size_t i) {
    std::vector<double> z(rows.cols());
    for (std::size_t j = 0; j < z.size(); ++j) {
        z[j] = -rows.shift(j);
    }
    rows.for_each(i, [&](std::size_t j, double value) { z[j] += value; });
    return z;
}

}  // namespace

TEST_CASE("StandardisedRows: worked by hand, dense and sparse") {
    // Column 0: 3, 1: mean 2, scale 1. Column 1: 0, 4: mean 2, scale 2. Column 2: 5, 5 does not vary.
    const std::vector<Triplet<float>> entries{{0, 0, 3.0F}, {1, 0, 1.0F}, {1, 1, 4.0F}, {0, 2, 5.0F}, {1, 2, 5.0F}};
    const CSRMatrix<float> sparse(entries, 2, 3);
    Matrix<float> dense(2, 3);
    for (const auto& entry : entries) {
        dense(entry.row, entry.column) = entry.value;
    }
    for (const StandardisedRows& rows : {StandardisedRows(dense), StandardisedRows(sparse)}) {
        CHECK(rows.rows() == 2);
        CHECK(rows.cols() == 3);
        CHECK(rows.means() == std::vector<float>{2, 2, 5});
        CHECK(rows.scales() == std::vector<float>{1, 2, 1});
        CHECK(row_of(rows, 0) == std::vector<double>{1, -1, 0});
        CHECK(row_of(rows, 1) == std::vector<double>{-1, 1, 0});
    }
    CHECK(StandardisedRows(dense).shift(1) == 0.0);
    CHECK(StandardisedRows(sparse).shift(1) == 1.0);
    // What does not vary is 0 before the shift as well: a sum of its values would leave rounding behind.
    const StandardisedRows rows(sparse);
    CHECK(rows.shift(2) == 0.0);
    rows.for_each(0, [](std::size_t j, double value) { CHECK((j != 2 || value == 0.0)); });
}

TEST_CASE("StandardisedRows: without rows, means of 0 and scales of 1") {
    const Matrix<float> dense(0, 2);
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{}, 0, 2);
    for (const StandardisedRows& rows : {StandardisedRows(dense), StandardisedRows(sparse)}) {
        CHECK(rows.means() == std::vector<float>{0, 0});
        CHECK(rows.scales() == std::vector<float>{1, 1});
        CHECK(rows.shift(1) == 0.0);
    }
}

TEST_CASE("StandardisedRows: mean 0 and deviation 1 by the definition, for random rows with many zeros") {
    Random random(3);
    constexpr std::size_t n = 50;
    constexpr std::size_t d = 8;
    std::vector<Triplet<float>> entries;
    Matrix<float> dense(n, d);
    for (std::uint32_t i = 0; i < n; ++i) {
        for (std::uint32_t j = 0; j < d; ++j) {
            if (random.below(d) >= j) {
                dense(i, j) = static_cast<float>(random.normal() * (j + 1.0) + j);
                entries.push_back({i, j, dense(i, j)});
            }
        }
    }
    const CSRMatrix<float> sparse(entries, n, d);
    for (const StandardisedRows& rows : {StandardisedRows(dense), StandardisedRows(sparse)}) {
        std::vector<double> sum(d, 0.0);
        std::vector<double> squares(d, 0.0);
        for (std::size_t i = 0; i < n; ++i) {
            const auto z = row_of(rows, i);
            for (std::size_t j = 0; j < d; ++j) {
                sum[j] += z[j];
                squares[j] += z[j] * z[j];
            }
        }
        for (std::size_t j = 0; j < d; ++j) {
            CHECK(sum[j] / n == Approx(0.0).scale(1.0).epsilon(1e-6));  // the mean is rounded to a float
            CHECK(squares[j] / n == Approx(1.0).epsilon(1e-6));
        }
    }
}

TEST_CASE("StandardisedRows: a sparse feature is constant only if all rows have it, and zeros that are stored count") {
    // 0: no row has it. 1: stored zeros. 2: the same value in all rows but one. 3: in all rows. 4: a zero is stored.
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{{0, 1, 0.0F},
                                                              {0, 2, 0.1F},
                                                              {0, 3, 0.1F},
                                                              {1, 2, 0.1F},
                                                              {1, 3, 0.1F},
                                                              {2, 3, 0.1F},
                                                              {0, 4, 0.0F},
                                                              {1, 4, 3.0F},
                                                              {2, 4, 3.0F}},
                                  3, 5);
    const StandardisedRows rows(sparse);
    CHECK(rows.means()[0] == 0.0F);
    CHECK(rows.means()[3] == 0.1F);
    for (const std::size_t constant : {0U, 1U, 3U}) {
        CHECK(rows.scales()[constant] == 1.0F);
        for (std::size_t i = 0; i < 3; ++i) {
            CHECK(row_of(rows, i)[constant] == 0.0);  // exactly
        }
    }
    CHECK(rows.scales()[2] == Approx(0.1 * std::sqrt(2.0) / 3.0));
    CHECK(rows.scales()[4] == Approx(std::sqrt(2.0)));
}

TEST_CASE("StandardisedRows: the ends of what a float holds give finite scales") {
    const float most = std::numeric_limits<float>::max();
    const float least = std::numeric_limits<float>::denorm_min();
    Matrix<float> dense(2, 2);
    dense(0, 0) = most;
    dense(1, 0) = -most;
    dense(0, 1) = least;
    const StandardisedRows rows(dense);
    CHECK(rows.scales()[0] == most);
    CHECK(rows.scales()[1] > 0.0F);
    CHECK(row_of(rows, 0)[0] == 1.0);
}

#if FUNNEL_CHECKS
TEST_CASE("StandardisedRows: with checks on, a row or feature that does not exist is found") {
    const Matrix<float> dense(2, 3);
    const StandardisedRows rows(dense);
    CHECK(funnel::testing::dies([&] { (void)rows.shift(3); }, "j < cols()"));
    CHECK(funnel::testing::dies([&] { (void)row_of(rows, 2); }, "i < rows()"));
}
#endif

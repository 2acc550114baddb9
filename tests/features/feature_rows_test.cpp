// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/features/feature_rows.hpp>

#include "support/dies.hpp"

#include <funnel/core/matrix.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

using funnel::CSRMatrix;
using funnel::InvalidArgument;
using funnel::Matrix;
using funnel::MatrixView;
using funnel::Triplet;
using funnel::features::FeatureRows;

namespace {

using Entries = std::vector<std::pair<std::size_t, float>>;

Entries entries_of(const FeatureRows& rows, std::size_t i) {
    Entries entries;
    rows.for_each(i, [&](std::size_t column, float value) { entries.emplace_back(column, value); });
    return entries;
}

}  // namespace

TEST_CASE("FeatureRows: dense and sparse rows give the same entries") {
    const std::vector<float> values{0.0F, 2.0F, -1.0F,  //
                                    0.0F, 0.0F, 0.0F};
    const MatrixView<const float> view(values, 2, 3);
    const Matrix<float> dense(view);
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{{0, 2, -1.0F}, {0, 1, 2.0F}, {1, 0, -0.0F}}, 2, 3);
    for (const FeatureRows rows : {FeatureRows(view), FeatureRows(dense), FeatureRows(sparse)}) {
        CHECK(rows.rows() == 2);
        CHECK(rows.cols() == 3);
        CHECK(entries_of(rows, 0) == Entries{{1, 2.0F}, {2, -1.0F}});
        CHECK(entries_of(rows, 1).empty());
    }
}

TEST_CASE("FeatureRows: a feature that is not finite is named by row and column") {
    using funnel::features::detail::require_finite_row;
    Matrix<float> rows(2, 3);
    require_finite_row(rows, 1, "fit");
    for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()}) {
        rows(1, 2) = bad;
        require_finite_row(rows, 0, "fit");
        CHECK_THROWS_WITH_AS(require_finite_row(rows, 1, "fit"), "fit: the feature at row 1, column 2 must be finite",
                             InvalidArgument);
    }
}

TEST_CASE("FeatureRows: what is stored: all of a dense row, zeros included; of a sparse row its entries") {
    Matrix<float> dense(2, 3);
    dense(1, 2) = 4.0F;
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{{1, 2, 4.0F}, {1, 0, 0.0F}}, 2, 3);
    const auto stored_of = [](const FeatureRows& rows, std::size_t i) {
        Entries entries;
        rows.for_each_stored(i, [&](std::size_t column, float value) { entries.emplace_back(column, value); });
        CHECK(rows.stored(i).size() == entries.size());
        return entries;
    };
    CHECK(stored_of(dense, 1) == Entries{{0, 0.0F}, {1, 0.0F}, {2, 4.0F}});
    CHECK(stored_of(sparse, 1) == Entries{{0, 0.0F}, {2, 4.0F}});
    CHECK(stored_of(sparse, 0).empty());
    CHECK_FALSE(FeatureRows(dense).is_sparse());
    CHECK(FeatureRows(sparse).is_sparse());
}

TEST_CASE("FeatureRows: a NaN in a sparse row is named by its column") {
    const CSRMatrix<float> sparse(
        std::vector<Triplet<float>>{{1, 0, 1.0F}, {1, 7, std::numeric_limits<float>::quiet_NaN()}}, 2, 9);
    CHECK_THROWS_WITH_AS(funnel::features::detail::require_finite_row(sparse, 1, "fit"),
                         "fit: the feature at row 1, column 7 must be finite", InvalidArgument);
}

#if FUNNEL_CHECKS
TEST_CASE("FeatureRows: with checks on, a row that does not exist is found") {
    const Matrix<float> dense(2, 3);
    const CSRMatrix<float> sparse({}, 2, 3);
    for (const FeatureRows rows : {FeatureRows(dense), FeatureRows(sparse)}) {
        CHECK(funnel::testing::dies([&] { (void)rows.stored(2); }, "i < rows()"));
        CHECK(funnel::testing::dies([&] { (void)entries_of(rows, std::size_t{0} - 1); }, "i < rows()"));
    }
}
#endif

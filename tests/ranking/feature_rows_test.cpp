// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/feature_rows.hpp>

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
using funnel::ranking::FeatureRows;

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
    const CSRMatrix<float> sparse(std::vector<Triplet<float>>{{0, 2, -1.0F}, {0, 1, 2.0F}}, 2, 3);
    for (const FeatureRows rows : {FeatureRows(view), FeatureRows(dense), FeatureRows(sparse)}) {
        CHECK(rows.rows() == 2);
        CHECK(rows.cols() == 3);
        CHECK(entries_of(rows, 0) == Entries{{1, 2.0F}, {2, -1.0F}});
        CHECK(entries_of(rows, 1).empty());
    }
}

TEST_CASE("FeatureRows: a feature that is not finite is named by row and column") {
    using funnel::ranking::detail::require_finite_row;
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

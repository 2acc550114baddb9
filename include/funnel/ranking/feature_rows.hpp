// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/sparse.hpp>

#include <concepts>
#include <cstddef>
#include <limits>
#include <string>

namespace funnel::inline FUNNEL_ABI::ranking {

/// Rows of features, dense or sparse: what a model that looks at one entry after the other needs to know of a matrix.
/// A view: the matrix must outlive it.
class FeatureRows {
public:
    template <std::convertible_to<MatrixView<const float>> M>
    FeatureRows(const M& dense) : dense_(dense) {}  // NOLINT(google-explicit-constructor): as for std::span

    FeatureRows(const CSRMatrix<float>& sparse) : sparse_(&sparse) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] std::size_t rows() const noexcept { return sparse_ != nullptr ? sparse_->rows() : dense_.rows(); }
    [[nodiscard]] std::size_t cols() const noexcept { return sparse_ != nullptr ? sparse_->cols() : dense_.cols(); }

    /// Calls visit(column, value) for each entry of row i < rows() that is not 0, by ascending column.
    template <std::invocable<std::size_t, float> Visit>
    void for_each(std::size_t i, Visit&& visit) const {
        if (sparse_ != nullptr) {
            const SparseRow<float> row = sparse_->row(i);
            for (std::size_t at = 0; at < row.size(); ++at) {
                visit(std::size_t{row.columns[at]}, row.values[at]);
            }
        } else {
            const auto row = dense_.row(i);
            for (std::size_t j = 0; j < row.size(); ++j) {
                if (row[j] != 0.0F) {
                    visit(j, row[j]);
                }
            }
        }
    }

private:
    MatrixView<const float> dense_;
    const CSRMatrix<float>* sparse_ = nullptr;
};

namespace detail {

/// InvalidArgument, which names function, row and column, if a feature of row i is NaN or infinite.
inline void require_finite_row(const FeatureRows& rows, std::size_t i, const char* function) {
    rows.for_each(i, [&](std::size_t column, float value) {
        if (!(value >= std::numeric_limits<float>::lowest() && value <= std::numeric_limits<float>::max())) {
            raise<InvalidArgument>(std::string(function) + ": the feature at row " + std::to_string(i) + ", column " +
                                   std::to_string(column) + " must be finite");
        }
    });
}

}  // namespace detail

}  // namespace funnel::ranking

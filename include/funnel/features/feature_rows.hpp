// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/sparse.hpp>

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace features {

/// A view of a feature matrix, dense or sparse, for models that visit one entry at a time. The matrix must outlive it.
class FeatureRows {
public:
    // NOLINTBEGIN(google-explicit-constructor): as for std::span
    FeatureRows(MatrixView<const float> dense) noexcept : dense_(dense) {}
    FeatureRows(MatrixView<float> dense) noexcept : dense_(dense) {}

    template <std::convertible_to<MatrixView<const float>> M>
    FeatureRows(const M& dense FUNNEL_LIFETIMEBOUND) : dense_(dense) {}

    FeatureRows(const CSRMatrix<float>& sparse FUNNEL_LIFETIMEBOUND) noexcept : sparse_(&sparse) {}
    // NOLINTEND(google-explicit-constructor)

    [[nodiscard]] bool is_sparse() const noexcept { return sparse_ != nullptr; }
    [[nodiscard]] std::size_t rows() const noexcept { return is_sparse() ? sparse_->rows() : dense_.rows(); }
    [[nodiscard]] std::size_t cols() const noexcept { return is_sparse() ? sparse_->cols() : dense_.cols(); }

    /// The stored values of row i < rows() (not checked), by ascending column. A dense matrix stores all values.
    [[nodiscard]] std::span<const float> stored(std::size_t i) const noexcept {
        FUNNEL_ASSERT(i < rows());
        return is_sparse() ? sparse_->row(i).values : dense_.row(i);
    }

    /// Calls visit(column, value) for each stored value of row i < rows() (not checked), by ascending column.
    template <std::invocable<std::size_t, const float&> Visit>
    void for_each_stored(std::size_t i, Visit&& visit) const {
        const std::span<const float> values = stored(i);
        if (is_sparse()) {
            const std::span<const std::uint32_t> columns = sparse_->row(i).columns;
            for (std::size_t at = 0; at < values.size(); ++at) {
                visit(std::size_t{columns[at]}, values[at]);
            }
        } else {
            for (std::size_t j = 0; j < values.size(); ++j) {
                visit(j, values[j]);
            }
        }
    }

    /// Calls visit(column, value) for each nonzero value of row i < rows() (not checked), by ascending column.
    template <std::invocable<std::size_t, const float&> Visit>
    void for_each(std::size_t i, Visit&& visit) const {
        for_each_stored(i, [&](std::size_t column, const float& value) {
            // Tests the bits, without the sign bit: with -ffast-math, a NaN may compare equal to 0.
            if ((std::bit_cast<std::uint32_t>(value) & 0x7FFF'FFFFU) != 0) {
                visit(column, value);
            }
        });
    }

private:
    MatrixView<const float> dense_;
    const CSRMatrix<float>* sparse_ = nullptr;
};

namespace detail {

// Cold and not inlined, so that the check costs its caller one predictable branch.
[[gnu::cold, gnu::noinline]] inline void reject_row(const FeatureRows& rows, std::size_t i, const char* function) {
    rows.for_each_stored(i, [&](std::size_t column, const float& value) {
        if (!math::is_finite(value)) {
            raise<InvalidArgument>(std::string(function) + ": the feature at row " + std::to_string(i) + ", column " +
                                   std::to_string(column) + " must be finite");
        }
    });
}

/// Checks that all features of row i < rows.rows() are finite.
///
/// Errors    InvalidArgument, with function, row and column, if a feature is NaN or infinite
inline void require_finite_row(const FeatureRows& rows, std::size_t i, const char* function) {
    if (!math::all_finite(rows.stored(i))) [[unlikely]] {
        reject_row(rows, i, function);
    }
}

}  // namespace detail

}  // namespace features
}  // namespace FUNNEL_ABI
}  // namespace funnel

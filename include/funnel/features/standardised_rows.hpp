// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/features/feature_rows.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace features::detail {

[[nodiscard]] inline double standardised(float x, float mean, float scale) noexcept {
    return (static_cast<double>(x) - static_cast<double>(mean)) / static_cast<double>(scale);
}

/// A view of feature rows in which each feature has mean 0 and standard deviation 1. The rows are not copied.
///
/// Centering would make sparse rows dense. So for_each visits only the stored entries of a sparse row, scaled but not
/// centered, and the caller subtracts shift(j) from feature j of every row in its sums:
///
///     z_ij = (x_ij - mean_j) / scale_j = visited value - shift(j)
///     shift(j) = 0 for dense rows, else mean_j / scale_j
///
/// A feature that is constant over all rows has scale 1. It is exactly 0 in every row, so that rounding errors do not
/// give it a weight.
///
/// Cost      construction: O(stored entries + d) time, O(d) memory
class StandardisedRows {
public:
    /// rows must be finite and outlive this object.
    explicit StandardisedRows(const FeatureRows& rows)
        : rows_(rows), means_(rows.cols(), 0.0F), scales_(rows.cols(), 1.0F) {
        const std::size_t d = rows.cols();
        const auto n = static_cast<double>(rows.rows());
        std::vector<std::size_t> counts(d, 0);  // stored entries per feature
        std::vector<float> first(d, 0.0F);
        std::vector<char> varies(d, 0);
        std::vector<double> sums(d, 0.0);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            rows.for_each_stored(i, [&](std::size_t j, float x) {
                first[j] = counts[j]++ == 0 ? x : first[j];
                varies[j] = varies[j] != 0 || x != first[j] ? 1 : 0;
                sums[j] += static_cast<double>(x);
            });
        }
        std::vector<double> means(d);
        for (std::size_t j = 0; j < d; ++j) {
            varies[j] = varies[j] != 0 || (counts[j] < rows.rows() && first[j] != 0.0F) ? 1 : 0;
            means[j] = varies[j] != 0 ? sums[j] / n : static_cast<double>(first[j]);
            means_[j] = static_cast<float>(means[j]);
        }
        std::vector<double> squares(d, 0.0);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            rows.for_each_stored(i, [&](std::size_t j, float x) {
                squares[j] += (static_cast<double>(x) - means[j]) * (static_cast<double>(x) - means[j]);
            });
        }
        for (std::size_t j = 0; j < d; ++j) {
            squares[j] += static_cast<double>(rows.rows() - counts[j]) * means[j] * means[j];
            const auto scale = static_cast<float>(math::sqrt(squares[j] / n));
            scales_[j] = scale > 0.0F ? scale : 1.0F;
        }
        if (rows.is_sparse()) {
            units_.resize(d);
            for (std::size_t j = 0; j < d; ++j) {
                units_[j] = varies[j] != 0 ? 1.0 / static_cast<double>(scales_[j]) : 0.0;
            }
        }
    }

    [[nodiscard]] std::size_t rows() const noexcept { return rows_.rows(); }
    [[nodiscard]] std::size_t cols() const noexcept { return means_.size(); }
    [[nodiscard]] bool is_sparse() const noexcept { return rows_.is_sparse(); }
    [[nodiscard]] const std::vector<float>& means() const noexcept FUNNEL_LIFETIMEBOUND { return means_; }
    [[nodiscard]] const std::vector<float>& scales() const noexcept FUNNEL_LIFETIMEBOUND { return scales_; }

    /// Feature j < cols() (not checked).
    [[nodiscard]] double shift(std::size_t j) const noexcept {
        FUNNEL_ASSERT(j < cols());
        return is_sparse() ? static_cast<double>(means_[j]) * units_[j] : 0.0;
    }

    /// Calls visit(j, z_ij + shift(j)) for each stored entry of row i < rows() (not checked).
    template <std::invocable<std::size_t, double> Visit>
    void for_each(std::size_t i, Visit&& visit) const {
        if (is_sparse()) {
            rows_.for_each_stored(i, [&](std::size_t j, float x) { visit(j, static_cast<double>(x) * units_[j]); });
        } else {
            rows_.for_each_stored(i, [&](std::size_t j, float x) { visit(j, standardised(x, means_[j], scales_[j])); });
        }
    }

private:
    FeatureRows rows_;
    std::vector<float> means_;
    std::vector<float> scales_;
    std::vector<double> units_;  // sparse rows only: 1 / scale, or 0 for a constant feature
};

}  // namespace features::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

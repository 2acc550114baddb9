// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Sparse item x item weights: row j holds what item j adds to the scores of other items.
class SparseWeights {
public:
    static constexpr std::size_t lookup_cost = 20;  // measured, for rows of 200

    SparseWeights() = default;

    /// Errors    InvalidArgument unless the matrix is square
    explicit SparseWeights(CSRMatrix<float> weights) : weights_(std::move(weights)) {
        require(weights_.rows() == weights_.cols(), "SparseWeights: weights must be square");
    }

    [[nodiscard]] std::size_t items() const noexcept { return weights_.cols(); }
    [[nodiscard]] const CSRMatrix<float>& matrix() const& noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    void matrix() const&& = delete;

    /// Here and below, items must be below items() (not checked).
    [[nodiscard]] float weight(std::uint32_t from, std::uint32_t to) const noexcept {
        FUNNEL_ASSERT(from < items() && to < items());
        const SparseRow<float> row = weights_.row(from);
        const auto at = std::lower_bound(row.columns.begin(), row.columns.end(), to);
        if (at == row.columns.end() || *at != to) {
            return 0.0F;
        }
        return row.values[static_cast<std::size_t>(at - row.columns.begin())];
    }

    [[nodiscard]] std::size_t mean_row() const noexcept { return items() > 0 ? weights_.values().size() / items() : 0; }
    void add_row(std::uint32_t from, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(from < items() && scores.size() == items());
        const SparseRow<float> row = weights_.row(from);
        for (std::size_t i = 0; i < row.size(); ++i) {
            scores[row.columns[i]] += row.values[i];
        }
    }

    void clear_row(std::uint32_t from, float mark, std::span<float> scores) const noexcept {
        FUNNEL_ASSERT(from < items() && scores.size() == items());
        const SparseRow<float> row = weights_.row(from);
        for (std::size_t i = 0; i < row.size(); ++i) {
            float& score = scores[row.columns[i]];
            score = row.values[i] != 0.0F && score == mark ? 0.0F : score;
        }
    }

    /// Adds the sections to a file. This object must outlive the call of file.save().
    template <class Writer>
    void write(Writer& file) const {
        file.array("weight_offsets", weights_.offsets());
        file.array("weight_columns", weights_.columns());
        file.array("weights", weights_.values());
    }

    /// Reads the sections that write() added.
    ///
    /// Errors    CorruptData if the sections are missing or invalid
    template <class Reader>
    static SparseWeights read(const Reader& file, std::size_t items) {
        auto offsets = file.template array<std::uint64_t>("weight_offsets", items + 1);
        auto columns = file.template array<std::uint32_t>("weight_columns");
        auto values = file.template array<float>("weights", columns.size());
        file.check(
            offsets.front() == 0 && offsets.back() == columns.size() && std::is_sorted(offsets.begin(), offsets.end()),
            "weight_offsets", "must start at 0, end at the number of weights, and not decrease");
        for (std::size_t row = 0; row < items; ++row) {
            for (std::size_t at = offsets[row]; at < offsets[row + 1]; ++at) {
                file.check(columns[at] < items && (at == offsets[row] || columns[at - 1] < columns[at]),
                           "weight_columns", "must ascend in each row and be below the number of items");
            }
        }
        file.check(math::all_finite(values), "weights", "must be finite");
        return SparseWeights(CSRMatrix<float>::from_parts(std::vector<std::size_t>(offsets.begin(), offsets.end()),
                                                          std::move(columns), std::move(values), items));
    }

private:
    CSRMatrix<float> weights_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/sparse.hpp>
#include <funnel/io/sparse_sections.hpp>

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
        io::write_sparse(file, sections, weights_);
    }

    /// Reads the sections that write() added.
    ///
    /// Errors    CorruptData if the sections are missing or invalid
    template <class Reader>
    static SparseWeights read(const Reader& file, std::size_t items) {
        return SparseWeights(io::read_sparse(file, sections, items, items));
    }

private:
    static constexpr io::SparseSections sections{"weight_offsets", "weight_columns", "weights"};

    CSRMatrix<float> weights_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

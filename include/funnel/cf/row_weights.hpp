// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/similarity.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The vectors that Similarity::Cosine compares.
enum class Weighting : std::uint8_t {
    Sets,    ///< 1 for each entry
    Values,  ///< the values of the log
    TfIdf,   ///< sqrt(value) idf
    BM25,    ///< idf value (k1 + 1) / (value + k1 (1 - b + b length / mean length)), length: sum of the row's values
};

/// Options of the models that compare rows of a sparse matrix: items by their users, or users by their items.
struct KNNOptions {
    std::size_t neighbours = 200;                ///< number of neighbours kept, > 0: the most similar ones
    Similarity similarity = Similarity::Cosine;  ///< any
    float shrinkage = 0.0F;                      ///< >= 0, added to the denominator of the similarity
    float significance = 0.0F;                   ///< >= 0: similarities are multiplied by n / (n + significance)
    Weighting weighting = Weighting::Sets;       ///< what Cosine compares
    float k1 = 100.0F;                           ///< >= 0, BM25
    float b = 0.8F;                              ///< in [0, 1], BM25
    /// Of a column with df entries in n rows: ln((1 + n) / (1 + df)) + 1. If false: ln(n / (1 + df)), as in the library
    /// implicit, which is 0 or negative for columns that nearly every row has.
    bool smooth_idf = true;
};

/// Errors    InvalidArgument if an option is out of range; model is the name in the message
inline void require_valid(const KNNOptions& options, const std::string& model) {
    require_at_least(options.neighbours, 1, (model + ": neighbours").c_str());
    require_not_negative(options.shrinkage, (model + ": shrinkage").c_str());
    require_not_negative(options.significance, (model + ": significance").c_str());
    require_not_negative(options.k1, (model + ": k1").c_str());
    require_between(options.b, 0.0, 1.0, (model + ": b").c_str());
    require(options.similarity <= Similarity::MSD,
            (model + ": similarity must be Cosine, Jaccard, Pearson, AdjustedCosine or MSD").c_str());
    require(options.weighting <= Weighting::BM25, (model + ": weighting must be Sets, Values, TfIdf or BM25").c_str());
    require(options.weighting == Weighting::Sets || options.similarity == Similarity::Cosine,
            (model + ": weighting must be Sets unless similarity is Cosine").c_str());
}

/// Turns the values of sparse rows into the numbers that are compared. Learned from all rows, so that a new row can be
/// weighted as the old ones were.
///
/// AdjustedCosine subtracts the mean of the column; the other kinds of co-rated values take values as they are.
class RowWeights {
public:
    RowWeights(const CSRMatrix<float>& rows, const KNNOptions& options) : options_(options), columns_(rows.cols()) {
        const auto n = static_cast<double>(rows.rows());
        std::vector<double> entries(rows.cols());
        std::vector<double> sums(rows.cols());
        double total = 0.0;
        for (std::size_t i = 0; i < rows.nonzeros(); ++i) {
            const std::uint32_t column = rows.columns()[i];
            const auto value = static_cast<double>(rows.values()[i]);
            entries[column] += 1.0;
            sums[column] += value;
            total += value;
        }
        mean_length_ = rows.rows() == 0 || total == 0.0 ? 1.0 : total / n;
        for (std::size_t column = 0; column < columns_.size(); ++column) {
            if (options.similarity == Similarity::AdjustedCosine) {
                columns_[column] = entries[column] > 0.0 ? sums[column] / entries[column] : 0.0;
            } else if (options.smooth_idf) {
                columns_[column] = math::log((1.0 + n) / (1.0 + entries[column])) + 1.0;
            } else if (rows.rows() > 0) {
                columns_[column] = math::log(n / (1.0 + entries[column]));
            }
        }
    }

    /// Whether the numbers are the values themselves, or only the positions count.
    [[nodiscard]] bool are_plain() const noexcept {
        return options_.similarity != Similarity::AdjustedCosine &&
               (options_.weighting == Weighting::Sets || options_.weighting == Weighting::Values);
    }

    /// The numbers of a row, in the order of its entries. Columns must be known (not checked).
    void apply(const SparseRow<float>& row, std::span<float> out) const noexcept {
        FUNNEL_ASSERT(out.size() == row.size());
        double length = 0.0;
        for (const float value : row.values) {
            length += static_cast<double>(value);
        }
        const auto b = static_cast<double>(options_.b);
        const auto k1 = static_cast<double>(options_.k1);
        for (std::size_t i = 0; i < row.size(); ++i) {
            const auto value = static_cast<double>(row.values[i]);
            const double of_column = columns_[row.columns[i]];
            if (options_.similarity == Similarity::AdjustedCosine) {
                const double centred = value - of_column;
                // What rounding leaves of 0 must not become a similarity of 1.
                out[i] = math::abs(centred) <= 1e-9 * math::abs(value) ? 0.0F : static_cast<float>(centred);
            } else if (options_.weighting == Weighting::TfIdf) {
                out[i] = static_cast<float>(math::sqrt(value) * of_column);
            } else if (options_.weighting == Weighting::BM25) {
                const double norm = k1 * (1.0 - b + b * length / mean_length_);
                out[i] = static_cast<float>(of_column * value * (k1 + 1.0) / (value + norm));
            } else {
                out[i] = row.values[i];
            }
        }
    }

    /// All rows of a matrix.
    [[nodiscard]] CSRMatrix<float> apply(CSRMatrix<float> rows) const {
        if (are_plain()) {
            return rows;
        }
        std::vector<float> values(rows.nonzeros());
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            const std::size_t first = rows.offsets()[row];
            apply(rows.row(row), std::span(values).subspan(first, rows.row(row).size()));
        }
        return rows.with_values(std::move(values));
    }

    /// Adds the sections to a file. This object must outlive the call of file.save().
    template <class Writer>
    void write(Writer& file) const {
        file.array("column_weights", columns_);
        file.value("mean_length", mean_length_);
    }

    /// Reads the sections that write() added.
    ///
    /// Errors    CorruptData if the sections are missing or invalid
    template <class Reader>
    static RowWeights read(const Reader& file, const KNNOptions& options, std::size_t columns) {
        RowWeights weights(CSRMatrix<float>{}, options);
        weights.columns_ = file.template array<double>("column_weights", columns);
        weights.mean_length_ = file.template value<double>("mean_length");
        file.check(math::all_finite(weights.columns_), "column_weights", "must be finite");
        file.check(math::is_finite(weights.mean_length_) && weights.mean_length_ > 0.0, "mean_length",
                   "must be finite and > 0");
        return weights;
    }

private:
    KNNOptions options_;
    std::vector<double> columns_;  // AdjustedCosine: the mean, else the idf
    double mean_length_ = 1.0;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

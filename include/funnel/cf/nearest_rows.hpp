// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/row_weights.hpp>
#include <funnel/cf/similarity.hpp>
#include <funnel/cf/sparse_product.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// The most similar rows of a sparse matrix: the engine of ItemKNN and UserKNN. Only similarities above 0 count, and
/// ties go to the smaller id. The results do not depend on the number of threads.
///
/// Values must be finite; TfIdf and BM25 need values > 0 (neither is checked).
///
/// Cost      sum over columns of entries^2 in time for all rows; per thread, 4 to 48 bytes per row
class NearestRows {
public:
    /// Errors    InvalidArgument if an option is out of range (model is its name in the message), or if weights
    ///           are not finite
    NearestRows(const CSRMatrix<float>& rows, const KNNOptions& options, const std::string& model)
        : options_(valid(options, model)),
          weights_(rows, options),
          rows_(weights_.apply(rows)),
          columns_(rows_.transposed()),
          sizes_(sizes_of(rows_, options)) {
        require(math::all_finite(rows_.values()), (model + ": values are too large: weights must be finite").c_str());
    }

    /// Of the numbers of weighted rows: what rows() and weights() return. Options must be valid (not checked).
    NearestRows(const KNNOptions& options, RowWeights weights, CSRMatrix<float> rows)
        : options_(options),
          weights_(std::move(weights)),
          rows_(std::move(rows)),
          columns_(rows_.transposed()),
          sizes_(sizes_of(rows_, options)) {}

    [[nodiscard]] const KNNOptions& options() const noexcept FUNNEL_LIFETIMEBOUND { return options_; }
    [[nodiscard]] const RowWeights& weights() const noexcept FUNNEL_LIFETIMEBOUND { return weights_; }
    /// The weighted rows. If only sets are compared, their values mean nothing.
    [[nodiscard]] const CSRMatrix<float>& rows() const noexcept FUNNEL_LIFETIMEBOUND { return rows_; }

    /// Whether only the positions of entries are compared, not their values.
    [[nodiscard]] static bool compares_sets(const KNNOptions& options) noexcept {
        return options.similarity == Similarity::Jaccard ||
               (options.similarity == Similarity::Cosine && options.weighting == Weighting::Sets);
    }

    /// Empties a row, which is then similar to none.
    ///
    /// Cost      O(rows + columns + entries)
    void erase_row(std::size_t row) noexcept {
        rows_.erase_if([&](std::size_t from, std::uint32_t) noexcept { return from == row; });
        columns_.erase_if([&](std::size_t, std::uint32_t from) noexcept { return from == row; });
    }

    /// The neighbours of each row: an n x n matrix of similarities for n rows, row i for row i.
    template <Executor E>
    [[nodiscard]] CSRMatrix<float> all(std::string_view stage, E& executor) const {
        CSRMatrix<float> result;
        with_sums([&]<class Sums>(Sums) {
            const auto score = [rule = Rule(options_), sizes = std::span(sizes_)](const Sums& sums, std::size_t query,
                                                                                  std::size_t row) noexcept {
                return rule.similarity(sums, sizes[query], sizes[row]);
            };
            result = best_of_rows<Sums>(rows_, columns_, options_.neighbours, score, stage, executor);
        });
        return result;
    }

    /// The neighbours of a row that need not be in the matrix, ids ascending. It has the values of the log; columns
    /// must be known (not checked).
    ///
    /// Errors    InvalidArgument if weights are not finite
    [[nodiscard]] std::vector<Scored<>> of(const SparseRow<float>& row) const {
        std::vector<float> numbers(row.size());
        weights_.apply(row, numbers);
        require(math::all_finite(numbers), "fold_in: values are too large: weights must be finite");
        const double size = size_of(numbers, options_);
        constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();
        std::vector<Scored<>> found;
        with_sums([&]<class Sums>(Sums) {
            const auto score = [&, rule = Rule(options_)](const Sums& sums, std::size_t other) noexcept {
                return rule.similarity(sums, size, sizes_[other]);
            };
            SparseProductRow<Sums> product;
            const auto list = product.best(columns_, {row.columns, numbers}, nobody, options_.neighbours, score);
            found.assign(list.begin(), list.end());
        });
        return found;
    }

private:
    struct SharedRatings {
        CoRatedSums sums;

        void add(float x, float y) noexcept { sums.add(static_cast<double>(x), static_cast<double>(y)); }
        [[nodiscard]] bool is_empty() const noexcept { return sums.count == 0.0; }
    };

    // A copy of the options that loops need: a compiler then knows that no result overwrites them.
    class Rule {
    public:
        explicit Rule(const KNNOptions& options) noexcept
            : kind_(options.similarity),
              shrinkage_(static_cast<double>(options.shrinkage)),
              significance_(static_cast<double>(options.significance)) {}

        [[nodiscard]] double similarity(const SharedCount& sums, double a, double b) const noexcept {
            const auto count = static_cast<double>(sums.count);
            const double value = kind_ == Similarity::Jaccard ? jaccard_similarity(count, a, b, shrinkage_)
                                                              : cosine_similarity(count, a, b, shrinkage_);
            return significance_ == 0.0 ? value : value * significance_factor(count, significance_);
        }
        [[nodiscard]] double similarity(const SharedProduct& sums, double a, double b) const noexcept {
            const double value = cosine_similarity(sums.product, a, b, shrinkage_);
            return significance_ == 0.0 ? value : value * significance_factor(sums.count, significance_);
        }
        [[nodiscard]] double similarity(const SharedRatings& shared, double, double) const noexcept {
            const double value = co_rated_similarity(kind_, shared.sums, shrinkage_);
            return significance_ == 0.0 ? value : value * significance_factor(shared.sums.count, significance_);
        }

    private:
        Similarity kind_;
        double shrinkage_;
        double significance_;
    };

    static KNNOptions valid(const KNNOptions& options, const std::string& model) {
        require_valid(options, model);
        return options;
    }

    // Calls work(Sums{}) with the sums that the similarity is computed from.
    template <class Work>
    void with_sums(const Work& work) const {
        if (compares_sets(options_)) {
            work(SharedCount{});
        } else if (options_.similarity == Similarity::Cosine) {
            work(SharedProduct{});
        } else {
            work(SharedRatings{});
        }
    }

    // Jaccard: the number of entries. Cosine: the norm. The others do not use it.
    [[nodiscard]] static double size_of(std::span<const float> numbers, const KNNOptions& options) noexcept {
        const auto count = static_cast<double>(numbers.size());
        if (compares_sets(options)) {
            return options.similarity == Similarity::Jaccard ? count : math::sqrt(count);
        }
        double squares = 0.0;
        for (const float x : numbers) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        return math::sqrt(squares);
    }
    [[nodiscard]] static std::vector<double> sizes_of(const CSRMatrix<float>& rows, const KNNOptions& options) {
        std::vector<double> sizes(rows.rows());
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            sizes[row] = size_of(rows.row(row).values, options);
        }
        return sizes;
    }

    KNNOptions options_;
    RowWeights weights_;
    CSRMatrix<float> rows_;     // weighted
    CSRMatrix<float> columns_;  // its transpose
    std::vector<double> sizes_;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

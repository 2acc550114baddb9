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
#include <limits>
#include <span>
#include <string>
#include <string_view>
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
    /// Errors    InvalidArgument if an option is out of range (model is its name in the message), or if the norms are
    ///           not finite
    NearestRows(const CSRMatrix<float>& rows, const KNNOptions& options, const std::string& model)
        : options_(valid(options, model)),
          weights_(rows, options),
          rows_(weights_.apply(rows)),
          columns_(rows_.transposed()),
          sizes_(rows_.rows()) {
        for (std::size_t row = 0; row < sizes_.size(); ++row) {
            sizes_[row] = size_of(rows_.row(row).values);
        }
        require(math::all_finite(sizes_) && math::all_finite(rows_.values()),
                (model + ": values are too large: norms must be finite").c_str());
    }

    /// The neighbours of each row: an n x n matrix of similarities for n rows, row i for row i.
    template <Executor E>
    [[nodiscard]] CSRMatrix<float> all(std::string_view stage, E& executor) const {
        CSRMatrix<float> result;
        with_sums([&]<class Sums>(Sums) {
            const auto score = [&](const Sums& sums, std::size_t query, std::size_t row) {
                return similarity(sums, sizes_[query], sizes_[row]);
            };
            result = best_of_rows<Sums>(rows_, columns_, options_.neighbours, score, stage, executor);
        });
        return result;
    }

    /// The neighbours of a row that need not be in the matrix, ids ascending. It has the values of the log; columns
    /// must be known (not checked).
    [[nodiscard]] std::vector<Scored<>> of(const SparseRow<float>& row) const {
        std::vector<float> numbers(row.size());
        weights_.apply(row, numbers);
        const double size = size_of(numbers);
        constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();
        std::vector<Scored<>> found;
        with_sums([&]<class Sums>(Sums) {
            const auto score = [&](const Sums& sums, std::size_t other) {
                return similarity(sums, size, sizes_[other]);
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

    static KNNOptions valid(const KNNOptions& options, const std::string& model) {
        require_valid(options, model);
        return options;
    }

    [[nodiscard]] bool compares_sets() const noexcept {
        return options_.similarity == Similarity::Jaccard ||
               (options_.similarity == Similarity::Cosine && options_.weighting == Weighting::Sets);
    }

    // Calls work(Sums{}) with the sums that the similarity is computed from.
    template <class Work>
    void with_sums(const Work& work) const {
        if (compares_sets()) {
            work(SharedCount{});
        } else if (options_.similarity == Similarity::Cosine) {
            work(SharedProduct{});
        } else {
            work(SharedRatings{});
        }
    }

    // Jaccard: the number of entries. Cosine: the norm. The others do not use it.
    [[nodiscard]] double size_of(std::span<const float> numbers) const noexcept {
        const auto count = static_cast<double>(numbers.size());
        if (compares_sets()) {
            return options_.similarity == Similarity::Jaccard ? count : math::sqrt(count);
        }
        double squares = 0.0;
        for (const float x : numbers) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        return math::sqrt(squares);
    }

    [[nodiscard]] double similarity(const SharedCount& sums, double a, double b) const noexcept {
        const auto count = static_cast<double>(sums.count);
        const auto shrinkage = static_cast<double>(options_.shrinkage);
        const double value = options_.similarity == Similarity::Jaccard ? jaccard_similarity(count, a, b, shrinkage)
                                                                        : cosine_similarity(count, a, b, shrinkage);
        return value * significance_factor(count, static_cast<double>(options_.significance));
    }
    [[nodiscard]] double similarity(const SharedProduct& sums, double a, double b) const noexcept {
        return cosine_similarity(sums.product, a, b, static_cast<double>(options_.shrinkage)) *
               significance_factor(sums.count, static_cast<double>(options_.significance));
    }
    [[nodiscard]] double similarity(const SharedRatings& shared, double, double) const noexcept {
        return co_rated_similarity(options_.similarity, shared.sums, static_cast<double>(options_.shrinkage)) *
               significance_factor(shared.sums.count, static_cast<double>(options_.significance));
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

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/keep_best.hpp>
#include <funnel/cf/row_weights.hpp>
#include <funnel/cf/similarity.hpp>
#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
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

/// The most similar rows of a sparse matrix: the engine of ItemKNN and UserKNN.
///
/// One row of the product of the matrix and its transpose is summed at a time, in a dense array that stays in cache, and
/// then turned into similarities. A row that shares entries with few others visits only those. Only similarities above
/// 0 count, and ties go to the smaller id. The results do not depend on the number of threads.
///
/// Values must be finite; TfIdf and BM25 need values > 0 (neither is checked).
///
/// Cost      sum over columns of entries^2 in time for all rows; per thread, 4 to 48 bytes per row
class NearestRows {
public:
    /// Errors    InvalidArgument if an option is out of range (model is its name in the message), or if the weights are
    ///           not finite
    NearestRows(const CSRMatrix<float>& rows, const KNNOptions& options, std::string_view model)
        : options_(checked(options, std::string(model))),
          weights_(rows, options),
          rows_(weights_.apply(rows)),
          columns_(rows_.transposed()),
          sizes_(rows_.rows()) {
        for (std::size_t row = 0; row < sizes_.size(); ++row) {
            sizes_[row] = size_of(rows_.row(row).values);
        }
        require(math::all_finite(sizes_) && math::all_finite(rows_.values()),
                (std::string(model) + ": values are too large: norms must be finite").c_str());
    }

    [[nodiscard]] std::size_t rows() const noexcept { return rows_.rows(); }

    /// The neighbours of each row: a rows x rows matrix of similarities, row i for row i.
    ///
    /// Errors    those of the executor
    template <Executor E>
    [[nodiscard]] CSRMatrix<float> all(std::string_view stage, E& executor) const {
        std::vector<std::vector<Scored<>>> found(rows());
        report_progress(executor, stage, 0, rows());
        with_sums([&]<class Sums>(Sums) {
            std::vector<Scratch<Sums>> scratch(executor.concurrency());
            executor.for_range(rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
                FUNNEL_ASSERT(worker < scratch.size());
                for (std::size_t row = begin; row < end; ++row) {
                    const auto list = search(rows_.row(row), sizes_[row], row, scratch[worker]);
                    found[row].assign(list.begin(), list.end());
                }
            });
        });
        report_progress(executor, stage, rows(), rows());

        std::vector<std::size_t> offsets{0};
        for (const std::vector<Scored<>>& list : found) {
            offsets.push_back(offsets.back() + list.size());
        }
        std::vector<std::uint32_t> columns(offsets.back());
        std::vector<float> values(offsets.back());
        for (std::size_t row = 0; row < found.size(); ++row) {
            for (std::size_t i = 0; i < found[row].size(); ++i) {
                columns[offsets[row] + i] = found[row][i].id;
                values[offsets[row] + i] = found[row][i].score;
            }
        }
        return CSRMatrix<float>::from_parts(std::move(offsets), std::move(columns), std::move(values), rows());
    }

    /// The neighbours of a row that need not be in the matrix, ids ascending. It has the values of the log; columns must
    /// be known (not checked).
    [[nodiscard]] std::vector<Scored<>> of(const SparseRow<float>& row) const {
        std::vector<float> numbers(row.size());
        weights_.apply(row, numbers);
        std::vector<Scored<>> found;
        with_sums([&]<class Sums>(Sums) {
            Scratch<Sums> scratch;
            const auto list = search({row.columns, numbers}, size_of(numbers), nobody, scratch);
            found.assign(list.begin(), list.end());
        });
        return found;
    }

private:
    static constexpr std::size_t nobody = std::numeric_limits<std::size_t>::max();

    // What is summed over the shared entries of two rows. is_empty: nothing is shared.
    struct Count {
        std::uint32_t shared = 0;

        void add(float, float) noexcept { ++shared; }
        [[nodiscard]] bool is_empty() const noexcept { return shared == 0; }
        [[nodiscard]] double similarity(const KNNOptions& options, double a, double b) const noexcept {
            const auto count = static_cast<double>(shared);
            const auto shrinkage = static_cast<double>(options.shrinkage);
            const double value = options.similarity == Similarity::Jaccard ? jaccard_similarity(count, a, b, shrinkage)
                                                                           : cosine_similarity(count, a, b, shrinkage);
            return value * significance_factor(count, static_cast<double>(options.significance));
        }
    };
    struct Product {
        double product = 0.0;
        double shared = 0.0;

        void add(float x, float y) noexcept {
            product += static_cast<double>(x) * static_cast<double>(y);
            shared += 1.0;
        }
        [[nodiscard]] bool is_empty() const noexcept { return shared == 0.0; }
        [[nodiscard]] double similarity(const KNNOptions& options, double a, double b) const noexcept {
            return cosine_similarity(product, a, b, static_cast<double>(options.shrinkage)) *
                   significance_factor(shared, static_cast<double>(options.significance));
        }
    };
    struct CoRated {
        CoRatedSums sums;

        void add(float x, float y) noexcept { sums.add(static_cast<double>(x), static_cast<double>(y)); }
        [[nodiscard]] bool is_empty() const noexcept { return sums.count == 0.0; }
        [[nodiscard]] double similarity(const KNNOptions& options, double, double) const noexcept {
            return co_rated_similarity(options.similarity, sums, static_cast<double>(options.shrinkage)) *
                   significance_factor(sums.count, static_cast<double>(options.significance));
        }
    };

    template <class Sums>
    struct Scratch {
        std::vector<Sums> sums;  // one per row; all empty between two searches
        std::vector<std::uint32_t> touched;
        std::vector<float> similarities;
        std::vector<Scored<>> found;
        KeepBest keep_best;
    };

    static const KNNOptions& checked(const KNNOptions& options, const std::string& model) {
        require_valid(options, model);
        return options;
    }

    // Calls work(Sums{}) with the sums that the similarity is computed from.
    template <class Work>
    void with_sums(const Work& work) const {
        if (options_.similarity == Similarity::Jaccard ||
            (options_.similarity == Similarity::Cosine && options_.weighting == Weighting::Sets)) {
            work(Count{});
        } else if (options_.similarity == Similarity::Cosine) {
            work(Product{});
        } else {
            work(CoRated{});
        }
    }

    // Jaccard: the number of entries. Cosine: the norm. Nothing else uses it.
    [[nodiscard]] double size_of(std::span<const float> numbers) const noexcept {
        const auto count = static_cast<double>(numbers.size());
        if (options_.similarity == Similarity::Jaccard) {
            return count;
        }
        if (options_.similarity == Similarity::Cosine && options_.weighting == Weighting::Sets) {
            return math::sqrt(count);
        }
        double squares = 0.0;
        for (const float x : numbers) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        return math::sqrt(squares);
    }

    template <class Sums>
    std::span<const Scored<>> search(const SparseRow<float>& query, double size, std::size_t self,
                                     Scratch<Sums>& scratch) const {
        scratch.sums.resize(rows());
        std::size_t work = 0;
        for (const std::uint32_t column : query.columns) {
            work += columns_.row(column).size();
        }
        if (work >= rows() / 8) {
            scan_all(query, size, self, scratch);
        } else {
            visit_few(query, size, self, scratch);
        }
        return {scratch.found.data(), scratch.keep_best(scratch.found, options_.neighbours)};
    }

    template <class Sums>
    void scan_all(const SparseRow<float>& query, double size, std::size_t self, Scratch<Sums>& scratch) const {
        const std::size_t n = rows();
        std::vector<Sums>& sums = scratch.sums;
        for (std::size_t i = 0; i < query.size(); ++i) {
            const SparseRow<float> column = columns_.row(query.columns[i]);
            for (std::size_t j = 0; j < column.size(); ++j) {
                sums[column.columns[j]].add(query.values[i], column.values[j]);
            }
        }
        if (self < n) {
            sums[self] = Sums{};
        }
        scratch.similarities.resize(n);
        for (std::size_t row = 0; row < n; ++row) {
            scratch.similarities[row] = static_cast<float>(sums[row].similarity(options_, size, sizes_[row]));
        }
        std::fill(sums.begin(), sums.end(), Sums{});
        scratch.found.resize(n);
        std::size_t count = 0;
        for (std::size_t row = 0; row < n; ++row) {
            const float similarity = scratch.similarities[row];
            scratch.found[count] = {static_cast<std::uint32_t>(row), similarity};
            count += similarity > 0.0F ? 1 : 0;
        }
        scratch.found.resize(count);
    }

    template <class Sums>
    void visit_few(const SparseRow<float>& query, double size, std::size_t self, Scratch<Sums>& scratch) const {
        scratch.touched.clear();
        for (std::size_t i = 0; i < query.size(); ++i) {
            const SparseRow<float> column = columns_.row(query.columns[i]);
            for (std::size_t j = 0; j < column.size(); ++j) {
                Sums& sums = scratch.sums[column.columns[j]];
                if (sums.is_empty()) {
                    scratch.touched.push_back(column.columns[j]);
                }
                sums.add(query.values[i], column.values[j]);
            }
        }
        std::sort(scratch.touched.begin(), scratch.touched.end());
        scratch.found.clear();
        for (const std::uint32_t row : scratch.touched) {
            const auto similarity = static_cast<float>(scratch.sums[row].similarity(options_, size, sizes_[row]));
            scratch.sums[row] = Sums{};
            if (similarity > 0.0F && row != self) {
                scratch.found.push_back({row, similarity});
            }
        }
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

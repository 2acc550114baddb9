// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/cf/keep_best.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/scored.hpp>
#include <funnel/core/sparse.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// What is summed over the positions that two sparse rows share. A new one has shared nothing.
template <class S>
concept SharedSums = std::default_initializable<S> && requires(S& sums, const S& done, float x, float y) {
    sums.add(x, y);
    { done.is_empty() } -> std::convertible_to<bool>;
};

/// The number of shared positions.
struct SharedCount {
    std::uint32_t count = 0;

    void add(float, float) noexcept { ++count; }
    [[nodiscard]] bool is_empty() const noexcept { return count == 0; }
};

/// The inner product, and the number of shared positions.
struct SharedProduct {
    double product = 0.0;
    double count = 0.0;

    void add(float x, float y) noexcept {
        product += static_cast<double>(x) * static_cast<double>(y);
        count += 1.0;
    }
    [[nodiscard]] bool is_empty() const noexcept { return count == 0.0; }
};

/// One row of a sparse product at a time, summed in a dense array, of which the k entries with the largest scores are
/// kept. One object per thread.
///
/// A row that shares positions with many others fills the array and reads all of it, without branches. A row that
/// shares with few visits only those.
template <SharedSums Sums>
class SparseProductRow {
public:
    /// The k rows of a matrix with the highest scores above 0 against a query, ids ascending; ties at the k-th place go
    /// to the smaller id.
    ///
    ///     score(sums, row) -> double      of what the query shares with a row; 0 or less if nothing, not NaN
    ///
    /// Shapes    columns: the transposed matrix;  query: columns below columns.rows() (not checked)
    /// Returns   a view into this object, valid until the next call
    /// Cost      the entries of the columns of the query, and O(rows) or a sort of the rows that are visited
    template <class Score>
    std::span<const Scored<>> best(const CSRMatrix<float>& columns, const SparseRow<float>& query, std::size_t self,
                                   std::size_t k, const Score& score) FUNNEL_LIFETIMEBOUND {
        sums_.resize(columns.cols());
        std::size_t work = 0;
        for (const std::uint32_t column : query.columns) {
            work += columns.row(column).size();
        }
        if (work >= columns.cols() / 8) {
            scan_all(columns, query, self, score);
        } else {
            visit_few(columns, query, self, score);
        }
        return {found_.data(), keep_best_(found_, k)};
    }

private:
    template <class Score>
    void scan_all(const CSRMatrix<float>& columns, const SparseRow<float>& query, std::size_t self,
                  const Score& score) {
        for (std::size_t i = 0; i < query.size(); ++i) {
            const SparseRow<float> column = columns.row(query.columns[i]);
            for (std::size_t j = 0; j < column.size(); ++j) {
                sums_[column.columns[j]].add(query.values[i], column.values[j]);
            }
        }
        if (self < sums_.size()) {
            sums_[self] = Sums{};
        }
        scores_.resize(sums_.size());
        for (std::size_t row = 0; row < scores_.size(); ++row) {
            scores_[row] = static_cast<float>(score(sums_[row], row));
        }
        std::fill(sums_.begin(), sums_.end(), Sums{});
        found_.resize(scores_.size());
        std::size_t count = 0;
        for (std::size_t row = 0; row < scores_.size(); ++row) {
            found_[count] = {static_cast<std::uint32_t>(row), scores_[row]};
            count += scores_[row] > 0.0F ? 1U : 0U;
        }
        found_.resize(count);
    }

    template <class Score>
    void visit_few(const CSRMatrix<float>& columns, const SparseRow<float>& query, std::size_t self,
                   const Score& score) {
        touched_.clear();
        for (std::size_t i = 0; i < query.size(); ++i) {
            const SparseRow<float> column = columns.row(query.columns[i]);
            for (std::size_t j = 0; j < column.size(); ++j) {
                Sums& sums = sums_[column.columns[j]];
                if (sums.is_empty()) {
                    touched_.push_back(column.columns[j]);
                }
                sums.add(query.values[i], column.values[j]);
            }
        }
        std::sort(touched_.begin(), touched_.end());
        found_.clear();
        for (const std::uint32_t row : touched_) {
            const auto value = static_cast<float>(score(sums_[row], row));
            sums_[row] = Sums{};
            if (value > 0.0F && row != self) {
                found_.push_back({row, value});
            }
        }
    }

    std::vector<Sums> sums_;  // one per row of the matrix; all empty between two calls
    std::vector<std::uint32_t> touched_;
    std::vector<float> scores_;
    std::vector<Scored<>> found_;
    KeepBest keep_best_;
};

/// For each row of a sparse matrix, the k other rows with the highest scores above 0; ties at the k-th place go to the
/// smaller id. The same for any number of threads.
///
///     score(sums, query, row) -> double       as in SparseProductRow
///
/// Shapes    rows: n x m;  columns: m x n, the transposed pattern, possibly with other values (not checked)
/// Returns   n x n: row i holds the scores of the rows that were kept for row i
/// Cost      sum over columns of entries^2, and O(n) or less per row;  O(n k) memory, and O(n) per thread
template <SharedSums Sums, class Score, Executor E>
[[nodiscard]] CSRMatrix<float> best_of_rows(const CSRMatrix<float>& rows, const CSRMatrix<float>& columns,
                                            std::size_t k, const Score& score, std::string_view stage, E& executor) {
    std::vector<std::vector<Scored<>>> found(rows.rows());
    std::vector<SparseProductRow<Sums>> scratch(executor.concurrency());
    report_progress(executor, stage, 0, rows.rows());
    executor.for_range(rows.rows(), 16, [&](std::size_t begin, std::size_t end, std::size_t worker) {
        FUNNEL_ASSERT(worker < scratch.size());
        for (std::size_t query = begin; query < end; ++query) {
            const auto of_query = [&](const Sums& sums, std::size_t row) { return score(sums, query, row); };
            const auto list = scratch[worker].best(columns, rows.row(query), query, k, of_query);
            found[query].assign(list.begin(), list.end());
        }
    });
    report_progress(executor, stage, rows.rows(), rows.rows());

    std::vector<std::size_t> offsets{0};
    for (const std::vector<Scored<>>& list : found) {
        offsets.push_back(offsets.back() + list.size());
    }
    std::vector<std::uint32_t> ids(offsets.back());
    std::vector<float> scores(offsets.back());
    for (std::size_t row = 0; row < found.size(); ++row) {
        for (std::size_t i = 0; i < found[row].size(); ++i) {
            ids[offsets[row] + i] = found[row][i].id;
            scores[offsets[row] + i] = found[row][i].score;
        }
    }
    return CSRMatrix<float>::from_parts(std::move(offsets), std::move(ids), std::move(scores), rows.rows());
}

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

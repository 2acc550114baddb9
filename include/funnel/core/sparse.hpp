// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {

/// The entries of a sparse row: column columns[i] has value values[i]. Columns are in strictly ascending order.
template <class T>
struct SparseRow {
    std::span<const std::uint32_t> columns;
    std::span<const T> values;

    [[nodiscard]] std::size_t size() const noexcept { return columns.size(); }
};

/// One entry, from which a sparse matrix is built.
template <class T>
struct Triplet {
    std::uint32_t row;
    std::uint32_t column;
    T value;
};

/// A sparse matrix in compressed sparse row (CSR) format. Only erase_if changes it. A moved-from matrix has no rows and
/// no columns.
///
/// Cost      8 bytes per row, 4 + sizeof(T) bytes per entry
template <class T>
class CSRMatrix {
public:
    CSRMatrix() noexcept = default;

    /// Builds a matrix of entries in any order. Of several entries at the same position, the last one counts.
    ///
    /// Cost      O(rows + columns + entries) time and memory
    /// Errors    InvalidArgument if an entry lies outside the matrix, or a size exceeds 2^32 - 1
    CSRMatrix(std::span<const Triplet<T>> entries, std::size_t rows, std::size_t cols) : cols_(cols) {
        require(rows <= most && cols <= most, "CSRMatrix: rows and cols must be at most 2^32 - 1");

        // Two stable counting sorts: first by column, then by row.
        for (const Triplet<T>& entry : entries) {
            require(entry.row < rows && entry.column < cols, "CSRMatrix: every entry must lie inside the matrix");
        }
        const std::vector<std::size_t> by_column = counting_order(entries, cols, &Triplet<T>::column);
        std::vector<Triplet<T>> sorted(entries.size());
        for (std::size_t i = 0; i < entries.size(); ++i) {
            sorted[i] = entries[by_column[i]];
        }
        const std::vector<std::size_t> by_row = counting_order({sorted.data(), sorted.size()}, rows, &Triplet<T>::row);

        offsets_.assign(rows + 1, 0);
        columns_.reserve(entries.size());
        values_.reserve(entries.size());
        const Triplet<T>* last = nullptr;
        for (const std::size_t i : by_row) {
            const Triplet<T>& entry = sorted[i];
            if (last != nullptr && last->row == entry.row && last->column == entry.column) {
                values_.back() = entry.value;
            } else {
                columns_.push_back(entry.column);
                values_.push_back(entry.value);
                ++offsets_[entry.row + 1];
            }
            last = &entry;
        }
        for (std::size_t i = 0; i < rows; ++i) {
            offsets_[i + 1] += offsets_[i];
        }
    }

    /// Builds a matrix of the three arrays of the CSR format.
    ///
    /// Shapes    offsets: rows + 1, from 0 to the number of entries, never decreasing
    ///           columns, values: one element per entry
    /// Errors    InvalidArgument if the sizes of the arrays do not match, the columns of a row are not strictly
    ///           ascending within [0, cols), or a size exceeds 2^32 - 1
    static CSRMatrix from_parts(std::vector<std::size_t> offsets, std::vector<std::uint32_t> columns,
                                std::vector<T> values, std::size_t cols) {
        require(!offsets.empty() && offsets.front() == 0 && offsets.back() == columns.size() &&
                    columns.size() == values.size() && std::is_sorted(offsets.begin(), offsets.end()),
                "CSRMatrix: offsets, columns and values must match");
        require(offsets.size() - 1 <= most && cols <= most, "CSRMatrix: rows and cols must be at most 2^32 - 1");
        for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
            for (std::size_t at = offsets[i]; at < offsets[i + 1]; ++at) {
                require(columns[at] < cols && (at == offsets[i] || columns[at - 1] < columns[at]),
                        "CSRMatrix: the columns of a row must ascend and lie inside the matrix");
            }
        }
        CSRMatrix matrix;
        matrix.cols_ = cols;
        matrix.offsets_ = std::move(offsets);
        matrix.columns_ = std::move(columns);
        matrix.values_ = std::move(values);
        return matrix;
    }

    CSRMatrix(const CSRMatrix&) = default;
    CSRMatrix(CSRMatrix&& other) noexcept
        : cols_(std::exchange(other.cols_, 0)),
          offsets_(std::move(other.offsets_)),
          columns_(std::move(other.columns_)),
          values_(std::move(other.values_)) {}
    CSRMatrix& operator=(const CSRMatrix& other) { return *this = CSRMatrix(other); }  // strong guarantee
    CSRMatrix& operator=(CSRMatrix&& other) noexcept {
        CSRMatrix taken(std::move(other));
        std::swap(cols_, taken.cols_);
        offsets_.swap(taken.offsets_);
        columns_.swap(taken.columns_);
        values_.swap(taken.values_);
        return *this;
    }
    ~CSRMatrix() = default;

    [[nodiscard]] std::size_t rows() const noexcept { return offsets().size() - 1; }
    [[nodiscard]] std::size_t cols() const noexcept { return cols_; }
    [[nodiscard]] std::size_t nonzeros() const noexcept { return columns_.size(); }

    /// Row i < rows() (not checked).
    [[nodiscard]] SparseRow<T> row(std::size_t i) const noexcept FUNNEL_LIFETIMEBOUND {
        FUNNEL_ASSERT(i < rows());
        const std::size_t begin = offsets_[i];
        const std::size_t count = offsets_[i + 1] - begin;
        return {{columns_.data() + begin, count}, {values_.data() + begin, count}};
    }

    /// rows() + 1 offsets: the entries of row i are at positions offsets()[i] .. offsets()[i + 1] - 1.
    [[nodiscard]] std::span<const std::size_t> offsets() const noexcept FUNNEL_LIFETIMEBOUND {
        return offsets_.empty() ? std::span<const std::size_t>(no_rows) : std::span(offsets_.data(), offsets_.size());
    }
    [[nodiscard]] std::span<const std::uint32_t> columns() const noexcept FUNNEL_LIFETIMEBOUND {
        return {columns_.data(), columns_.size()};
    }
    [[nodiscard]] std::span<const T> values() const noexcept FUNNEL_LIFETIMEBOUND {
        return {values_.data(), values_.size()};
    }

    /// Removes entries. The shape stays.
    ///
    ///     is_unwanted(row, column) -> bool       noexcept
    ///
    /// Cost      O(rows + entries), no allocation
    template <class Predicate>
    void erase_if(const Predicate& is_unwanted) noexcept {
        std::size_t kept = 0;
        std::size_t at = 0;
        for (std::size_t i = 0; i < rows(); ++i) {
            for (; at < offsets_[i + 1]; ++at) {
                if (!is_unwanted(i, columns_[at])) {
                    columns_[kept] = columns_[at];
                    values_[kept] = values_[at];
                    ++kept;
                }
            }
            offsets_[i + 1] = kept;
        }
        columns_.erase(columns_.begin() + static_cast<std::ptrdiff_t>(kept), columns_.end());
        values_.erase(values_.begin() + static_cast<std::ptrdiff_t>(kept), values_.end());
    }

    /// The matrix with other values in the same places.
    ///
    /// Shapes    values: nonzeros(), row by row
    /// Errors    InvalidArgument if there are more or fewer values
    [[nodiscard]] CSRMatrix with_values(std::vector<T> values) const {
        require(values.size() == nonzeros(), "CSRMatrix::with_values: there must be a value per entry");
        CSRMatrix result;
        result.cols_ = cols_;
        result.offsets_ = offsets_;
        result.columns_ = columns_;
        result.values_ = std::move(values);
        return result;
    }

    /// The transposed matrix. O(rows + cols + entries).
    [[nodiscard]] CSRMatrix transposed() const {
        CSRMatrix result;
        result.cols_ = rows();
        result.offsets_.assign(cols_ + 1, 0);
        result.columns_.resize(nonzeros());
        result.values_.resize(nonzeros());
        for (const std::uint32_t column : columns_) {
            ++result.offsets_[column + 1];
        }
        for (std::size_t j = 0; j < cols_; ++j) {
            result.offsets_[j + 1] += result.offsets_[j];
        }
        std::vector<std::size_t> next(result.offsets_.begin(), result.offsets_.end() - 1);
        for (std::size_t i = 0; i < rows(); ++i) {
            for (std::size_t at = offsets_[i]; at < offsets_[i + 1]; ++at) {
                const std::size_t place = next[columns_[at]]++;
                result.columns_[place] = static_cast<std::uint32_t>(i);
                result.values_[place] = values_[at];
            }
        }
        return result;
    }

private:
    static constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
    static constexpr std::array<std::size_t, 1> no_rows{0};

    // Positions of the entries, stably sorted by one of their two indices.
    static std::vector<std::size_t> counting_order(std::span<const Triplet<T>> entries, std::size_t buckets,
                                                   std::uint32_t Triplet<T>::* index) {
        std::vector<std::size_t> next(buckets + 1, 0);
        for (const Triplet<T>& entry : entries) {
            ++next[entry.*index + 1];
        }
        for (std::size_t b = 0; b < buckets; ++b) {
            next[b + 1] += next[b];
        }
        std::vector<std::size_t> order(entries.size());
        for (std::size_t i = 0; i < entries.size(); ++i) {
            order[next[entries[i].*index]++] = i;
        }
        return order;
    }

    std::size_t cols_ = 0;
    std::vector<std::size_t> offsets_;  // empty in a default-constructed or moved-from matrix: use offsets()
    std::vector<std::uint32_t> columns_;
    std::vector<T> values_;
};

}  // namespace FUNNEL_ABI
}  // namespace funnel

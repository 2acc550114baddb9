// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace nn {

/// The gradient of a table of which a batch uses few rows: the used ids, ascending and each once, and one row per id.
///
/// An optimiser that adapts its steps needs the sum of all gradients of a row before it updates it. Two updates of a
/// row that occurs twice would be a different, wrong step.
///
/// Memory is kept between batches.
template <std::floating_point T>
class SparseGradient {
public:
    /// Sums the gradients of a batch. ids holds the id that each position of the batch uses; add(position, row) adds
    /// the gradient of that position to the row of its id. Positions of an id are added in ascending order, by one
    /// thread, so the result does not depend on the executor.
    ///
    /// Cost      O(positions) to sort, plus the calls of add
    /// Errors    InvalidArgument if there are 2^32 positions or more
    template <Executor E, std::invocable<std::size_t, std::span<T>> Add>
    void collect(std::span<const std::uint32_t> ids, std::size_t width, const Add& add, E&& executor) {
        require(ids.size() <= std::numeric_limits<std::uint32_t>::max(),
                "SparseGradient: number of positions must be below 2^32");
        sort_positions(ids);
        ids_.clear();
        starts_.clear();
        for (std::size_t i = 0; i < sorted_.size(); ++i) {
            if (ids_.empty() || ids_.back() != sorted_[i].id) {
                ids_.push_back(sorted_[i].id);
                starts_.push_back(i);
            }
        }
        starts_.push_back(sorted_.size());
        if (rows_.cols() != width || rows_.rows() < ids_.size()) {
            rows_ = Matrix<T>(std::max(rows_.rows(), ids_.size()), width);
        }
        constexpr std::size_t id_grain = 16;
        executor.for_range(ids_.size(), id_grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t i = begin; i < end; ++i) {
                const std::span<T> row = rows_.row(i);
                std::fill(row.begin(), row.end(), T{0});
                for (std::size_t at = starts_[i]; at < starts_[i + 1]; ++at) {
                    add(std::size_t{sorted_[at].position}, row);
                }
            }
        });
    }

    /// The used ids, ascending.
    [[nodiscard]] std::span<const std::uint32_t> ids() const noexcept FUNNEL_LIFETIMEBOUND { return ids_; }
    /// One row per used id.
    [[nodiscard]] MatrixView<T> rows() FUNNEL_LIFETIMEBOUND { return rows_.view().rows_from(0, ids_.size()); }
    [[nodiscard]] MatrixView<const T> rows() const FUNNEL_LIFETIMEBOUND {
        return rows_.view().rows_from(0, ids_.size());
    }

private:
    struct Use {
        std::uint32_t id;
        std::uint32_t position;
    };

    // Radix sort by id, which keeps the order of positions.
    void sort_positions(std::span<const std::uint32_t> ids) {
        constexpr int digit_bits = 11;
        constexpr std::size_t digits = std::size_t{1} << digit_bits;
        sorted_.resize(ids.size());
        buffer_.resize(ids.size());
        std::uint32_t largest = 0;
        for (std::size_t i = 0; i < ids.size(); ++i) {
            sorted_[i] = {.id = ids[i], .position = static_cast<std::uint32_t>(i)};
            largest = std::max(largest, ids[i]);
        }
        for (int shift = 0; shift < static_cast<int>(std::bit_width(largest)); shift += digit_bits) {
            const auto digit = [&](const Use& use) { return (use.id >> shift) & (digits - 1); };
            std::array<std::size_t, digits + 1> next{};
            for (const Use& use : sorted_) {
                ++next[digit(use) + 1];
            }
            for (std::size_t d = 0; d < digits; ++d) {
                next[d + 1] += next[d];
            }
            for (const Use& use : sorted_) {
                buffer_[next[digit(use)]++] = use;
            }
            sorted_.swap(buffer_);
        }
    }

    std::vector<std::uint32_t> ids_;
    std::vector<std::size_t> starts_;  // the uses of each id in sorted_, and the end
    std::vector<Use> sorted_;
    std::vector<Use> buffer_;
    Matrix<T> rows_;
};

}  // namespace nn
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/ranking/tree_decision.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// How the values of one feature are divided into bins. Bin b holds the values x with bounds[b - 1] < x <= bounds[b];
/// the last of them has no upper bound. After them comes a bin for missing values, if there are any. Zero has a bin of
/// its own.
struct FeatureBins {
    std::vector<double> bounds;  ///< strictly ascending: the possible thresholds
    bool has_missing = false;

    [[nodiscard]] std::size_t value_bins() const noexcept { return bounds.size() + 1; }
    [[nodiscard]] std::size_t bins() const noexcept { return value_bins() + (has_missing ? 1 : 0); }

    /// The bin of a value. NaN needs has_missing (not checked).
    [[nodiscard]] std::uint8_t bin_of(const float& x) const noexcept {
        if (math::is_nan(x)) {
            return static_cast<std::uint8_t>(value_bins());
        }
        // The number of bounds below x, by a binary search without branches: they would often be mispredicted.
        std::size_t at = 0;
        for (std::size_t left = bounds.size(); left > 0;) {
            const std::size_t half = (left + 1) / 2;
            at += half * static_cast<std::size_t>(bounds[at + half - 1] < static_cast<double>(x));
            left -= half;
        }
        return static_cast<std::uint8_t>(at);
    }
};

/// A distinct value and in how many rows it occurs.
using ValueCount = std::pair<float, std::size_t>;

/// Divides distinct values into at most `room` bins of about equally many rows, and appends the last value of each bin
/// but the last one to ends. A value in many rows has a bin of its own if the values before it fill half a bin.
inline void divide(std::span<const ValueCount> values, std::size_t room, std::vector<std::size_t>& ends,
                   std::size_t first) {
    std::size_t rows_left = 0;
    for (const auto& [value, count] : values) {
        rows_left += count;
    }
    std::size_t in_bin = 0;
    for (std::size_t i = 0; i + 1 < values.size() && room > 1; ++i) {
        in_bin += values[i].second;
        const double share = static_cast<double>(rows_left) / static_cast<double>(room);
        const auto filled = static_cast<double>(in_bin);
        const bool is_next_heavy = static_cast<double>(values[i + 1].second) >= share;
        const bool is_all_apart = values.size() - i <= room;  // room for each value that is left
        if (filled >= share || (is_next_heavy && filled >= 0.5 * share) || is_all_apart) {
            ends.push_back(first + i);
            rows_left -= in_bin;
            in_bin = 0;
            --room;
        }
    }
}

/// Bins for the values of a feature, without its NaN. room: of the value bins, at least 3.
[[nodiscard]] inline std::vector<double> bounds_of(std::vector<float> sorted, std::size_t room) {
    constexpr auto near_zero = static_cast<double>(zero_threshold);
    for (float& x : sorted) {
        x = math::abs(x) <= zero_threshold ? 0.0F : x;
    }
    std::sort(sorted.begin(), sorted.end());
    std::vector<ValueCount> values;
    for (const float x : sorted) {
        if (values.empty() || values.back().first != x) {
            values.emplace_back(x, 0);
        }
        ++values.back().second;
    }
    const auto is_below = [](const ValueCount& value, float x) { return value.first < x; };
    const auto zero = std::lower_bound(values.begin(), values.end(), 0.0F, is_below);
    const bool has_zero = zero != values.end() && zero->first == 0.0F;
    const auto below = static_cast<std::size_t>(zero - values.begin());
    const std::size_t above = values.size() - below - (has_zero ? 1 : 0);

    std::vector<std::size_t> ends;  // positions of the last value of each bin but the last
    if (has_zero && below + above > 0) {
        std::size_t rows_below = 0;
        for (std::size_t i = 0; i < below; ++i) {
            rows_below += values[i].second;
        }
        const std::size_t rows = sorted.size() - values[below].second;
        const double share = static_cast<double>(rows_below) / static_cast<double>(rows);
        const std::size_t shared = room - 1;
        auto room_below = static_cast<std::size_t>(math::round(share * static_cast<double>(shared)));
        room_below = below == 0 ? 0 : std::max<std::size_t>(room_below, 1);
        room_below = above == 0 ? shared : std::min(room_below, shared - 1);
        if (below > 0) {
            divide(std::span(values).first(below), room_below, ends, 0);
            ends.push_back(below - 1);
        }
        if (above > 0) {
            ends.push_back(below);
            divide(std::span(values).last(above), shared - room_below, ends, below + 1);
        }
    } else {
        divide(values, room, ends, 0);
    }
    std::vector<double> bounds;
    for (const std::size_t end : ends) {
        const auto low = static_cast<double>(values[end].first);
        const auto high = static_cast<double>(values[end + 1].first);
        const double most = std::numeric_limits<double>::infinity();
        const double middle = math::nextafter((low + high) / 2.0, most);  // exact: low and high are floats
        if (high == 0.0) {
            bounds.push_back(math::nextafter(-near_zero, -most));
        } else {  // a model of LightGBM has no thresholds nearer to zero
            bounds.push_back(low == 0.0 || math::abs(middle) <= near_zero ? near_zero : middle);
        }
    }
    return bounds;
}

/// Rows as bins: one byte per value. Features are stored in groups, and each group row by row: whoever visits some of
/// the rows reads a few whole cache lines per row and group.
class BinnedRows {
public:
    static constexpr std::size_t group_size = 8;

    /// Errors    InvalidArgument if a feature is infinite
    template <Executor E>
    BinnedRows(MatrixView<const float> rows, std::size_t max_bins, E& executor)
        : rows_(rows.rows()), features_(rows.cols()), codes_(groups() * group_size * rows.rows()) {
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (const float& x : rows.row(i)) {
                if (math::is_inf(x)) {
                    raise<InvalidArgument>("LambdaMART::fit: a feature of row " + std::to_string(i) + " is infinite");
                }
            }
        }
        parallel_for(executor, features_.size(), 1, [&](std::size_t j) {
            std::vector<float> values;
            values.reserve(rows.rows());
            for (std::size_t i = 0; i < rows.rows(); ++i) {
                if (!math::is_nan(rows(i, j))) {
                    values.push_back(rows(i, j));
                }
            }
            FeatureBins& bins = features_[j];
            bins.has_missing = values.size() < rows.rows();
            bins.bounds = bounds_of(std::move(values), max_bins - (bins.has_missing ? 1 : 0));
        });
        executor.for_range(rows_, 1024, [&](std::size_t begin, std::size_t end, std::size_t) {
            for (std::size_t j = 0; j < features_.size(); ++j) {
                std::uint8_t* const codes = codes_.data() + start_of(j);
                for (std::size_t i = begin; i < end; ++i) {
                    codes[i * group_size] = features_[j].bin_of(rows(i, j));
                }
            }
        });
        offsets_.push_back(0);
        for (const FeatureBins& bins : features_) {
            offsets_.push_back(offsets_.back() + bins.bins());
        }
    }

    [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
    [[nodiscard]] std::size_t features() const noexcept { return features_.size(); }
    [[nodiscard]] std::size_t groups() const noexcept { return (features_.size() + group_size - 1) / group_size; }
    [[nodiscard]] const FeatureBins& bins(std::size_t feature) const noexcept { return features_[feature]; }
    /// Where the bins of a feature begin among those of all features.
    [[nodiscard]] std::size_t offset(std::size_t feature) const noexcept { return offsets_[feature]; }
    [[nodiscard]] std::size_t all_bins() const noexcept { return offsets_.back(); }

    [[nodiscard]] std::uint8_t code(std::size_t row, std::size_t feature) const noexcept {
        return codes_[start_of(feature) + row * group_size];
    }
    /// The codes of a group of features, group_size per row; 0 for features beyond the last.
    [[nodiscard]] std::span<const std::uint8_t> group(std::size_t g) const noexcept {
        return std::span(codes_).subspan(g * group_size * rows_, group_size * rows_);
    }

private:
    // Where the code of the first row is.
    [[nodiscard]] std::size_t start_of(std::size_t feature) const noexcept {
        return feature / group_size * group_size * rows_ + feature % group_size;
    }

    std::size_t rows_;
    std::vector<FeatureBins> features_;
    std::vector<std::size_t> offsets_;
    std::vector<std::uint8_t> codes_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace quantise {

/// The mean of a set of vectors, which quantisers subtract: it takes away what all vectors share. Vectors over 1024
/// times as long as the median one do not count: beside one of them, the mean of all would be far from every vector,
/// and codes of the difference would hold nothing else.
class Mean {
public:
    Mean() = default;

    /// Shapes    rows: n x d, finite;  without rows, the mean is zero
    explicit Mean(MatrixView<const float> rows) : mean_(rows.cols()) {
        std::vector<double> squares(rows.rows());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            squares[i] = squared_length(rows.row(i));
        }
        std::vector<double> sorted = squares;
        const auto median = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
        std::nth_element(sorted.begin(), median, sorted.end());
        const double limit = sorted.empty() ? 0.0 : 0x1p20 * *median;

        std::vector<double> sums(rows.cols());
        std::size_t count = 0;
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            if (squares[i] <= limit) {
                const std::span<const float> row = rows.row(i);
                for (std::size_t j = 0; j < row.size(); ++j) {
                    sums[j] += static_cast<double>(row[j]);
                }
                ++count;
            }
        }
        for (std::size_t j = 0; j < sums.size() && count > 0; ++j) {
            mean_[j] = static_cast<float>(sums[j] / static_cast<double>(count));
        }
        length_ = math::sqrt(squared_length(mean_));
    }

    [[nodiscard]] std::span<const float> values() const noexcept FUNNEL_LIFETIMEBOUND { return mean_; }
    [[nodiscard]] double length() const noexcept { return length_; }
    [[nodiscard]] std::size_t memory_bytes() const noexcept { return mean_.size() * sizeof(float); }

    /// Element j of a vector minus the mean.
    [[nodiscard]] double centred(std::span<const float> vector, std::size_t j) const noexcept {
        return static_cast<double>(vector[j]) - static_cast<double>(mean_[j]);
    }

    template <class Writer>
    void write(Writer& file) const {
        file.array("mean", mean_);
    }
    template <class Reader>
    [[nodiscard]] static Mean read(const Reader& file, std::size_t dimension) {
        Mean mean;
        mean.mean_ = file.template array<float>("mean", dimension);
        mean.length_ = math::sqrt(squared_length(mean.mean_));
        file.check(math::is_finite(mean.length_) && mean.length_ <= 0x1p62, "mean",
                   "must be finite and not longer than 2^62");
        return mean;
    }

private:
    [[nodiscard]] static double squared_length(std::span<const float> vector) noexcept {
        double squares = 0.0;
        for (const float x : vector) {
            squares += static_cast<double>(x) * static_cast<double>(x);
        }
        return squares;
    }

    std::vector<float> mean_;
    double length_ = 0.0;
};

}  // namespace quantise
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>

#include <algorithm>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace cf {

/// Base class of scorers that predict ratings: what is known about the ratings in training.
class RatingRange {
public:
    /// The mean, the smallest and the largest rating in training; 0 if there was none.
    [[nodiscard]] float mean() const noexcept { return mean_; }
    [[nodiscard]] float lowest() const noexcept { return lowest_; }
    [[nodiscard]] float highest() const noexcept { return highest_; }

protected:
    RatingRange() = default;

    /// Shapes    ratings: those in training, finite (not checked)
    void find_range(std::span<const float> ratings) {
        if (ratings.empty()) {
            return;
        }
        double sum = 0.0;
        for (const float rating : ratings) {
            sum += static_cast<double>(rating);
        }
        mean_ = static_cast<float>(sum / static_cast<double>(ratings.size()));
        lowest_ = *std::ranges::min_element(ratings);
        highest_ = *std::ranges::max_element(ratings);
    }

    [[nodiscard]] float clipped(float rating) const noexcept { return std::clamp(rating, lowest_, highest_); }

    /// Adds the sections to a file.
    template <class Writer>
    void write_range(Writer& file) const {
        file.value("mean", mean_);
        file.value("lowest", lowest_);
        file.value("highest", highest_);
    }
    /// Reads them.
    ///
    /// Errors    CorruptData if a section is missing or invalid
    template <class Reader>
    void read_range(const Reader& file) {
        mean_ = file.template value<float>("mean");
        lowest_ = file.template value<float>("lowest");
        highest_ = file.template value<float>("highest");
        file.check(math::is_finite(lowest_) && math::is_finite(highest_), "lowest", "must be finite, as highest");
        file.check(math::is_finite(mean_) && mean_ >= lowest_ && mean_ <= highest_, "mean",
                   "must lie in [lowest, highest]");
    }

private:
    float mean_ = 0.0F;
    float lowest_ = 0.0F;
    float highest_ = 0.0F;
};

}  // namespace cf
}  // namespace FUNNEL_ABI
}  // namespace funnel

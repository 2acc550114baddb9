// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ranking/feature_bins.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Sums of first and second derivatives of the loss over some rows.
struct GradientSum {
    double gradient = 0.0;
    double hessian = 0.0;

    GradientSum& operator+=(const GradientSum& other) noexcept {
        gradient += other.gradient;
        hessian += other.hessian;
        return *this;
    }
    friend GradientSum operator-(const GradientSum& a, const GradientSum& b) noexcept {
        return {a.gradient - b.gradient, a.hessian - b.hessian};
    }
};

/// Which splits are allowed.
struct SplitRules {
    std::size_t min_rows;
    double min_hessian;
    double l2;
    double min_gain;
};

struct SplitCandidate {
    double gain = 0.0;  ///< how much the loss falls, times 2; 0 if there is no split
    std::uint32_t feature = 0;
    std::size_t bin = 0;  ///< the last one on the left
    bool missing_goes_left = false;
    GradientSum left;
};

/// How good the best leaf value is: G^2 / (H + l2), which is 2 (loss at 0 - loss there) to second order.
[[nodiscard]] inline double leaf_quality(const GradientSum& sum, double l2) noexcept {
    const double divisor = sum.hessian + l2;
    return divisor > 0.0 ? sum.gradient * sum.gradient / divisor : 0.0;
}

/// The best split of a leaf on one feature.
///
///     gain = G_l^2 / (H_l + l2) + G_r^2 / (H_r + l2) - G^2 / (H + l2)
///
/// Rows per side are estimated from the second derivatives, as in LightGBM: histograms have no counts. Ties go to the
/// lower bin, and to missing values on the right.
///
/// histogram    one sum per bin of the feature;  sum, rows    of the whole leaf
[[nodiscard]] inline SplitCandidate best_split(const FeatureBins& bins, std::span<const GradientSum> histogram,
                                               const GradientSum& sum, std::size_t rows, const SplitRules& rules) {
    SplitCandidate best;
    // The estimate is rounded to a whole number of rows: it is at least min_rows from min_rows - 1/2 on.
    const double rows_per_hessian = sum.hessian > 0.0 ? static_cast<double>(rows) / sum.hessian : 0.0;
    const double least_rows = static_cast<double>(rules.min_rows) - 0.5;
    const double quality = leaf_quality(sum, rules.l2);
    const auto is_allowed = [&](const GradientSum& side) {
        return side.hessian * rows_per_hessian >= least_rows && side.hessian >= rules.min_hessian;
    };
    for (const bool missing_goes_left : {false, true}) {
        if (missing_goes_left && !bins.has_missing) {
            break;
        }
        GradientSum left = missing_goes_left ? histogram[bins.value_bins()] : GradientSum{};
        // With missing values on the right, they may also be alone there.
        const std::size_t thresholds = bins.bounds.size() + (bins.has_missing && !missing_goes_left ? 1 : 0);
        for (std::size_t b = 0; b < thresholds; ++b) {
            left += histogram[b];
            const GradientSum right = sum - left;
            if (!is_allowed(left) || !is_allowed(right)) {
                continue;
            }
            const double gain = leaf_quality(left, rules.l2) + leaf_quality(right, rules.l2) - quality;
            if (gain > best.gain && gain > rules.min_gain) {
                best = {.gain = gain, .feature = 0, .bin = b, .missing_goes_left = missing_goes_left, .left = left};
            }
        }
    }
    return best;
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/real_view.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

struct ReliabilityOptions {
    std::size_t bins = 10;  ///< of equal width, > 0
};

/// The predictions in [low, high) (the last bin includes 1), and what happened.
struct ReliabilityBin {
    double low;
    double high;
    std::size_t rows;
    double predicted;  ///< mean prediction; 0 without rows
    double observed;   ///< mean label: the share of positives; 0 without rows
};

/// Compares predicted probabilities with what happened. In each bin, the two means of a calibrated model are close.
///
/// Shapes    probabilities: n in [0, 1], float or double;  labels: n in [0, 1]
/// Returns   options.bins bins, ascending
/// Cost      O(n + bins)
/// Errors    InvalidArgument if the sizes differ, or a number is not in [0, 1]
/// Source    DeGroot & Fienberg, "The comparison and evaluation of forecasters", 1983
[[nodiscard]] inline std::vector<ReliabilityBin> reliability(RealView probabilities, std::span<const float> labels,
                                                             const ReliabilityOptions& options = {}) {
    require_equal(labels.size(), probabilities.size(), "reliability: number of labels");
    require_at_least(options.bins, 1, "reliability: bins");
    const auto count = static_cast<double>(options.bins);
    std::vector<ReliabilityBin> bins(options.bins);
    for (std::size_t b = 0; b < bins.size(); ++b) {
        bins[b] = {.low = static_cast<double>(b) / count,
                   .high = static_cast<double>(b + 1) / count,
                   .rows = 0,
                   .predicted = 0.0,
                   .observed = 0.0};
    }
    for (std::size_t i = 0; i < labels.size(); ++i) {
        const double p = probabilities[i];
        require_between(p, 0.0, 1.0, "reliability: each probability");
        require_between(labels[i], 0.0, 1.0, "reliability: each label");
        auto at = std::min(static_cast<std::size_t>(p * count), options.bins - 1);
        // The product is rounded, so a number near a limit may be one bin off.
        at -= p < bins[at].low ? 1U : 0U;
        at += p >= bins[at].high && at + 1 < bins.size() ? 1U : 0U;
        bins[at].rows += 1;
        bins[at].predicted += p;
        bins[at].observed += static_cast<double>(labels[i]);
    }
    for (ReliabilityBin& bin : bins) {
        const double rows = bin.rows > 0 ? static_cast<double>(bin.rows) : 1.0;
        bin.predicted /= rows;
        bin.observed /= rows;
    }
    return bins;
}

/// Expected calibration error (ECE): how far predicted and observed means of the bins are apart, weighted by rows.
///
///     ece = sum over bins of rows / n |predicted - observed|
///
/// It is 0 for a calibrated model and many rows, also for one that always predicts the overall mean: read it beside the
/// logloss. It depends on the number of bins, and rises with fewer rows per bin.
///
/// Returns   a value in [0, 1]; 0 without rows
/// Errors    as reliability()
/// Source    Naeini et al., "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015
[[nodiscard]] inline double calibration_error(RealView probabilities, std::span<const float> labels,
                                              const ReliabilityOptions& options = {}) {
    double error = 0.0;
    for (const ReliabilityBin& bin : reliability(probabilities, labels, options)) {
        error += static_cast<double>(bin.rows) * math::abs(bin.predicted - bin.observed);
    }
    return labels.empty() ? 0.0 : error / static_cast<double>(labels.size());
}

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

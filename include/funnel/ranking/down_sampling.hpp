// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/options.hpp>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// The probability on all rows, from that of a model that was trained with only a share of the negative rows.
///
///     q = p / (p + (1 - p) / kept)
///
/// The same on logits: add log(kept). Calibrate first if the scores are not probabilities.
///
/// kept      share of the negative rows that was kept, in (0, 1]
/// Errors    InvalidArgument if an argument is out of range
/// Source    He et al., "Practical lessons from predicting clicks on ads at Facebook", ADKDD 2014 (6.3)
///
///     undo_down_sampling(0.5, 0.1)  // 1 / 11: one positive row per negative row that was kept, and ten in the data
[[nodiscard]] inline double undo_down_sampling(double probability, double kept) {
    require_between(probability, 0.0, 1.0, "undo_down_sampling: probability");
    require_between(kept, 0.0, 1.0, "undo_down_sampling: kept");
    require_positive(kept, "undo_down_sampling: kept");
    return kept * probability / (kept * probability + (1.0 - probability));
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

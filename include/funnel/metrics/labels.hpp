// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace metrics {

/// Options shared by the metrics of one list.
///
/// These metrics read two lists of labels. `shown` holds the labels of the shown items, best rank first, and 0 for an
/// item that was not judged. `judged` holds the labels of all judged items, shown or not, in any order. An item is
/// relevant if its label is above 0.
struct RankingOptions {
    std::size_t k = 10;                ///< number of ranks that count
    double if_nothing_relevant = 0.0;  ///< the value for a user without any relevant item
};

namespace detail {

inline bool is_relevant(float label) {
    return label > 0.0F;
}

// Number of relevant items among the first k.
inline std::size_t count_relevant(std::span<const float> labels,
                                  std::size_t k = std::numeric_limits<std::size_t>::max()) {
    const std::span<const float> counted = labels.first(std::min(k, labels.size()));
    return static_cast<std::size_t>(std::count_if(counted.begin(), counted.end(), is_relevant));
}

inline void require_labels(std::span<const float> labels, const char* function) {
    const auto is_label = [](const float& label) { return math::is_finite(label) && label >= 0.0F; };
    if (!std::all_of(labels.begin(), labels.end(), is_label)) {
        raise<InvalidArgument>(std::string(function) + ": labels must be finite and non-negative");
    }
}

// Number of judged items that are relevant. A list with more relevant items than that would score above 1: either it
// contains an item twice, or `judged` is incomplete.
inline std::size_t checked_relevant(std::span<const float> shown, std::span<const float> judged, const char* function) {
    require_labels(shown, function);
    require_labels(judged, function);
    const std::size_t relevant = count_relevant(judged);
    if (count_relevant(shown) > relevant) {
        raise<InvalidArgument>(std::string(function) + ": judged must contain every relevant item that is shown");
    }
    return relevant;
}

inline double part(double share, std::size_t whole) {
    return whole > 0 ? share / static_cast<double>(whole) : 0.0;
}

inline double ratio(std::size_t part_of, std::size_t whole) {
    return part(static_cast<double>(part_of), whole);
}

}  // namespace detail

}  // namespace metrics
}  // namespace FUNNEL_ABI
}  // namespace funnel

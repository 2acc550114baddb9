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

/// What the metrics of one list share.
///
/// They all read two lists of labels. `shown` holds the labels of the items in the order they were shown, best rank
/// first, 0 for an item that nobody judged. `judged` holds the labels of all judged items, shown or not, in any order.
/// A label above 0 makes an item relevant.
struct RankingOptions {
    std::size_t k = 10;                ///< how many ranks count
    double if_nothing_relevant = 0.0;  ///< the value for a user without any relevant item
};

namespace detail {

inline bool is_relevant(float label) {
    return label > 0.0F;
}

// Relevant items among the first k.
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

// How many of the judged items are relevant. A list that shows more of them than there are would score above 1: it
// holds an item twice, or `judged` is not complete.
inline std::size_t checked_relevant(std::span<const float> shown, std::span<const float> judged, const char* function) {
    require_labels(shown, function);
    require_labels(judged, function);
    const std::size_t relevant = count_relevant(judged);
    if (count_relevant(shown) > relevant) {
        raise<InvalidArgument>(std::string(function) + ": judged must hold every relevant item that is shown");
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

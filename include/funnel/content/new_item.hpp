// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/scored.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace content {

struct NewItemOptions {
    std::span<const float> own = {};  ///< the item's own factors, once it has any: one number per factor, or none
    std::size_t interactions = 0;     ///< of the item, from which its own factors were learned
    double strength = 10.0;           ///< > 0; with so many interactions, own factors count as much as borrowed ones
};

/// Factors for an item with few or no interactions: the mean of those of similar items, weighted by similarity, until
/// its own are known better.
///
///     const auto similar = content_model.similar_items(item, 20);
///     std::vector<float> row = new_item_factors(similar, als.item_factors());
///
///     borrowed = sum over similar items s of similarity(s) factors(s) / sum of similarities
///     result   = (interactions own + strength borrowed) / (interactions + strength)
///
/// Nothing is added to the log: copied interactions of a similar item would be events that nobody made, in every count
/// and every evaluation. Without similar items, the borrowed part is 0.
///
/// Shapes    similar: ids of rows of factors, with similarities >= 0;  result: one number per factor
/// Errors    InvalidArgument if an id is unknown, a number is negative or not finite, or own has another size
[[nodiscard]] inline std::vector<float> new_item_factors(std::span<const Scored<>> similar,
                                                         MatrixView<const float> factors,
                                                         const NewItemOptions& options = {}) {
    require_positive(options.strength, "new_item_factors: strength");
    std::vector<double> sums(factors.cols());
    double weights = 0.0;
    for (const Scored<>& item : similar) {
        require_below(item.id, factors.rows(), "new_item_factors: every similar item");
        require_not_negative(item.score, "new_item_factors: every similarity");
        const std::span<const float> row = factors.row(item.id);
        if (!math::all_finite(row)) {
            raise<InvalidArgument>("new_item_factors: factors of item " + std::to_string(item.id) + " must be finite");
        }
        for (std::size_t j = 0; j < sums.size(); ++j) {
            sums[j] += static_cast<double>(item.score) * static_cast<double>(row[j]);
        }
        weights += static_cast<double>(item.score);
    }
    double share_of_own = 0.0;
    if (!options.own.empty()) {
        require_equal(options.own.size(), factors.cols(), "new_item_factors: size of own");
        require(math::all_finite(options.own), "new_item_factors: own must be finite");
        share_of_own =
            static_cast<double>(options.interactions) / (static_cast<double>(options.interactions) + options.strength);
    }
    std::vector<float> result(sums.size());
    for (std::size_t j = 0; j < sums.size(); ++j) {
        const double borrowed = weights > 0.0 ? sums[j] / weights : 0.0;
        const double own = options.own.empty() ? 0.0 : static_cast<double>(options.own[j]);
        result[j] = static_cast<float>(share_of_own * own + (1.0 - share_of_own) * borrowed);
    }
    return result;
}

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel

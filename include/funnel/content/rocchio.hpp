// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/options.hpp>
#include <funnel/core/sparse.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace content {

struct RocchioOptions {
    double alpha = 1.0;                 ///< weight of the query, >= 0
    double beta = 0.75;                 ///< weight of the liked items, >= 0
    double gamma = 0.15;                ///< weight of the disliked items, >= 0
    std::span<const float> query = {};  ///< one number per feature, for example of a search or of onboarding; or none
    bool keep_negative = false;         ///< false: negative numbers of the profile become 0, as in Rocchio's paper
};

/// The profile of a user from items that were liked and disliked.
///
///     profile = alpha query + beta mean of liked rows - gamma mean of disliked rows
///
///     std::vector<float> profile = rocchio(model.vectors(), liked, disliked);
///
/// Multiply it with the vectors of items to rank them, or search an index of dense vectors with it. A part without
/// items adds nothing.
///
/// Shapes    features: items x features;  liked, disliked: ids, may repeat;  result: one number per feature
/// Errors    InvalidArgument if an id is unknown, the query has another size, a number is not finite, or an option is
///           not >= 0
/// Source    Rocchio, "Relevance feedback in information retrieval", 1971; weights: Manning, Raghavan & Schuetze,
///           "Introduction to information retrieval", section 9.1
[[nodiscard]] inline std::vector<float> rocchio(const CSRMatrix<float>& features, std::span<const std::uint32_t> liked,
                                                std::span<const std::uint32_t> disliked = {},
                                                const RocchioOptions& options = {}) {
    require_not_negative(options.alpha, "rocchio: alpha");
    require_not_negative(options.beta, "rocchio: beta");
    require_not_negative(options.gamma, "rocchio: gamma");
    std::vector<double> sums(features.cols());
    if (!options.query.empty()) {
        require_equal(options.query.size(), features.cols(), "rocchio: size of query");
        require(math::all_finite(options.query), "rocchio: query must be finite");
        for (std::size_t j = 0; j < sums.size(); ++j) {
            sums[j] = options.alpha * static_cast<double>(options.query[j]);
        }
    }
    const auto add = [&](std::span<const std::uint32_t> items, double weight, const char* what) {
        for (const std::uint32_t item : items) {
            require_below(item, features.rows(), what);
            const SparseRow<float> row = features.row(item);
            require(math::all_finite(row.values), "rocchio: features must be finite");
            for (std::size_t i = 0; i < row.size(); ++i) {
                sums[row.columns[i]] += weight / static_cast<double>(items.size()) * static_cast<double>(row.values[i]);
            }
        }
    };
    add(liked, options.beta, "rocchio: every liked item");
    add(disliked, -options.gamma, "rocchio: every disliked item");
    std::vector<float> profile(sums.size());
    for (std::size_t j = 0; j < sums.size(); ++j) {
        profile[j] = static_cast<float>(options.keep_negative || sums[j] > 0.0 ? sums[j] : 0.0);
    }
    require(math::all_finite(profile), "rocchio: the profile must be finite: a weight or a feature is too large");
    return profile;
}

}  // namespace content
}  // namespace FUNNEL_ABI
}  // namespace funnel

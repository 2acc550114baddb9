// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <array>
#include <cmath>
#include <string_view>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

// In the order in which LightGBM 4 writes them.
inline constexpr std::array<std::string_view, 13> lightgbm_header_keys{"tree",
                                                                       "version",
                                                                       "num_class",
                                                                       "num_tree_per_iteration",
                                                                       "label_index",
                                                                       "max_feature_idx",
                                                                       "objective",
                                                                       "average_output",
                                                                       "feature_names",
                                                                       "monotone_constraints",
                                                                       "feature_infos",
                                                                       "tree_sizes",
                                                                       "parser_config_str"};
inline constexpr std::array<std::string_view, 22> lightgbm_tree_keys{
    "num_leaves",      "num_cat",        "split_feature",  "split_gain",    "threshold",  "decision_type",
    "left_child",      "right_child",    "leaf_value",     "leaf_weight",   "leaf_count", "internal_value",
    "internal_weight", "internal_count", "cat_boundaries", "cat_threshold", "is_linear",  "leaf_const",
    "num_features",    "leaf_features",  "leaf_coeff",     "shrinkage"};

// The bits of decision_type. Above them is the kind of missing values.
inline constexpr unsigned lightgbm_categorical = 1;
inline constexpr unsigned lightgbm_default_left = 2;
enum class LightGBMMissing : unsigned { None, Zero, NaN };

/// The objectives that LightGBM writes, except for their parameters.
struct LightGBMObjective {
    std::string_view name;
    TreeLink link;
};
inline constexpr std::array<LightGBMObjective, 16> lightgbm_objectives{{{"regression", TreeLink::Identity},
                                                                        {"regression_l1", TreeLink::Identity},
                                                                        {"huber", TreeLink::Identity},
                                                                        {"fair", TreeLink::Identity},
                                                                        {"quantile", TreeLink::Identity},
                                                                        {"mape", TreeLink::Identity},
                                                                        {"lambdarank", TreeLink::Identity},
                                                                        {"rank_xendcg", TreeLink::Identity},
                                                                        {"poisson", TreeLink::Exponential},
                                                                        {"gamma", TreeLink::Exponential},
                                                                        {"tweedie", TreeLink::Exponential},
                                                                        {"binary", TreeLink::Sigmoid},
                                                                        {"multiclassova", TreeLink::Sigmoid},
                                                                        {"cross_entropy", TreeLink::Sigmoid},
                                                                        {"cross_entropy_lambda", TreeLink::SoftPlus},
                                                                        {"multiclass", TreeLink::Softmax}}};

/// The threshold that gives the decisions of LightGBM, which takes values up to 1e-35 as 0.
[[nodiscard]] inline double flushed_threshold(double threshold) {
    const auto zero = static_cast<double>(zero_threshold);
    if (threshold >= 0.0) {
        return threshold < zero ? zero : threshold;
    }
    return threshold >= -zero ? std::nextafter(-zero, -1.0) : threshold;
}

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

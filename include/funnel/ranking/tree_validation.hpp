// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/math.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// Limits of what is scored. Files beyond them are rejected.
inline constexpr std::size_t max_trees = 1'000'000;
inline constexpr std::size_t max_leaves = 65'536;  ///< of one tree

namespace detail {

// Why the splits do not form a tree, or an empty string: each split but the root and each leaf is the child of exactly
// one split, which stands before it.
[[nodiscard]] inline std::string problem_of_shape(const Tree& tree) {
    const std::size_t n = tree.splits.size();
    std::vector<bool> is_split_taken(n, false);
    std::vector<bool> is_leaf_taken(n + 1, false);
    for (std::size_t i = 0; i < n; ++i) {
        for (const std::int32_t child : {tree.splits[i].left, tree.splits[i].right}) {
            const bool is_leaf = child < 0;
            const auto at = static_cast<std::size_t>(is_leaf ? ~child : child);
            const auto name = [&] { return (is_leaf ? "leaf " : "split ") + std::to_string(at); };
            if (at >= n + (is_leaf ? 1 : 0)) {
                return "split " + std::to_string(i) + " has the child " + name() + ", which does not exist";
            }
            if (!is_leaf && at <= i) {
                return "split " + std::to_string(i) + " has the child " + name() + ", which does not follow it";
            }
            auto is_taken = (is_leaf ? is_leaf_taken : is_split_taken)[at];
            if (is_taken) {
                return name() + " is the child of two splits";
            }
            is_taken = true;
        }
    }
    return {};  // 2 n children, each another one of the n - 1 splits and n + 1 leaves: all of them are children
}

[[nodiscard]] inline std::string problem_of_splits(const TreeEnsemble& forest, const Tree& tree) {
    for (std::size_t i = 0; i < tree.splits.size(); ++i) {
        const TreeSplit& split = tree.splits[i];
        const auto name = [&] { return "split " + std::to_string(i); };
        if (split.feature >= forest.features) {
            return name() + " has feature " + std::to_string(split.feature) + " of " + std::to_string(forest.features);
        }
        if (split.categories != TreeSplit::no_categories && split.categories >= forest.category_sets.size()) {
            return name() + " has category set " + std::to_string(split.categories) + " of " +
                   std::to_string(forest.category_sets.size());
        }
        if (math::is_nan(split.threshold)) {
            return name() + " has the threshold NaN";
        }
    }
    return {};
}

[[nodiscard]] inline std::string problem_of_linear_leaves(const TreeEnsemble& forest, const Tree& tree) {
    const LinearLeaves& linear = tree.linear;
    const std::size_t terms = linear.features.size();
    if (linear.constants.empty()) {
        const bool is_unused = linear.begins.empty() && terms == 0 && linear.coefficients.empty();
        return is_unused ? "" : "linear leaves without constants";
    }
    if (linear.constants.size() != tree.leaves() || tree.leaf_values.size() != tree.leaves() ||
        linear.begins.size() != tree.leaves() + 1 || linear.coefficients.size() != terms) {
        return "the arrays of the linear leaves differ in size";
    }
    if (linear.begins.front() != 0 || linear.begins.back() != terms ||
        !std::is_sorted(linear.begins.begin(), linear.begins.end())) {
        return "the terms of the linear leaves are not in order";
    }
    if (std::any_of(linear.features.begin(), linear.features.end(),
                    [&](std::uint32_t feature) { return feature >= forest.features; })) {
        return "a linear leaf has a feature of " + std::to_string(forest.features) + " or more";
    }
    return math::all_finite(linear.constants) && math::all_finite(linear.coefficients) ? ""
                                                                                       : "a linear leaf is not finite";
}

/// What is wrong with a tree of a forest, or an empty string. Nothing of the tree needs to be valid.
[[nodiscard]] inline std::string problem_of(const TreeEnsemble& forest, const Tree& tree) {
    if (tree.leaves() > max_leaves) {
        return std::to_string(tree.leaves()) + " leaves, at most " + std::to_string(max_leaves) + " are supported";
    }
    const bool is_wide = forest.outputs > 1 && tree.leaf_values.size() == tree.leaves() * forest.outputs;
    if (!is_wide && tree.leaf_values.size() != tree.leaves()) {
        return std::to_string(tree.leaf_values.size()) + " leaf values for " + std::to_string(tree.leaves()) +
               " leaves";
    }
    if (tree.output >= (is_wide ? 1 : forest.outputs)) {
        return "output " + std::to_string(tree.output) + " of " + std::to_string(forest.outputs);
    }
    if (!math::all_finite(tree.leaf_values)) {
        return "a leaf value is not finite";
    }
    const auto is_cover = [](const std::vector<double>& covers, std::size_t n) {
        return covers.size() == n && std::all_of(covers.begin(), covers.end(), [](const double& cover) {
                   return math::is_finite(cover) && cover >= 0.0;
               });
    };
    const bool has_covers = !tree.split_covers.empty() || !tree.leaf_covers.empty();
    if (has_covers && !(is_cover(tree.split_covers, tree.splits.size()) && is_cover(tree.leaf_covers, tree.leaves()))) {
        return "the covers must be finite and >= 0, one per split and per leaf";
    }
    for (std::string problem :
         {problem_of_splits(forest, tree), problem_of_shape(tree), problem_of_linear_leaves(forest, tree)}) {
        if (!problem.empty()) {
            return problem;
        }
    }
    return {};
}

/// What is wrong with a forest apart from its trees, or an empty string.
[[nodiscard]] inline std::string problem_of_head(const TreeEnsemble& forest) {
    if (forest.features > std::numeric_limits<std::uint32_t>::max()) {
        return std::to_string(forest.features) + " features, at most 2^32 - 1 are supported";
    }
    if (forest.outputs == 0 || forest.outputs > 65'536) {
        return std::to_string(forest.outputs) + " outputs, 1 to 65536 are supported";
    }
    if (forest.trees.size() > max_trees) {
        return std::to_string(forest.trees.size()) + " trees, at most " + std::to_string(max_trees) + " are supported";
    }
    for (const auto* values : {&forest.start, &forest.bias}) {
        if (!values->empty() && (values->size() != forest.outputs || !math::all_finite(*values))) {
            return "start and bias must be finite, one per output";
        }
    }
    if (!math::is_finite(forest.scale) || !math::is_finite(forest.link_scale)) {
        return "scale and link_scale must be finite";
    }
    if (!math::is_finite(forest.averages_over) || !(forest.averages_over > 0.0)) {
        return "averages_over must be finite and > 0";
    }
    if (!forest.feature_names.empty() && forest.feature_names.size() != forest.features) {
        return std::to_string(forest.feature_names.size()) + " feature names for " + std::to_string(forest.features) +
               " features";
    }
    return {};
}

/// What is wrong with a forest, with the number of the tree, or an empty string.
[[nodiscard]] inline std::string problem_of(const TreeEnsemble& forest) {
    if (std::string problem = problem_of_head(forest); !problem.empty()) {
        return problem;
    }
    for (std::size_t t = 0; t < forest.trees.size(); ++t) {
        if (const std::string problem = problem_of(forest, forest.trees[t]); !problem.empty()) {
            return "tree " + std::to_string(t) + ": " + problem;
        }
    }
    return {};
}

}  // namespace detail
}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

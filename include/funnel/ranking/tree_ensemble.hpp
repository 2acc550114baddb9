// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// One decision of a tree. Formats differ in their rules; loaders translate all of them to this one:
///
///     x is NaN                                              -> missing_goes_left decides
///     zero_is_missing, and |x| <= 1e-35                     -> missing_goes_left decides
///     categories set: x is one of them                      -> left, else right
///     else: x <= threshold, in double                       -> left, else right
struct TreeSplit {
    static constexpr std::uint32_t no_categories = std::numeric_limits<std::uint32_t>::max();

    std::uint32_t feature = 0;
    std::uint32_t categories = no_categories;  ///< position in TreeEnsemble::category_sets, for a categorical split
    double threshold = 0.0;                    ///< may be infinite, not NaN
    std::int32_t left = 0;                     ///< a split i > that of the parent, or ~i for leaf i
    std::int32_t right = 0;                    ///< as left
    bool missing_goes_left = false;
    bool zero_is_missing = false;
};

/// The leaf that a child of a TreeSplit stands for.
[[nodiscard]] constexpr std::size_t leaf_number(std::int32_t child) noexcept {
    return static_cast<std::uint32_t>(~child);
}

/// Linear models in the leaves of a tree (LightGBM's linear_tree). The value of leaf i is
///
///     constants[i] + sum of coefficients[j] * x[features[j]], j from begins[i] to begins[i + 1], in this order
///
/// and the plain leaf value if one of these features is NaN.
struct LinearLeaves {
    std::vector<double> constants;        ///< one per leaf; empty if the leaves are not linear
    std::vector<std::uint32_t> begins;    ///< leaves + 1
    std::vector<std::uint32_t> features;  ///< all leaves, one after the other
    std::vector<double> coefficients;     ///< one per feature
};

/// A decision tree. Split 0 is the root; without splits, leaf 0 is the whole tree.
struct Tree {
    std::vector<TreeSplit> splits;
    std::vector<double> leaf_values;  ///< leaves x width: one per leaf, or one per leaf and output
    std::size_t output = 0;    ///< to which output the leaf value is added; 0 if the width is that of all outputs
    LinearLeaves linear = {};  ///< replaces leaf_values where it is not empty
    std::vector<double> split_covers;  ///< training rows (or their weight) in each split, for contributions; or empty
    std::vector<double> leaf_covers;   ///< as split_covers, for each leaf

    [[nodiscard]] std::size_t leaves() const noexcept { return splits.size() + 1; }
};

/// How raw scores become predictions.
enum class TreeLink : std::uint8_t {
    Identity,
    Sigmoid,       ///< 1 / (1 + exp(-link_scale x)), for each output
    Softmax,       ///< over the outputs
    Exponential,   ///< exp(x)
    SoftPlus,      ///< log(1 + exp(x))
    SignedSquare,  ///< sign(x) x^2
    Hinge          ///< 1 if x > 0, else 0
};

/// A forest as plain data, whatever library trained it: what loaders produce, validate() checks and Forest scores.
///
///     score[o] = scale * (start[o] + sum of the trees of output o, in order) + bias[o]
struct TreeEnsemble {
    std::size_t features = 0;
    std::size_t outputs = 1;  ///< classes or targets
    std::vector<Tree> trees;
    std::vector<std::vector<std::uint32_t>>
        category_sets;                               ///< words of 32 bits: category c is bit c % 32 of word c / 32
    bool negative_fractions_are_category_0 = false;  ///< a category in (-1, 0): 0 (LightGBM), or unknown
    bool fractions_are_unknown = false;  ///< a category with a fraction: unknown (scikit-learn), or truncated
    bool sums_in_float = false;          ///< add in single precision (XGBoost), otherwise in double
    std::vector<double> start;           ///< one per output, or empty for zeros
    double scale = 1.0;
    std::vector<double> bias;  ///< one per output, or empty for zeros
    TreeLink link = TreeLink::Identity;
    double link_scale = 1.0;
    double averages_over = 1.0;              ///< predictions divide the score by this before the link (random forests)
    std::vector<std::string> feature_names;  ///< one per feature, or empty
    std::string objective;                   ///< what LightGBM calls the objective, or empty; no score depends on it
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/matrix.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

// Random forests, rows that hit their rules, and the scores that these have by definition.
namespace funnel::testing {

using ranking::Tree;
using ranking::TreeEnsemble;
using ranking::TreeSplit;

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float missing_value = std::numeric_limits<float>::quiet_NaN();
inline constexpr float denormal = std::numeric_limits<float>::denorm_min();
inline constexpr float largest = std::numeric_limits<float>::max();

// What a random forest consists of.
struct ForestShape {
    std::size_t features = 7;
    std::size_t trees = 20;
    std::size_t leaves = 31;  // of each tree at most
    std::size_t outputs = 1;
    std::size_t thresholds = 1000;  // different ones per feature, about
    bool has_categories = false;
    bool has_vector_leaves = false;
    bool has_linear_leaves = false;
    bool has_zero_rules = false;
    int missing = 2;  // 0: right, 1: left, 2: either, 3: as 0.0
    bool sums_in_float = false;
};

// Numbers at which rules change, and others.
inline double number(Random& random, std::size_t thresholds) {
    constexpr std::array<double, 22> special{0.0,
                                             -0.0,
                                             denormal,
                                             -denormal,
                                             0.3 * denormal,
                                             -0.3 * denormal,
                                             1e-300,
                                             -1e-300,
                                             1e-39,
                                             -1.1e-39,
                                             1e-35,
                                             1e-35F,
                                             1.0000000180025095e-35,
                                             -1e-35F,
                                             -1.0000000180025095e-35,
                                             largest,
                                             -static_cast<double>(largest),
                                             1e300,
                                             -1e300,
                                             static_cast<double>(infinity),
                                             -static_cast<double>(infinity),
                                             std::numeric_limits<double>::denorm_min()};
    if (random.below(8) == 0) {
        return special[random.below(special.size())];
    }
    return (static_cast<double>(random.below(thresholds)) - static_cast<double>(thresholds) / 3.0) * 0.1;
}

inline float value(Random& random, std::size_t thresholds) {
    if (random.below(10) == 0) {
        return missing_value;
    }
    const double x = number(random, thresholds);
    const float rounded = std::abs(x) > largest ? (x > 0.0 ? infinity : -infinity) : static_cast<float>(x);
    switch (random.below(4)) {
        case 0:
            return std::nextafter(rounded, infinity);
        case 1:
            return std::nextafter(rounded, -infinity);
        default:
            return rounded;
    }
}

inline Tree random_tree(Random& random, const TreeEnsemble& forest, const ForestShape& shape) {
    Tree tree;
    const std::size_t leaves = 1 + random.below(shape.leaves);
    std::vector<std::int32_t*> leaf_links;
    tree.splits.resize(leaves - 1);
    for (std::size_t i = 0; i + 1 < leaves; ++i) {
        TreeSplit& split = tree.splits[i];
        std::int32_t leaf = 0;
        if (i > 0) {
            const std::size_t at = random.below(leaf_links.size());
            leaf = *leaf_links[at];
            *leaf_links[at] = static_cast<std::int32_t>(i);
            leaf_links.erase(leaf_links.begin() + static_cast<std::ptrdiff_t>(at));
        } else {
            leaf = ~0;
        }
        split.left = random.below(2) == 0 ? leaf : ~static_cast<std::int32_t>(i + 1);
        split.right = split.left == leaf ? ~static_cast<std::int32_t>(i + 1) : leaf;
        leaf_links.push_back(&split.left);
        leaf_links.push_back(&split.right);
        split.feature = static_cast<std::uint32_t>(random.below(shape.features));
        split.threshold = number(random, shape.thresholds);
        split.zero_is_missing = shape.has_zero_rules && random.below(3) == 0;
        split.missing_goes_left = shape.missing == 3   ? 0.0 <= split.threshold
                                  : shape.missing == 2 ? random.below(2) == 0
                                                       : shape.missing == 1;
        if (shape.has_categories && random.below(3) == 0) {
            split.categories = static_cast<std::uint32_t>(random.below(forest.category_sets.size()));
        }
    }
    const std::size_t width = shape.has_vector_leaves ? shape.outputs : 1;
    tree.output = width > 1 ? 0 : random.below(shape.outputs);
    for (std::size_t i = 0; i < leaves * width; ++i) {
        tree.leaf_values.push_back(random.uniform() - 0.4);
    }
    if (shape.has_linear_leaves && random.below(2) == 0) {
        tree.linear.begins.push_back(0);
        for (std::size_t i = 0; i < leaves; ++i) {
            tree.linear.constants.push_back(random.uniform());
            for (std::size_t terms = random.below(4); terms > 0; --terms) {
                tree.linear.features.push_back(static_cast<std::uint32_t>(random.below(shape.features)));
                tree.linear.coefficients.push_back(random.uniform() - 0.5);
            }
            tree.linear.begins.push_back(static_cast<std::uint32_t>(tree.linear.features.size()));
        }
    }
    return tree;
}

inline TreeEnsemble random_forest(std::uint64_t seed, const ForestShape& shape) {
    Random random(seed);
    TreeEnsemble forest;
    forest.features = shape.features;
    forest.outputs = shape.outputs;
    forest.sums_in_float = shape.sums_in_float;
    if (shape.has_categories) {
        forest.category_sets.resize(9);
        for (auto& set : forest.category_sets) {
            set.resize(random.below(4));
            for (auto& word : set) {
                word = static_cast<std::uint32_t>(random.below(std::size_t{1} << 32U));
            }
        }
        forest.negative_fractions_are_category_0 = random.below(2) == 0;
        forest.fractions_are_unknown = random.below(2) == 0;
    }
    for (std::size_t t = 0; t < shape.trees; ++t) {
        forest.trees.push_back(random_tree(random, forest, shape));
    }
    if (random.below(2) == 0) {
        for (std::size_t o = 0; o < shape.outputs; ++o) {
            forest.start.push_back(random.uniform());
            forest.bias.push_back(random.uniform());
        }
        forest.scale = 0.3;
    }
    return forest;
}

inline Matrix<float> random_rows(std::uint64_t seed, std::size_t n, const ForestShape& shape) {
    Random random(seed);
    Matrix<float> rows(n, shape.features);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = value(random, shape.thresholds);
        }
    }
    return rows;
}

inline std::vector<std::uint64_t> bits(std::span<const double> scores) {
    std::vector<std::uint64_t> result;
    for (const double score : scores) {
        result.push_back(std::bit_cast<std::uint64_t>(score));
    }
    return result;
}

// Bits of the scores as defined.
inline std::vector<std::uint64_t> specified(const TreeEnsemble& forest, MatrixView<const float> rows) {
    std::vector<double> scores(rows.rows() * forest.outputs);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        ranking::detail::score_row(forest, rows.row(i), std::span(scores).subspan(i * forest.outputs, forest.outputs));
    }
    return bits(scores);
}

}  // namespace funnel::testing

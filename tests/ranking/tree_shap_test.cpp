// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/tree_shap.hpp>

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/core/parallel.hpp>
#include <funnel/core/rng.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace {

using funnel::Matrix;
using funnel::Random;
using funnel::ranking::Forest;
using funnel::ranking::Tree;
using funnel::ranking::tree_shap;
using funnel::ranking::TreeEnsemble;
using funnel::ranking::TreeSplit;

// Splits a random leaf until the tree has so many leaves. Covers are random, those of a split the sum of its children.
Tree random_tree(Random& random, std::size_t features, std::size_t leaves, std::size_t width) {
    Tree tree;
    std::vector<std::int32_t*> slots;
    tree.splits.reserve(leaves);
    std::int32_t root = 0;
    std::vector<std::pair<std::int32_t, bool>> open{{-1, true}};  // parent and side
    for (std::size_t i = 0; i + 1 < leaves; ++i) {
        const std::size_t pick = random.below(open.size());
        const auto [parent, left] = open[pick];
        open.erase(open.begin() + static_cast<std::ptrdiff_t>(pick));
        const auto id = static_cast<std::int32_t>(i);
        if (parent >= 0) {
            auto& split = tree.splits[static_cast<std::size_t>(parent)];
            (left ? split.left : split.right) = id;
        } else {
            root = id;
        }
        TreeSplit split;
        split.feature = static_cast<std::uint32_t>(random.below(features));
        split.threshold = random.normal();
        split.missing_goes_left = random.below(2) == 0;
        tree.splits.push_back(split);
        open.emplace_back(id, true);
        open.emplace_back(id, false);
    }
    CHECK(root == 0);
    tree.leaf_covers.resize(leaves);
    tree.leaf_values.resize(leaves * width);
    std::size_t leaf = 0;
    for (const auto& [parent, left] : open) {
        if (parent >= 0) {
            auto& split = tree.splits[static_cast<std::size_t>(parent)];
            (left ? split.left : split.right) = ~static_cast<std::int32_t>(leaf);
        }
        tree.leaf_covers[leaf++] = 1.0 + static_cast<double>(random.below(20));
    }
    for (double& value : tree.leaf_values) {
        value = random.normal();
    }
    tree.split_covers.resize(tree.splits.size());
    for (std::size_t i = tree.splits.size(); i-- > 0;) {
        for (const std::int32_t child : {tree.splits[i].left, tree.splits[i].right}) {
            tree.split_covers[i] += child < 0 ? tree.leaf_covers[static_cast<std::size_t>(~child)]
                                              : tree.split_covers[static_cast<std::size_t>(child)];
        }
    }
    return tree;
}

// The expected value of a tree if only the features of a subset are known: the definition.
double expectation(const Tree& tree, std::span<const float> row, std::size_t subset, std::size_t o, std::int32_t at) {
    const std::size_t width = tree.leaf_values.size() / tree.leaves();
    if (at < 0) {
        return tree.leaf_values[static_cast<std::size_t>(~at) * width + o];
    }
    const auto i = static_cast<std::size_t>(at);
    const TreeSplit& split = tree.splits[i];
    const auto down = [&](std::int32_t child) { return expectation(tree, row, subset, o, child); };
    if (((subset >> split.feature) & 1U) != 0) {
        const float x = row[split.feature];
        const bool left = std::isnan(x) ? split.missing_goes_left : static_cast<double>(x) <= split.threshold;
        return down(left ? split.left : split.right);
    }
    const auto cover = [&](std::int32_t child) {
        return child < 0 ? tree.leaf_covers[static_cast<std::size_t>(~child)]
                         : tree.split_covers[static_cast<std::size_t>(child)];
    };
    return (cover(split.left) * down(split.left) + cover(split.right) * down(split.right)) / tree.split_covers[i];
}

// Shapley values by their definition: a sum over all subsets.
std::vector<double> shapley(const TreeEnsemble& forest, std::span<const float> row, std::size_t o) {
    const std::size_t d = forest.features;
    const auto worth = [&](std::size_t subset) {
        double sum = 0.0;
        for (const Tree& tree : forest.trees) {
            sum += expectation(tree, row, subset, o, tree.splits.empty() ? ~0 : 0);
        }
        return sum;
    };
    const auto factorial = [](std::size_t n) { return std::tgamma(static_cast<double>(n) + 1.0); };
    std::vector<double> values(d + 1, 0.0);
    for (std::size_t j = 0; j < d; ++j) {
        for (std::size_t subset = 0; subset < (std::size_t{1} << d); ++subset) {
            if (((subset >> j) & 1U) == 0) {
                const auto size = static_cast<std::size_t>(__builtin_popcountll(subset));
                const double weight = factorial(size) * factorial(d - size - 1) / factorial(d);
                values[j] += weight * (worth(subset | (std::size_t{1} << j)) - worth(subset));
            }
        }
    }
    values[d] = worth(0);
    return values;
}

Matrix<float> random_rows(Random& random, std::size_t n, std::size_t d) {
    Matrix<float> rows(n, d);
    for (std::size_t i = 0; i < n; ++i) {
        for (float& x : rows.row(i)) {
            x = random.below(6) == 0 ? std::numeric_limits<float>::quiet_NaN() : static_cast<float>(random.normal());
        }
    }
    return rows;
}

TreeEnsemble stump() {
    TreeEnsemble forest;
    forest.features = 2;
    Tree tree;
    tree.splits.resize(1);
    tree.splits[0].feature = 1;
    tree.splits[0].threshold = 0.5;
    tree.splits[0].left = ~0;
    tree.splits[0].right = ~1;
    tree.leaf_values = {10.0, 20.0};
    tree.split_covers = {4.0};
    tree.leaf_covers = {3.0, 1.0};
    forest.trees = {tree};
    return forest;
}

}  // namespace

TEST_CASE("tree_shap: worked by hand") {
    // 3 of 4 training rows go left: expected (3 * 10 + 20) / 4 = 12.5. The row goes right: feature 1 adds 7.5.
    Matrix<float> rows(1, 2);
    rows(0, 1) = 1.0F;
    CHECK(tree_shap(stump(), rows) == std::vector<double>{0.0, 7.5, 12.5});
}

TEST_CASE("tree_shap: equals the definition of Shapley values, and the sum is the score") {
    Random random(1);
    for (std::size_t repeat = 0; repeat < 20; ++repeat) {
        TreeEnsemble forest;
        forest.features = 1 + random.below(6);  // few: the same feature occurs several times on a path
        forest.outputs = 1 + random.below(2);
        for (std::size_t t = 0; t < 3; ++t) {
            const bool is_wide = forest.outputs == 2 && t == 2;
            forest.trees.push_back(random_tree(random, forest.features, 1 + random.below(12), is_wide ? 2 : 1));
            if (!is_wide) {
                forest.trees.back().output = t % forest.outputs;
            }
        }
        const Matrix<float> rows = random_rows(random, 5, forest.features);
        const auto values = tree_shap(forest, rows);
        const auto scores = Forest(forest).score(rows);
        const std::size_t columns = forest.features + 1;
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (std::size_t o = 0; o < forest.outputs; ++o) {
                TreeEnsemble part = forest;  // the trees that add to output o
                std::erase_if(part.trees, [&](const Tree& tree) {
                    return tree.leaf_values.size() == tree.leaves() && tree.output != o;
                });
                std::vector<double> expected(columns, 0.0);
                for (const Tree& tree : part.trees) {
                    TreeEnsemble single = forest;
                    single.trees = {tree};
                    const bool is_wide = tree.leaf_values.size() != tree.leaves();
                    const auto add = shapley(single, rows.row(i), is_wide ? o : 0);
                    for (std::size_t j = 0; j < columns; ++j) {
                        expected[j] += add[j];
                    }
                }
                double sum = 0.0;
                for (std::size_t j = 0; j < columns; ++j) {
                    const double value = values[(i * forest.outputs + o) * columns + j];
                    CHECK(value == doctest::Approx(expected[j]).epsilon(1e-9).scale(1.0));
                    sum += value;
                }
                CHECK(sum == doctest::Approx(scores[i * forest.outputs + o]).epsilon(1e-9).scale(1.0));
            }
        }
    }
}

TEST_CASE("tree_shap: start, scale and bias are part of the expected score") {
    TreeEnsemble forest = stump();
    forest.start = {1.0};
    forest.scale = 2.0;
    forest.bias = {0.5};
    Matrix<float> rows(1, 2);
    rows(0, 1) = 1.0F;
    CHECK(tree_shap(forest, rows) == std::vector<double>{0.0, 15.0, 27.5});
    CHECK(Forest(forest).score(rows) == std::vector<double>{42.5});
}

TEST_CASE("tree_shap: sides that no training row took count only where the row takes them") {
    TreeEnsemble forest = stump();
    forest.trees[0].leaf_covers = {4.0, 0.0};
    Matrix<float> rows(2, 2);
    rows(0, 1) = 1.0F;
    CHECK(tree_shap(forest, rows) == std::vector<double>{0.0, 10.0, 10.0, 0.0, 0.0, 10.0});
    forest.trees[0].split_covers = {0.0};
    forest.trees[0].leaf_covers = {0.0, 0.0};
    CHECK(tree_shap(forest, rows) == std::vector<double>{0.0, 5.0, 15.0, 0.0, -5.0, 15.0});
}

TEST_CASE("tree_shap: the same bits for any number of threads") {
    Random random(2);
    TreeEnsemble forest;
    forest.features = 4;
    for (std::size_t t = 0; t < 5; ++t) {
        forest.trees.push_back(random_tree(random, 4, 16, 1));
    }
    const Matrix<float> rows = random_rows(random, 33, 4);
    const auto expected = tree_shap(forest, rows);
    for (const std::size_t count : {1U, 2U, 4U}) {
        funnel::Threads threads(count);
        CHECK(tree_shap(forest, rows, threads) == expected);
    }
}

TEST_CASE("tree_shap: no rows, no trees, a constant tree") {
    CHECK(tree_shap(stump(), Matrix<float>(0, 2)).empty());
    TreeEnsemble forest;
    forest.features = 1;
    CHECK(tree_shap(forest, Matrix<float>(1, 1)) == std::vector<double>{0.0, 0.0});
    Tree constant;
    constant.leaf_values = {3.0};
    constant.leaf_covers = {7.0};
    forest.trees = {constant};
    CHECK(tree_shap(forest, Matrix<float>(1, 1)) == std::vector<double>{0.0, 3.0});
}

TEST_CASE("tree_shap: errors name what is missing") {
    const Matrix<float> rows(1, 2);
    CHECK_THROWS_WITH_AS((void)tree_shap(stump(), Matrix<float>(1, 3)),
                         "tree_shap: number of columns of rows must be 2, got 3", funnel::InvalidArgument);
    TreeEnsemble forest = stump();
    forest.trees[0].split_covers.clear();
    CHECK_THROWS_WITH_AS((void)tree_shap(forest, rows), "tree_shap: tree 0 must have covers, found none",
                         funnel::InvalidArgument);
    forest = stump();
    forest.trees[0].linear.constants = {1.0, 2.0};
    CHECK_THROWS_AS((void)tree_shap(forest, rows), funnel::InvalidArgument);

    // A chain: each split has one leaf.
    for (const std::size_t depth : {std::size_t{500}, std::size_t{501}}) {
        forest = stump();
        Tree& tree = forest.trees[0];
        tree.splits.assign(depth, tree.splits[0]);
        tree.leaf_values.assign(depth + 1, 1.0);
        tree.leaf_covers.assign(depth + 1, 1.0);
        tree.split_covers.clear();
        for (std::size_t i = 0; i < depth; ++i) {
            tree.splits[i].left = ~static_cast<std::int32_t>(i);
            tree.splits[i].right = i + 1 < depth ? static_cast<std::int32_t>(i + 1) : ~static_cast<std::int32_t>(depth);
            tree.split_covers.push_back(static_cast<double>(depth - i + 1));
        }
        if (depth == 500) {
            CHECK(tree_shap(forest, rows).back() == doctest::Approx(1.0));
        } else {
            CHECK_THROWS_WITH_AS((void)tree_shap(forest, rows),
                                 "tree_shap: tree 0 must have a depth of at most 500, found 501",
                                 funnel::InvalidArgument);
        }
    }
}

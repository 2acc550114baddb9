// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/executor.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

/// Shapley values of one tree. Each element of the path is a feature that was split on, with two fractions: of the
/// training rows that take this way without knowing the feature (zero), and whether the explained row takes it (one).
/// weights[i] belongs to the subsets of the path with i elements.
class TreeShap {
public:
    /// Recursion and memory grow with the depth, and its square.
    static constexpr std::size_t max_depth = 500;

    TreeShap(const TreeEnsemble& forest, const Tree& tree) : forest_(forest), tree_(tree) {}

    [[nodiscard]] static std::size_t depth_of(const Tree& tree) {
        std::vector<std::size_t> depths(tree.splits.size(), 1);
        std::size_t deepest = 0;
        for (std::size_t i = 0; i < tree.splits.size(); ++i) {  // children follow their parents
            deepest = std::max(deepest, depths[i]);
            for (const std::int32_t child : {tree.splits[i].left, tree.splits[i].right}) {
                if (child >= 0) {
                    depths[static_cast<std::size_t>(child)] = depths[i] + 1;
                }
            }
        }
        return deepest;
    }

    /// Adds the contributions of one row to out: outputs x (features + 1), the last column is the expected score.
    void add(std::span<const float> row, std::span<double> out) const {
        std::vector<Element> path;
        visit(tree_.splits.empty() ? ~0 : 0, row, path, {no_feature, 1.0, 1.0}, 1.0, out);
    }

private:
    static constexpr std::uint32_t no_feature = TreeSplit::no_categories;

    struct Element {
        std::uint32_t feature = 0;
        double zero = 1.0;
        double one = 1.0;
        double weight = 0.0;
    };

    // EXTEND of the paper.
    static void extend(std::vector<Element>& path, Element element) {
        const std::size_t n = path.size();
        element.weight = n == 0 ? 1.0 : 0.0;
        path.push_back(element);
        const auto size = static_cast<double>(n + 1);
        for (std::size_t i = n; i-- > 0;) {
            path[i + 1].weight += element.one * path[i].weight * static_cast<double>(i + 1) / size;
            path[i].weight *= element.zero * static_cast<double>(n - i) / size;
        }
    }

    // UNWIND of the paper: calls set(i, weight) with the weights of the path without one of its elements.
    template <class Set>
    static void unwound(const std::vector<Element>& path, const Element& without, Set&& set) {
        const std::size_t last = path.size() - 1;
        const auto size = static_cast<double>(path.size());
        double next = path[last].weight;
        for (std::size_t i = last; i-- > 0;) {
            const auto shorter = static_cast<double>(last - i);
            if (without.one != 0.0) {
                const double weight = next * size / (static_cast<double>(i + 1) * without.one);
                next = path[i].weight - weight * without.zero * shorter / size;
                set(i, weight);
            } else {
                set(i, path[i].weight * size / (without.zero * shorter));
            }
        }
    }

    static Element remove(std::vector<Element>& path, std::size_t at) {
        const Element removed = path[at];
        std::vector<Element> shorter = path;
        unwound(path, removed, [&](std::size_t i, double weight) { shorter[i].weight = weight; });
        for (std::size_t i = at; i + 1 < path.size(); ++i) {  // the weights stay where they are
            shorter[i].feature = path[i + 1].feature;
            shorter[i].zero = path[i + 1].zero;
            shorter[i].one = path[i + 1].one;
        }
        shorter.pop_back();
        path = std::move(shorter);
        return removed;
    }

    // reach: part of the training rows that get here.
    void visit(std::int32_t at, std::span<const float> row, std::vector<Element> path, const Element& element,
               double reach, std::span<double> out) const {
        extend(path, element);
        if (at < 0) {
            return add_leaf(leaf_number(at), path, reach, out);
        }
        const auto i = static_cast<std::size_t>(at);
        const TreeSplit& split = tree_.splits[i];
        Element known{split.feature, 1.0, 1.0};
        const auto same = std::find_if(path.begin() + 1, path.end(),
                                       [&](const Element& other) { return other.feature == split.feature; });
        if (same != path.end()) {
            known = remove(path, static_cast<std::size_t>(same - path.begin()));
        }
        const bool is_left = goes_left(forest_, split, row[split.feature]);
        for (const bool left : {true, false}) {
            const std::int32_t child = left ? split.left : split.right;
            const double cover = tree_.split_covers[i];
            const double fraction = cover > 0.0 ? cover_of(child) / cover : 0.5;
            const Element next{split.feature, known.zero * fraction, left == is_left ? known.one : 0.0};
            if (next.zero != 0.0 || next.one != 0.0) {  // else no subset gets there
                visit(child, row, path, next, reach * fraction, out);
            }
        }
    }

    void add_leaf(std::size_t leaf, const std::vector<Element>& path, double reach, std::span<double> out) const {
        const std::size_t columns = forest_.features + 1;
        const std::size_t width = tree_.leaf_values.size() / tree_.leaves();
        for (std::size_t o = 0; o < width; ++o) {
            const double value = tree_.leaf_values[leaf * width + o];
            const auto sums = out.subspan((tree_.output + o) * columns, columns);
            sums.back() += reach * value;
            for (std::size_t i = 1; i < path.size(); ++i) {
                double weight = 0.0;
                unwound(path, path[i], [&](std::size_t, double part) { weight += part; });
                sums[path[i].feature] += weight * (path[i].one - path[i].zero) * value;
            }
        }
    }

    [[nodiscard]] double cover_of(std::int32_t child) const {
        return child < 0 ? tree_.leaf_covers[leaf_number(child)] : tree_.split_covers[static_cast<std::size_t>(child)];
    }

    const TreeEnsemble& forest_;
    const Tree& tree_;
};

}  // namespace detail

/// Explains scores: how much each feature of a row contributed to its raw score, as exact Shapley values. Features that
/// are not known follow both sides of a split, as often as the training rows did ("path-dependent" TreeSHAP, what
/// LightGBM's pred_contrib returns).
///
///     sum over features of the contributions + expected score = score
///
/// Shapes    rows: n x forest.features
/// Returns   n x outputs x (features + 1), row by row; the last column is the expected score
/// Cost      O(n trees leaves depth^2)
/// Errors    InvalidArgument if the number of columns differs, or if a tree has no covers, linear leaves, or a depth of
///           more than 500
/// Source    Lundberg et al., "Consistent individualized feature attribution for tree ensembles", 2018 (algorithm 2)
template <Executor E = Serial>
[[nodiscard]] std::vector<double> tree_shap(const TreeEnsemble& forest, MatrixView<const float> rows,
                                            E&& executor = E{}) {
    require_equal(rows.cols(), forest.features, "tree_shap: number of columns of rows");
    for (std::size_t t = 0; t < forest.trees.size(); ++t) {
        const Tree& tree = forest.trees[t];
        const std::string name = "tree_shap: tree " + std::to_string(t);
        if (tree.leaf_covers.size() != tree.leaves() || tree.split_covers.size() != tree.splits.size()) {
            raise<InvalidArgument>(name + " must have covers, found none");
        }
        if (!tree.linear.constants.empty()) {
            raise<InvalidArgument>(name + " must not have linear leaves");
        }
        if (const std::size_t depth = detail::TreeShap::depth_of(tree); depth > detail::TreeShap::max_depth) {
            raise<InvalidArgument>(name + " must have a depth of at most 500, found " + std::to_string(depth));
        }
    }
    const std::size_t columns = forest.features + 1;
    const std::size_t width = forest.outputs * columns;
    std::vector<double> out(rows.rows() * width, 0.0);
    parallel_for(executor, rows.rows(), 1, [&](std::size_t i) {
        const auto row = std::span(out).subspan(i * width, width);
        for (const Tree& tree : forest.trees) {
            detail::TreeShap(forest, tree).add(rows.row(i), row);
        }
        for (double& sum : row) {
            sum *= forest.scale;
        }
        for (std::size_t o = 0; o < forest.outputs; ++o) {
            double& expected = row[o * columns + forest.features];
            expected += forest.start.empty() ? 0.0 : forest.scale * forest.start[o];
            expected += forest.bias.empty() ? 0.0 : forest.bias[o];
        }
    });
    return out;
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

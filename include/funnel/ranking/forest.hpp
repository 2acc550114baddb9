// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/core/options.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_link.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

/// Scores rows with a forest that LightGBM, XGBoost, CatBoost, scikit-learn or ranking/lambdamart.hpp trained.
class Forest {
public:
    /// A forest without trees, features and outputs other than one: it scores nothing.
    Forest() = default;

    /// Errors    InvalidArgument with the tree, the split and the value if the forest is not valid
    explicit Forest(TreeEnsemble trees) : trees_(std::move(trees)) {
        if (const std::string problem = detail::problem_of(trees_); !problem.empty()) {
            raise<InvalidArgument>("Forest: " + problem);
        }
    }

    /// Raw scores (margins), with the same bits as the library that trained the forest.
    ///
    /// Shapes    rows: n x features(); NaN is a missing value
    /// Returns   n x outputs(), row by row
    /// Errors    InvalidArgument if the number of columns differs
    [[nodiscard]] std::vector<double> score(MatrixView<const float> rows) const {
        require_equal(rows.cols(), trees_.features, "Forest::score: number of columns of rows");
        std::vector<double> out(rows.rows() * trees_.outputs);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            score_row(rows.row(i), std::span(out).subspan(i * trees_.outputs, trees_.outputs));
        }
        return out;
    }

    /// Scores after the transformation of the objective: probabilities, counts ...
    ///
    /// Shapes, Errors    as score()
    [[nodiscard]] std::vector<double> predict(MatrixView<const float> rows) const {
        std::vector<double> out = score(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            detail::apply_link(trees_, std::span(out).subspan(i * trees_.outputs, trees_.outputs));
        }
        return out;
    }

    [[nodiscard]] std::size_t features() const noexcept { return trees_.features; }
    [[nodiscard]] std::size_t outputs() const noexcept { return trees_.outputs; }
    [[nodiscard]] const TreeEnsemble& trees() const noexcept FUNNEL_LIFETIMEBOUND { return trees_; }

private:
    void score_row(std::span<const float> row, std::span<double> out) const {
        for (std::size_t o = 0; o < out.size(); ++o) {
            out[o] = trees_.start.empty() ? 0.0 : trees_.start[o];
        }
        const auto add = [&](double& sum, double value) {
            sum = trees_.sums_in_float ? static_cast<double>(static_cast<float>(sum) + static_cast<float>(value))
                                       : sum + value;
        };
        for (const Tree& tree : trees_.trees) {
            const std::size_t leaf = detail::leaf_of(trees_, tree, row);
            if (!tree.linear.constants.empty()) {
                add(out[tree.output], detail::linear_value(tree, leaf, row));
            } else if (const std::size_t width = tree.leaf_values.size() / tree.leaves(); width == 1) {
                add(out[tree.output], tree.leaf_values[leaf]);
            } else {
                for (std::size_t o = 0; o < width; ++o) {
                    add(out[o], tree.leaf_values[leaf * width + o]);
                }
            }
        }
        for (std::size_t o = 0; o < out.size(); ++o) {
            out[o] = trees_.scale * out[o] + (trees_.bias.empty() ? 0.0 : trees_.bias[o]);
        }
    }

    TreeEnsemble trees_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

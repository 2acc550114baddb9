// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/core/matrix_view.hpp>
#include <funnel/kernels/cuda/system.cuh>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/tree_decision.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_link.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

/// A tree whose splits and leaves are part of long arrays.
struct DeviceTree {
    std::size_t splits;       // where its splits begin
    std::size_t leaf_values;  // where its leaf values begin
    std::size_t linear;       // where its constants and begins begin, if it is linear
    std::size_t width;
    std::size_t output;
    bool has_splits;
    bool is_linear;
};

/// The arrays, in device memory.
struct DeviceTreesView {
    const DeviceTree* trees;
    std::size_t n_trees;
    const TreeSplit* splits;
    const double* leaf_values;
    const std::size_t* set_begins;  // one more than there are sets
    const std::uint32_t* set_words;
    const double* constants;
    const std::size_t* begins;
    const std::uint32_t* linear_features;
    const double* coefficients;
    const double* start;  // one per output
    const double* bias;   // one per output
    double scale;
    std::size_t outputs;
    bool negative_fractions_are_category_0;
    bool fractions_are_unknown;
    bool sums_in_float;
};

/// score_row of tree_decision.hpp again, on pointers, because a device function may call only device functions.
struct ScoreRowThere {
    DeviceTreesView forest;
    kernels::DeviceRows rows;
    double* out;  // rows x outputs

    FUNNEL_HOST_DEVICE void operator()(std::size_t i) const noexcept {
        const float* row = rows.data + i * rows.cols;
        double* sums = out + i * forest.outputs;
        for (std::size_t o = 0; o < forest.outputs; ++o) {
            sums[o] = rounded(forest.start[o]);
        }
        for (std::size_t t = 0; t < forest.n_trees; ++t) {
            const DeviceTree& tree = forest.trees[t];
            const std::size_t leaf = leaf_of(tree, row);
            const double* values = forest.leaf_values + tree.leaf_values + leaf * tree.width;
            for (std::size_t o = 0; o < tree.width; ++o) {
                const double value = tree.is_linear ? linear_value(tree, leaf, row, values[0]) : values[o];
                double& sum = sums[tree.output + o];
                sum = rounded(sum + rounded(value));
            }
        }
        for (std::size_t o = 0; o < forest.outputs; ++o) {
            sums[o] = rounded_product(forest.scale, sums[o]) + forest.bias[o];
        }
    }

private:
    [[nodiscard]] FUNNEL_HOST_DEVICE double rounded(double x) const noexcept {
        return forest.sums_in_float ? static_cast<double>(static_cast<float>(x)) : x;
    }

    [[nodiscard]] FUNNEL_HOST_DEVICE std::size_t leaf_of(const DeviceTree& tree, const float* row) const noexcept {
        std::int32_t at = tree.has_splits ? 0 : ~0;
        while (at >= 0) {
            const TreeSplit& split = forest.splits[tree.splits + static_cast<std::size_t>(at)];
            at = goes_left(split, row[split.feature]) ? split.left : split.right;
        }
        return static_cast<std::size_t>(~at);
    }

    [[nodiscard]] FUNNEL_HOST_DEVICE bool goes_left(const TreeSplit& split, const float& x) const noexcept {
        if (math::is_nan(x) || (split.zero_is_missing && math::abs(x) <= zero_threshold)) {
            return split.missing_goes_left;
        }
        if (split.categories != TreeSplit::no_categories) {
            const std::size_t begin = forest.set_begins[split.categories];
            return contains(forest.set_words + begin, forest.set_begins[split.categories + 1] - begin,
                            category_of(x, forest.negative_fractions_are_category_0, forest.fractions_are_unknown));
        }
        return static_cast<double>(x) <= split.threshold;
    }

    [[nodiscard]] FUNNEL_HOST_DEVICE double linear_value(const DeviceTree& tree, std::size_t leaf, const float* row,
                                                         double plain) const noexcept {
        double value = forest.constants[tree.linear + leaf];
        const std::size_t* begins = forest.begins + tree.linear + leaf;
        for (std::size_t j = begins[0]; j < begins[1]; ++j) {
            const float& x = row[forest.linear_features[j]];
            if (math::is_nan(x)) {
                return plain;
            }
            value +=
                rounded_product(forest.coefficients[j], math::abs(x) <= zero_threshold ? 0.0 : static_cast<double>(x));
        }
        return value;
    }
};

/// A forest in device memory.
template <class System>
class DeviceTrees {
public:
    DeviceTrees() = default;

    explicit DeviceTrees(const TreeEnsemble& forest)
        : start_(forest.start.empty() ? std::vector<double>(forest.outputs) : forest.start),
          bias_(forest.bias.empty() ? std::vector<double>(forest.outputs) : forest.bias) {
        Host all;
        for (const auto& words : forest.category_sets) {
            all.set_words.insert(all.set_words.end(), words.begin(), words.end());
            all.set_begins.push_back(all.set_words.size());
        }
        for (const Tree& tree : forest.trees) {
            all.append(tree);
        }
        trees_ = Buffer<DeviceTree>(std::span<const DeviceTree>(all.trees));
        splits_ = Buffer<TreeSplit>(std::span<const TreeSplit>(all.splits));
        leaf_values_ = Buffer<double>(std::span<const double>(all.leaf_values));
        set_begins_ = Buffer<std::size_t>(std::span<const std::size_t>(all.set_begins));
        set_words_ = Buffer<std::uint32_t>(std::span<const std::uint32_t>(all.set_words));
        constants_ = Buffer<double>(std::span<const double>(all.constants));
        begins_ = Buffer<std::size_t>(std::span<const std::size_t>(all.begins));
        linear_features_ = Buffer<std::uint32_t>(std::span<const std::uint32_t>(all.linear_features));
        coefficients_ = Buffer<double>(std::span<const double>(all.coefficients));
    }

    /// Shapes    rows: n x features, without padding;  out: n x outputs
    void score(const TreeEnsemble& forest, std::span<const float> rows, std::span<double> out) const {
        const std::size_t n = out.size() / forest.outputs;
        const Buffer<float> rows_there{rows};
        Buffer<double> out_there(out.size());
        const DeviceTreesView view{trees_.span().data,
                                   trees_.size(),
                                   splits_.span().data,
                                   leaf_values_.span().data,
                                   set_begins_.span().data,
                                   set_words_.span().data,
                                   constants_.span().data,
                                   begins_.span().data,
                                   linear_features_.span().data,
                                   coefficients_.span().data,
                                   start_.span().data,
                                   bias_.span().data,
                                   forest.scale,
                                   forest.outputs,
                                   forest.negative_fractions_are_category_0,
                                   forest.fractions_are_unknown,
                                   forest.sums_in_float};
        thrust::for_each_n(System::policy(), thrust::counting_iterator<std::size_t>(0), n,
                           ScoreRowThere{view, {rows_there.span().data, n, forest.features}, out_there.span().data});
        out_there.copy_to(out);
    }

private:
    template <class T>
    using Buffer = kernels::DeviceBuffer<T, System>;

    /// The arrays before they are copied.
    struct Host {
        std::vector<DeviceTree> trees;
        std::vector<TreeSplit> splits;
        std::vector<double> leaf_values;
        std::vector<std::size_t> set_begins{0};
        std::vector<std::uint32_t> set_words;
        std::vector<double> constants;
        std::vector<std::size_t> begins;
        std::vector<std::uint32_t> linear_features;
        std::vector<double> coefficients;

        void append(const Tree& tree) {
            const LinearLeaves& linear = tree.linear;
            trees.push_back({splits.size(), leaf_values.size(), begins.size(), tree.leaf_values.size() / tree.leaves(),
                             tree.output, !tree.splits.empty(), !linear.constants.empty()});
            splits.insert(splits.end(), tree.splits.begin(), tree.splits.end());
            leaf_values.insert(leaf_values.end(), tree.leaf_values.begin(), tree.leaf_values.end());
            if (!linear.constants.empty()) {
                constants.resize(begins.size());  // one place of a tree for both: it has one more begin than constants
                constants.insert(constants.end(), linear.constants.begin(), linear.constants.end());
                for (const std::uint32_t begin : linear.begins) {
                    begins.push_back(linear_features.size() + begin);
                }
                linear_features.insert(linear_features.end(), linear.features.begin(), linear.features.end());
                coefficients.insert(coefficients.end(), linear.coefficients.begin(), linear.coefficients.end());
            }
        }
    };

    Buffer<DeviceTree> trees_;
    Buffer<TreeSplit> splits_;
    Buffer<double> leaf_values_;
    Buffer<std::size_t> set_begins_;
    Buffer<std::uint32_t> set_words_;
    Buffer<double> constants_;
    Buffer<std::size_t> begins_;
    Buffer<std::uint32_t> linear_features_;
    Buffer<double> coefficients_;
    Buffer<double> start_;
    Buffer<double> bias_;
};

}  // namespace detail

/// The forest of ranking/forest.hpp on a device: one thread walks all trees for a row. The scores have the same bits as
/// those of host backends.
///
/// Cost      making it: one copy of the trees;  score: O(n trees depth) on the device, and copies of rows and scores
template <class System>
class BasicForest<kernels::Device<System>> {
public:
    /// A forest without trees, features and outputs other than one: it scores nothing.
    BasicForest() : there_(trees_) {}

    /// Errors    InvalidArgument with the tree, the split and the value if the forest is not valid
    explicit BasicForest(TreeEnsemble trees) : trees_(std::move(trees)) {
        if (const std::string problem = detail::problem_of(trees_); !problem.empty()) {
            raise<InvalidArgument>("Forest: " + problem);
        }
        there_ = detail::DeviceTrees<System>(trees_);
    }

    /// Raw scores (margins).
    ///
    /// Shapes    rows: n x features(); NaN is a missing value
    /// Returns   n x outputs(), row by row
    /// Errors    InvalidArgument if the number of columns differs
    [[nodiscard]] std::vector<double> score(MatrixView<const float> rows) const {
        require_equal(rows.cols(), features(), "Forest::score: number of columns of rows");
        return computed(rows);
    }

    /// Scores after the transformation of the objective, which runs on the host.
    ///
    /// Shapes, Errors    as score()
    [[nodiscard]] std::vector<double> predict(MatrixView<const float> rows) const {
        require_equal(rows.cols(), features(), "Forest::predict: number of columns of rows");
        std::vector<double> scores = computed(rows);
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            detail::apply_link(trees_, std::span(scores).subspan(i * outputs(), outputs()));
        }
        return scores;
    }

    [[nodiscard]] std::size_t features() const noexcept { return trees_.features; }
    [[nodiscard]] std::size_t outputs() const noexcept { return trees_.outputs; }
    [[nodiscard]] const TreeEnsemble& trees() const noexcept FUNNEL_LIFETIMEBOUND { return trees_; }

private:
    [[nodiscard]] std::vector<double> computed(MatrixView<const float> rows) const {
        std::vector<double> out(math::saturating_multiply(rows.rows(), outputs()));
        there_.score(trees_, kernels::packed(rows), out);
        return out;
    }

    TreeEnsemble trees_;
    detail::DeviceTrees<System> there_;
};

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/matrix.hpp>
#include <funnel/io/npz.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

/// Translates the arrays of examples/export_hist_gradient_boosting.py to a TreeEnsemble.
class HistGradientBoostingReader {
public:
    HistGradientBoostingReader(const io::NPZ& file, const std::string& path) : file_(file), path_(path) {}

    [[nodiscard]] TreeEnsemble read() {
        if (numbers<std::uint32_t>("version") != std::vector<std::uint32_t>{1}) {
            fail("version", "1");
        }
        const auto features = numbers<std::uint32_t>("features");
        if (features.size() != 1) {
            fail("features", "one number");
        }
        forest_.features = features[0];
        forest_.start = numbers<double>("baseline");
        forest_.outputs = forest_.start.size();
        const auto unknown = numbers<std::uint8_t>("fractions_are_unknown");
        if (unknown.size() != 1 || unknown[0] > 1) {
            fail("fractions_are_unknown", "0 or 1");
        }
        forest_.fractions_are_unknown = unknown[0] == 1;
        read_link();
        if (const std::string problem = problem_of_head(forest_); !problem.empty()) {
            fail("baseline", problem);
        }
        read_nodes();
        read_trees();
        return std::move(forest_);
    }

private:
    [[noreturn]] void fail(std::string_view field, const std::string& expected) const {
        raise<CorruptData>(path_ + ": " + std::string(field) + ": expected " + expected);
    }

    template <class T>
    [[nodiscard]] std::vector<T> numbers(std::string_view name) const {
        const Matrix<T> row = file_.array<T>(name);
        if (row.rows() > 1) {
            fail(name, "an array of one dimension");
        }
        return row.rows() == 0 ? std::vector<T>{} : std::vector<T>(row.row(0).begin(), row.row(0).end());
    }

    // One number per node of all trees.
    template <class T>
    [[nodiscard]] std::vector<T> per_node(std::string_view name) const {
        std::vector<T> out = numbers<T>(name);
        if (out.size() != threshold_.size()) {
            fail(name, std::to_string(threshold_.size()) + " numbers, one per node");
        }
        return out;
    }

    [[nodiscard]] std::vector<std::uint8_t> flags(std::string_view name) const {
        std::vector<std::uint8_t> out = per_node<std::uint8_t>(name);
        if (std::any_of(out.begin(), out.end(), [](std::uint8_t flag) { return flag > 1; })) {
            fail(name, "zeros and ones");
        }
        return out;
    }

    void read_link() {
        const auto letters = numbers<std::uint8_t>("link");
        const std::string link(letters.begin(), letters.end());
        if (link == "sigmoid") {
            forest_.link = TreeLink::Sigmoid;
        } else if (link == "softmax") {
            forest_.link = TreeLink::Softmax;
        } else if (link == "exponential") {
            forest_.link = TreeLink::Exponential;
        } else if (link != "identity") {
            fail("link", "identity, sigmoid, softmax or exponential");
        }
    }

    void read_nodes() {
        threshold_ = numbers<double>("threshold");
        value_ = per_node<double>("value");
        count_ = per_node<double>("count");
        feature_ = per_node<std::uint32_t>("feature");
        left_ = per_node<std::uint32_t>("left");
        right_ = per_node<std::uint32_t>("right");
        is_leaf_ = flags("is_leaf");
        is_categorical_ = flags("is_categorical");
        missing_goes_left_ = flags("missing_goes_left");
        left_categories_ = file_.array<std::uint32_t>("left_categories");
        known_categories_ = file_.array<std::uint32_t>("known_categories");
        const auto sets = static_cast<std::size_t>(std::count(is_categorical_.begin(), is_categorical_.end(), 1));
        for (const auto& [name, matrix] :
             {std::pair("left_categories", &left_categories_), std::pair("known_categories", &known_categories_)}) {
            if (matrix->rows() != sets || matrix->cols() != left_categories_.cols()) {
                fail(name, std::to_string(sets) + " sets of the same size, one per categorical split");
            }
        }
    }

    void read_trees() {
        const auto sizes = numbers<std::uint32_t>("tree_nodes");
        const auto outputs = numbers<std::uint32_t>("tree_output");
        if (outputs.size() != sizes.size() || sizes.size() > max_trees) {
            fail("tree_output", "one number per tree, and at most " + std::to_string(max_trees) + " trees");
        }
        std::size_t begin = 0;
        for (std::size_t t = 0; t < sizes.size(); ++t) {
            if (sizes[t] == 0 || sizes[t] > threshold_.size() - begin || sizes[t] > 2 * max_leaves) {
                fail("tree_nodes", "sizes of trees, found " + std::to_string(sizes[t]));
            }
            Tree tree = read_tree(t, begin, sizes[t]);
            tree.output = outputs[t];
            if (const std::string problem = problem_of(forest_, tree); !problem.empty()) {
                raise<CorruptData>(path_ + ": tree " + std::to_string(t) + ": " + problem);
            }
            forest_.trees.push_back(std::move(tree));
            begin += sizes[t];
        }
        if (begin != threshold_.size()) {
            fail("tree_nodes", "a sum of " + std::to_string(threshold_.size()) + " nodes");
        }
    }

    [[nodiscard]] Tree read_tree(std::size_t number, std::size_t begin, std::size_t size) {
        const auto reject = [&](const std::string& expected) { fail("tree " + std::to_string(number), expected); };
        std::vector<std::int32_t> place(size);  // of each node: split i, or ~i for leaf i
        std::int32_t splits = 0;
        std::int32_t leaves = 0;
        for (std::size_t i = 0; i < size; ++i) {
            place[i] = is_leaf_[begin + i] == 1 ? ~leaves++ : splits++;
        }
        Tree tree;
        for (std::size_t i = begin; i < begin + size; ++i) {
            if (is_leaf_[i] == 1) {
                tree.leaf_values.push_back(value_[i]);
                tree.leaf_covers.push_back(count_[i]);
                if (is_categorical_[i] == 1) {
                    reject("categories in splits only");
                }
                continue;
            }
            if (left_[i] >= size || right_[i] >= size) {
                reject("children below " + std::to_string(size));
            }
            TreeSplit split;
            split.feature = feature_[i];
            split.threshold = threshold_[i];
            split.missing_goes_left = missing_goes_left_[i] == 1;
            split.left = place[left_[i]];
            split.right = place[right_[i]];
            if (is_categorical_[i] == 1) {
                add_categories(split);
            }
            tree.splits.push_back(split);
            tree.split_covers.push_back(count_[i]);
        }
        return tree;
    }

    // Listed categories go left, other known ones right, unknown and missing ones to the side of missing values. If
    // that is the left side, the set holds the known ones that are not listed, and the children are swapped.
    void add_categories(TreeSplit& split) {
        const auto listed = left_categories_.row(forest_.category_sets.size());
        const auto known = known_categories_.row(forest_.category_sets.size());
        std::vector<std::uint32_t> set(listed.begin(), listed.end());
        if (split.missing_goes_left) {
            for (std::size_t w = 0; w < set.size(); ++w) {
                set[w] = known[w] & ~set[w];
            }
            std::swap(split.left, split.right);
            split.missing_goes_left = false;
        }
        split.categories = static_cast<std::uint32_t>(forest_.category_sets.size());
        forest_.category_sets.push_back(std::move(set));
    }

    const io::NPZ& file_;
    const std::string& path_;
    TreeEnsemble forest_;
    std::vector<double> threshold_;
    std::vector<double> value_;
    std::vector<double> count_;
    std::vector<std::uint32_t> feature_;
    std::vector<std::uint32_t> left_;
    std::vector<std::uint32_t> right_;
    std::vector<std::uint8_t> is_leaf_;
    std::vector<std::uint8_t> is_categorical_;
    std::vector<std::uint8_t> missing_goes_left_;
    Matrix<std::uint32_t> left_categories_;
    Matrix<std::uint32_t> known_categories_;
};

}  // namespace detail

/// Reads a HistGradientBoostingRegressor or -Classifier of scikit-learn. scikit-learn has no file format of its own:
/// export(model, path) of examples/export_hist_gradient_boosting.py writes the file. A missing value is NaN. A category
/// with a fraction is unknown, as in scikit-learn since 1.4; models of earlier versions truncate it.
///
/// Errors    IOError if the file cannot be read;  CorruptData with the array if it is not such a file
[[nodiscard]] inline TreeEnsemble read_hist_gradient_boosting(const std::string& path) {
    const io::NPZ file = io::NPZ::read(path);
    return detail::HistGradientBoostingReader(file, path).read();
}

/// A forest that scores as scikit-learn does: score() gives the raw predictions, with the same bits. For a classifier
/// with two classes, predict() gives the probability of the second.
///
/// Errors    as read_hist_gradient_boosting()
[[nodiscard]] inline Forest load_hist_gradient_boosting(const std::string& path) {
    return Forest(read_hist_gradient_boosting(path));
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

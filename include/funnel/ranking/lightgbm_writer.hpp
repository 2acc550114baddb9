// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/ranking/lightgbm_format.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Writes a forest as a LightGBM model, or rejects one that LightGBM would score differently.
class LightGBMWriter {
public:
    explicit LightGBMWriter(const TreeEnsemble& forest) : forest_(forest) {}

    [[nodiscard]] std::string text() {
        if (const std::string problem = problem_of(forest_); !problem.empty()) {
            raise<InvalidArgument>("save_lightgbm: " + problem);
        }
        check_head();
        std::vector<std::size_t> sizes;
        for (std::size_t t = 0; t < forest_.trees.size(); ++t) {
            const std::size_t before = text_.size();
            check_tree(t);
            write_tree(t);
            sizes.push_back(text_.size() - before);
        }
        const std::string trees = std::exchange(text_, {});
        write_header(sizes);
        return text_ + trees + "end of trees\n\npandas_categorical:null\n";
    }

private:
    static void expect(bool can_be_written, const std::string& what) {
        if (!can_be_written) {
            raise<InvalidArgument>("save_lightgbm: LightGBM has no " + what);
        }
    }

    void check_head() const {
        const auto is_zero = [](const std::vector<double>& values) {
            return std::all_of(values.begin(), values.end(), [](const double& x) { return x == 0.0; });
        };
        expect(forest_.features > 0 && forest_.features <= std::numeric_limits<std::int32_t>::max(),
               "models of " + std::to_string(forest_.features) + " features");
        expect(!forest_.sums_in_float, "sums in single precision");
        expect(is_zero(forest_.start) && is_zero(forest_.bias) && forest_.scale == 1.0, "start, scale or bias");
        expect(forest_.trees.size() % forest_.outputs == 0, "models that have more trees for some outputs");
        expect(forest_.averages_over == 1.0 || forest_.averages_over == iterations(),
               "averages over another number than that of the trees of an output");
        for (const std::string& name : forest_.feature_names) {
            const bool has_gap = name.find_first_of(" \r\n") != std::string::npos;
            expect(!name.empty() && !has_gap, "feature names that are empty or have blanks or line ends");
        }
    }

    [[nodiscard]] double iterations() const {
        const std::size_t whole = forest_.trees.size() / forest_.outputs;
        return static_cast<double>(whole);
    }

    // The objective as the forest names it, or else one with the same transformation of scores.
    [[nodiscard]] std::string objective() const {
        std::string plain = plain_objective();
        if (forest_.objective.empty()) {
            return plain;
        }
        const bool is_square = forest_.link == TreeLink::SignedSquare;
        const TreeLink link = is_square ? TreeLink::Identity : forest_.link;
        const bool is_known =
            std::any_of(lightgbm_objectives.begin(), lightgbm_objectives.end(), [&](const auto& known) {
                const bool has_classes = known.name.starts_with("multiclass");
                return known.name == forest_.objective && known.link == link && has_classes == (forest_.outputs > 1);
            });
        expect(is_known, "objective " + forest_.objective + " with this transformation of the scores");
        // The name `regression` has no parameters; those of other names are the same for the same transformation.
        const bool has_parameters =
            forest_.link == TreeLink::Softmax || forest_.objective == "binary" || forest_.objective == "multiclassova";
        expect(has_parameters || forest_.link_scale == 1.0, "objective " + forest_.objective + " with a factor");
        return has_parameters ? plain : forest_.objective + (is_square ? " sqrt" : "");
    }

    [[nodiscard]] std::string plain_objective() const {
        const bool is_single = forest_.outputs == 1;
        const std::string classes = " num_class:" + std::to_string(forest_.outputs);
        switch (forest_.link) {
            case TreeLink::Identity:
                return {};
            case TreeLink::Sigmoid:
                expect(forest_.link_scale > 0.0, "sigmoid with a factor <= 0");
                return (is_single ? "binary" : "multiclassova" + classes) + " sigmoid:" + decimal(forest_.link_scale);
            case TreeLink::Softmax:
                expect(!is_single, "softmax over one output");
                return "multiclass" + classes;
            case TreeLink::Exponential:
                expect(is_single, "exponential of several outputs");
                return "poisson";
            case TreeLink::SoftPlus:
                expect(is_single, "softplus of several outputs");
                return "cross_entropy_lambda";
            case TreeLink::SignedSquare:
                expect(is_single, "square of several outputs");
                return "regression sqrt";
            case TreeLink::Hinge:
                break;
        }
        raise<InvalidArgument>("save_lightgbm: LightGBM has no hinge");
    }

    void write_header(const std::vector<std::size_t>& sizes) {
        text_ = "tree\nversion=v4\n";
        line("num_class", forest_.outputs);
        line("num_tree_per_iteration", forest_.outputs);
        text_ += "label_index=0\n";
        line("max_feature_idx", forest_.features - 1);
        if (const std::string words = objective(); !words.empty()) {
            text_ += "objective=" + words + '\n';
        }
        if (forest_.averages_over != 1.0) {
            text_ += "average_output\n";
        }
        const auto named = [&](std::size_t i) {
            return forest_.feature_names.empty() ? "Column_" + std::to_string(i) : forest_.feature_names[i];
        };
        list("feature_names", forest_.features, named);
        list("feature_infos", forest_.features, [](std::size_t) { return "none"; });
        list("tree_sizes", sizes.size(), [&](std::size_t i) { return std::to_string(sizes[i]); });
        text_ += '\n';
    }

    void check_tree(std::size_t t) const {
        const Tree& tree = forest_.trees[t];
        const std::string at = " (tree " + std::to_string(t) + ')';
        expect(tree.leaf_values.size() == tree.leaves(), "leaves with a value per output" + at);
        expect(tree.output == t % forest_.outputs, "trees in another order of outputs than 0, 1, ..., 0, 1, ..." + at);
        for (const TreeSplit& split : tree.splits) {
            if (split.categories == TreeSplit::no_categories) {
                expect(split.zero_is_missing || flushed_threshold(split.threshold) == split.threshold,
                       "thresholds within 1e-35 of 0" + at);
                continue;
            }
            const std::vector<std::uint32_t>& set = forest_.category_sets[split.categories];
            const bool has_0 = !set.empty() && (set.front() & 1U) != 0;
            expect(!split.missing_goes_left, "category splits that send missing values left" + at);
            expect(!has_0 || (forest_.negative_fractions_are_category_0 && !split.zero_is_missing),
                   "unknown categories between -1 and 0" + at);
        }
    }

    void write_tree(std::size_t t) {
        const Tree& tree = forest_.trees[t];
        const std::size_t n = tree.splits.size();
        const auto of_splits = [&](std::string_view key, const auto& value) {
            list(key, n, [&](std::size_t i) { return value(tree.splits[i]); });
        };
        const auto is_categorical = [](const TreeSplit& split) { return split.categories != TreeSplit::no_categories; };
        line("Tree", t);
        line("num_leaves", tree.leaves());
        const auto sets =
            static_cast<std::size_t>(std::count_if(tree.splits.begin(), tree.splits.end(), is_categorical));
        line("num_cat", sets);
        of_splits("split_feature", [](const TreeSplit& split) { return std::to_string(split.feature); });
        std::size_t set = 0;
        of_splits("threshold", [&](const TreeSplit& split) {
            return is_categorical(split) ? std::to_string(set++) : decimal(split.threshold);
        });
        of_splits("decision_type", [&](const TreeSplit& split) {
            const auto missing = split.zero_is_missing ? LightGBMMissing::Zero : LightGBMMissing::NaN;
            const unsigned left = split.missing_goes_left ? lightgbm_default_left : 0;
            return std::to_string(is_categorical(split) ? lightgbm_categorical
                                                        : left | static_cast<unsigned>(missing) << 2);
        });
        of_splits("left_child", [](const TreeSplit& split) { return std::to_string(split.left); });
        of_splits("right_child", [](const TreeSplit& split) { return std::to_string(split.right); });
        decimals("leaf_value", tree.leaf_values);
        write_covers(tree);
        if (sets > 0) {
            write_category_sets(tree);
        }
        line("is_linear", tree.linear.constants.empty() ? 0 : 1);
        if (!tree.linear.constants.empty()) {
            const LinearLeaves& linear = tree.linear;
            decimals("leaf_const", linear.constants);
            list("num_features", tree.leaves(),
                 [&](std::size_t i) { return std::to_string(linear.begins[i + 1] - linear.begins[i]); });
            list("leaf_features", linear.features.size(),
                 [&](std::size_t i) { return std::to_string(linear.features[i]); });
            decimals("leaf_coeff", linear.coefficients);
        }
        text_ += "shrinkage=1\n\n\n";
    }

    // Numbers of rows, if they are whole: a format without weights of rows has no others.
    void write_covers(const Tree& tree) {
        const auto are_counts = [](const std::vector<double>& covers) {
            return std::all_of(covers.begin(), covers.end(), [](const double& cover) {
                return cover <= std::numeric_limits<std::int32_t>::max() && cover == math::floor(cover);
            });
        };
        if (tree.leaf_covers.empty() || !are_counts(tree.leaf_covers) || !are_counts(tree.split_covers)) {
            return;
        }
        const auto count = [](const std::vector<double>& covers) {
            return [&](std::size_t i) { return std::to_string(static_cast<std::int64_t>(covers[i])); };
        };
        list("leaf_count", tree.leaves(), count(tree.leaf_covers));
        list("internal_count", tree.splits.size(), count(tree.split_covers));
    }

    void write_category_sets(const Tree& tree) {
        std::vector<std::size_t> boundaries{0};
        std::vector<std::uint32_t> words;
        for (const TreeSplit& split : tree.splits) {
            if (split.categories != TreeSplit::no_categories) {
                const std::vector<std::uint32_t>& set = forest_.category_sets[split.categories];
                words.insert(words.end(), set.begin(), set.end());
                words.resize(std::max(words.size(), boundaries.back() + 1));  // an empty set is one word without bits
                boundaries.push_back(words.size());
            }
        }
        list("cat_boundaries", boundaries.size(), [&](std::size_t i) { return std::to_string(boundaries[i]); });
        list("cat_threshold", words.size(), [&](std::size_t i) { return std::to_string(words[i]); });
    }

    // The shortest decimal that is read as the same number.
    [[nodiscard]] static std::string decimal(double x) {
        std::array<char, 32> text{};
        const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), x);
        return {text.data(), end};
    }

    void decimals(std::string_view key, const std::vector<double>& values) {
        list(key, values.size(), [&](std::size_t i) { return decimal(values[i]); });
    }

    template <class Word>
    void list(std::string_view key, std::size_t n, const Word& word) {
        text_.append(key).append("=");
        for (std::size_t i = 0; i < n; ++i) {
            text_.append(i == 0 ? "" : " ").append(word(i));
        }
        text_ += '\n';
    }

    template <class T>
    void line(std::string_view key, T number) {
        text_.append(key).append("=").append(std::to_string(number)).append("\n");
    }

    const TreeEnsemble& forest_;
    std::string text_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

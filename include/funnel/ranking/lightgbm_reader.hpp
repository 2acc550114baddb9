// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/text.hpp>
#include <funnel/ranking/lightgbm_format.hpp>
#include <funnel/ranking/lightgbm_lines.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking::detail {

/// Translates a LightGBM model, line by line.
class LightGBMReader {
public:
    explicit LightGBMReader(io::Text text) : lines_(std::move(text)) {}

    [[nodiscard]] TreeEnsemble read() {
        read_header();
        while (lines_.line().starts_with("Tree=")) {
            read_tree();
        }
        if (lines_.line() != "end of trees") {
            lines_.enter("");
            lines_.fail(lines_.number(), "expected `Tree=` or `end of trees`, found " + found_line());
        }
        lines_.enter("");
        const std::size_t trees = forest_.trees.size();
        if (trees % forest_.outputs != 0) {
            lines_.fail(lines_.number(), "expected trees for all of " + std::to_string(forest_.outputs) +
                                             " outputs, found " + std::to_string(trees));
        }
        if (const auto& sizes = header_.find("tree_sizes"); sizes.exists()) {
            lines_.numbers(sizes, trees, std::int64_t{0}, highest, [&](std::size_t t, std::int64_t size) {
                if (static_cast<std::size_t>(size) != sizes_[t]) {
                    lines_.fail(sizes, std::to_string(size) + " bytes in tree " + std::to_string(t),
                                std::to_string(sizes_[t]));
                }
            });
        }
        if (header_.find("average_output").exists() && trees > 0) {
            const std::size_t iterations = trees / forest_.outputs;
            forest_.averages_over = static_cast<double>(iterations);
        }
        return std::move(forest_);
    }

private:
    static constexpr std::int64_t highest = std::numeric_limits<std::int64_t>::max();
    static constexpr double infinity = std::numeric_limits<double>::infinity();
    static constexpr double largest = std::numeric_limits<double>::max();

    [[nodiscard]] std::string found_line() const {
        return at_end_ ? "the end of the file" : io::Text::quote(lines_.line());
    }

    void next() { at_end_ = !lines_.next(); }

    void read_header() {
        next();
        if (lines_.line() != "tree") {
            lines_.fail(1, "expected a LightGBM model that begins with `tree`, found " + found_line());
        }
        for (; !at_end_ && !lines_.line().starts_with("Tree=") && lines_.line() != "end of trees"; next()) {
            if (!lines_.line().empty()) {
                header_.add(lines_);
            }
        }
        const LightGBMField& version = header_.get(lines_, "version");
        if (version.value != "v3" && version.value != "v4") {
            lines_.fail(version, "v3 or v4", io::Text::quote(version.value));
        }
        const LightGBMField& classes = header_.get(lines_, "num_class");
        const auto class_count = lines_.number(classes, std::int64_t{1}, std::int64_t{max_outputs});
        if (const LightGBMField& per_iteration = header_.find("num_tree_per_iteration"); per_iteration.exists()) {
            static_cast<void>(lines_.number(per_iteration, class_count, class_count));
        }
        forest_.outputs = static_cast<std::size_t>(class_count);
        constexpr std::int64_t max_index = std::numeric_limits<std::int32_t>::max() - 1;
        forest_.features = 1 + static_cast<std::size_t>(
                                   lines_.number(header_.get(lines_, "max_feature_idx"), std::int64_t{0}, max_index));
        forest_.negative_fractions_are_category_0 = true;
        read_feature_names();
        read_objective();
    }

    void read_feature_names() {
        const LightGBMField& names = header_.find("feature_names");
        if (!names.exists()) {
            return;
        }
        if (names.value.find('\r') != std::string_view::npos) {  // a line end for LightGBM
            lines_.fail(names, "names without line ends", io::Text::quote(names.value));
        }
        forest_.feature_names = words_of(names.value);
        if (forest_.feature_names.size() != forest_.features) {
            lines_.fail(names, std::to_string(forest_.features) + " names",
                        std::to_string(forest_.feature_names.size()));
        }
    }

    [[nodiscard]] static std::vector<std::string> words_of(std::string_view text) {
        std::vector<std::string> words;
        while (!text.empty()) {
            const std::string_view word = text.substr(0, text.find(' '));
            if (!word.empty()) {
                words.emplace_back(word);
            }
            text.remove_prefix(std::min(text.size(), word.size() + 1));
        }
        return words;
    }

    // "multiclassova num_class:3 sigmoid:1.5"; missing for an objective of the user.
    void read_objective() {
        const LightGBMField& field = header_.find("objective");
        if (!field.exists()) {
            return;
        }
        const std::vector<std::string> words = words_of(field.value);
        const std::string name = words.empty() ? "" : words.front();
        const auto known = std::find_if(lightgbm_objectives.begin(), lightgbm_objectives.end(),
                                        [&](const LightGBMObjective& objective) { return objective.name == name; });
        if (known == lightgbm_objectives.end()) {
            lines_.fail(field, "an objective of LightGBM", io::Text::quote(field.value));
        }
        forest_.link = known->link;
        forest_.objective = name;
        const bool has_classes = name == "multiclass" || name == "multiclassova";
        const bool has_sigmoid = name == "binary" || name == "multiclassova";
        if (has_classes != (forest_.outputs > 1)) {
            lines_.fail(field, "an objective for num_class=" + std::to_string(forest_.outputs),
                        io::Text::quote(field.value));
        }
        std::size_t needed = (has_classes ? 1U : 0U) + (has_sigmoid ? 1U : 0U);
        for (std::size_t i = 1; i < words.size(); ++i) {
            const std::string_view word = words[i];
            const std::string_view value = word.substr(std::min(word.size(), word.find(':') + 1));
            if (has_classes && word.starts_with("num_class:") &&
                LightGBMLines::parse<std::size_t>(value) == forest_.outputs) {
                --needed;
            } else if (has_sigmoid && word.starts_with("sigmoid:")) {
                forest_.link_scale = LightGBMLines::parse<double>(value).value_or(0.0);
                needed -= forest_.link_scale > 0.0 && forest_.link_scale <= largest ? 1 : 0;
            } else if (forest_.link == TreeLink::Identity && word == "sqrt") {
                forest_.link = TreeLink::SignedSquare;
            } else {
                lines_.fail(field, "parameters of the objective " + name, io::Text::quote(word));
            }
        }
        if (needed != 0) {
            lines_.fail(field, has_sigmoid ? "a num_class for several classes, and a sigmoid > 0" : "num_class",
                        io::Text::quote(field.value));
        }
    }

    void read_tree() {
        const std::size_t t = forest_.trees.size();
        lines_.enter("tree " + std::to_string(t));
        const std::size_t begin = lines_.number();
        const std::size_t begin_of_text = lines_.begin();
        if (t == max_trees) {
            lines_.fail(begin, "expected at most " + std::to_string(max_trees) + " trees, found more");
        }
        if (lines_.line().substr(5) != std::to_string(t)) {
            lines_.fail(begin, "expected `Tree=" + std::to_string(t) + "`, found " + found_line());
        }
        fields_.begin(begin);
        for (next(); !at_end_ && !lines_.line().empty(); next()) {
            fields_.add(lines_);
        }
        while (!at_end_ && lines_.line().empty()) {
            next();
        }
        sizes_.push_back(lines_.begin() - begin_of_text);

        Tree tree;
        tree.output = t % forest_.outputs;
        const auto leaves = static_cast<std::size_t>(
            lines_.number(get("num_leaves"), std::int64_t{1}, static_cast<std::int64_t>(max_leaves)));
        tree.splits.resize(leaves - 1);
        read_leaf_values(tree);
        read_splits(tree);
        read_linear_leaves(tree);
        read_covers(tree);
        if (const std::string problem = problem_of_shape(tree); !problem.empty()) {
            lines_.fail(fields_.find("left_child").line, "left_child, right_child: " + problem);
        }
        forest_.trees.push_back(std::move(tree));
    }

    [[nodiscard]] const LightGBMField& get(std::string_view key) const { return fields_.get(lines_, key); }

    void read_leaf_values(Tree& tree) {
        tree.leaf_values.resize(tree.leaves());
        lines_.numbers(get("leaf_value"), tree.leaves(), -largest, largest,
                       [&](std::size_t i, double value) { tree.leaf_values[i] = value; });
    }

    void read_splits(Tree& tree) {
        const std::size_t n = tree.splits.size();
        const std::size_t first_set = forest_.category_sets.size();
        const std::size_t sets = read_category_sets();
        if (n == 0) {
            return;
        }
        const auto last = static_cast<std::int64_t>(forest_.features) - 1;
        lines_.numbers(get("split_feature"), n, std::int64_t{0}, last, [&](std::size_t i, std::int64_t feature) {
            tree.splits[i].feature = static_cast<std::uint32_t>(feature);
        });
        read_children(get("left_child"), tree, &TreeSplit::left);
        read_children(get("right_child"), tree, &TreeSplit::right);

        read_decision_types(n, sets);
        const LightGBMField& thresholds = get("threshold");
        lines_.numbers(thresholds, n, -infinity, infinity, [&](std::size_t i, double threshold) {
            TreeSplit& split = tree.splits[i];
            if ((types_[i] & lightgbm_categorical) == 0) {
                set_threshold(split, types_[i], threshold);
                return;
            }
            if (!(threshold >= 0.0 && threshold < static_cast<double>(sets)) || threshold != std::floor(threshold)) {
                lines_.fail(
                    thresholds,
                    "the position of one of " + std::to_string(sets) + " category sets at split " + std::to_string(i),
                    std::to_string(threshold));
            }
            split.categories = static_cast<std::uint32_t>(first_set + static_cast<std::size_t>(threshold));
        });
    }

    // Without them all are 0. They are missing in all trees or in none, so that a line that was lost is noticed.
    void read_decision_types(std::size_t n, std::size_t sets) {
        types_.assign(n, 0);
        const bool exists = fields_.find("decision_type").exists();
        if (exists || sets > 0 || has_types_.value_or(false)) {
            lines_.numbers(get("decision_type"), n, std::int64_t{0}, std::int64_t{11},
                           [&](std::size_t i, std::int64_t type) { types_[i] = static_cast<unsigned>(type); });
        }
        if (exists && !has_types_.value_or(true)) {
            lines_.fail(fields_.find("decision_type"), "none, since an earlier tree has none", "one");
        }
        has_types_ = exists;
    }

    static void set_threshold(TreeSplit& split, unsigned type, double threshold) {
        split.threshold = flushed_threshold(threshold);
        const auto missing = static_cast<LightGBMMissing>(type >> 2);
        split.zero_is_missing = missing == LightGBMMissing::Zero;
        split.missing_goes_left = missing == LightGBMMissing::None ? 0.0 <= threshold  // NaN is 0
                                                                   : (type & lightgbm_default_left) != 0;
    }

    void read_children(const LightGBMField& field, Tree& tree, std::int32_t TreeSplit::* child) const {
        const auto n = static_cast<std::int32_t>(tree.splits.size());
        lines_.numbers(field, tree.splits.size(), -n - 1, n - 1,
                       [&](std::size_t i, std::int32_t found) { tree.splits[i].*child = found; });
    }

    // Appends the category sets of a tree to those of the forest.
    [[nodiscard]] std::size_t read_category_sets() {
        constexpr std::int64_t most = max_leaves;
        const auto sets = static_cast<std::size_t>(lines_.number(get("num_cat"), std::int64_t{0}, most));
        if (sets == 0) {
            return 0;
        }
        const LightGBMField& words = get("cat_threshold");
        const LightGBMField& boundaries = get("cat_boundaries");
        std::vector<std::size_t> begins(sets + 1);
        lines_.numbers(boundaries, sets + 1, std::int64_t{0}, static_cast<std::int64_t>(words.value.size()),
                       [&](std::size_t i, std::int64_t begin) {
                           begins[i] = static_cast<std::size_t>(begin);
                           if (i == 0 ? begin != 0 : begins[i] <= begins[i - 1]) {
                               lines_.fail(boundaries, "numbers that start with 0 and increase", std::to_string(begin));
                           }
                       });
        const std::size_t first_set = forest_.category_sets.size();
        for (std::size_t i = 0; i < sets; ++i) {
            forest_.category_sets.emplace_back().reserve(begins[i + 1] - begins[i]);
        }
        std::size_t set = 0;
        lines_.numbers(words, begins.back(), std::uint32_t{0}, std::numeric_limits<std::uint32_t>::max(),
                       [&](std::size_t i, std::uint32_t word) {
                           set += i == begins[set + 1] ? 1U : 0U;
                           forest_.category_sets[first_set + set].push_back(word);
                       });
        return sets;
    }

    void read_linear_leaves(Tree& tree) const {
        const LightGBMField& is_linear = fields_.find("is_linear");
        if (!is_linear.exists() || lines_.number(is_linear, 0, 1) == 0) {
            if (const LightGBMField& constants = fields_.find("leaf_const"); constants.exists()) {
                lines_.fail(constants, "none, since is_linear is not 1", io::Text::quote(constants.value));
            }
            return;
        }
        const std::size_t n = tree.leaves();
        LinearLeaves& linear = tree.linear;
        linear.constants.resize(n);
        lines_.numbers(get("leaf_const"), n, -largest, largest,
                       [&](std::size_t i, double value) { linear.constants[i] = value; });
        const LightGBMField& features = get("leaf_features");
        linear.begins.assign(n + 1, 0);
        std::size_t terms = 0;
        const LightGBMField& counts = get("num_features");
        lines_.numbers(counts, n, std::int64_t{0}, std::int64_t{std::numeric_limits<std::int32_t>::max()},
                       [&](std::size_t i, std::int64_t count) {
                           terms += static_cast<std::size_t>(count);
                           if (terms > features.value.size()) {
                               lines_.fail(counts, "as many features as leaf_features has", "more");
                           }
                           linear.begins[i + 1] = static_cast<std::uint32_t>(terms);
                       });
        linear.features.resize(terms);
        linear.coefficients.resize(terms);
        const auto last = static_cast<std::int64_t>(forest_.features) - 1;
        lines_.numbers(features, terms, std::int64_t{0}, last, [&](std::size_t i, std::int64_t feature) {
            linear.features[i] = static_cast<std::uint32_t>(feature);
        });
        lines_.numbers(get("leaf_coeff"), terms, -largest, largest,
                       [&](std::size_t i, double value) { linear.coefficients[i] = value; });
    }

    void read_covers(Tree& tree) const {
        const LightGBMField& splits = fields_.find("internal_count");
        const LightGBMField& leaves = fields_.find("leaf_count");
        if (!splits.exists() && !leaves.exists()) {
            return;
        }
        const auto read = [&](const LightGBMField& field, std::size_t n, std::vector<double>& covers) {
            covers.resize(n);
            lines_.numbers(field, n, std::int64_t{0}, highest,
                           [&](std::size_t i, std::int64_t count) { covers[i] = static_cast<double>(count); });
        };
        read(get("internal_count"), tree.splits.size(), tree.split_covers);
        read(get("leaf_count"), tree.leaves(), tree.leaf_covers);
    }

    static constexpr std::int64_t max_outputs = 65'536;

    LightGBMLines lines_;
    bool at_end_ = false;
    LightGBMFields<lightgbm_header_keys.size()> header_{lightgbm_header_keys};
    LightGBMFields<lightgbm_tree_keys.size()> fields_{lightgbm_tree_keys};
    std::vector<unsigned> types_;     // decision_type of the current tree
    std::optional<bool> has_types_;   // whether trees have them
    std::vector<std::size_t> sizes_;  // of the text of each tree
    TreeEnsemble forest_;
};

}  // namespace ranking::detail
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/io/json.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

struct CatBoostLoss {
    std::string_view name;
    TreeLink link;
};

/// Losses whose predictions are not the raw scores.
inline constexpr std::array catboost_links{
    CatBoostLoss{"Logloss", TreeLink::Sigmoid},      CatBoostLoss{"CrossEntropy", TreeLink::Sigmoid},
    CatBoostLoss{"MultiLogloss", TreeLink::Sigmoid}, CatBoostLoss{"MultiCrossEntropy", TreeLink::Sigmoid},
    CatBoostLoss{"MultiClass", TreeLink::Softmax},   CatBoostLoss{"MultiClassOneVsAll", TreeLink::Sigmoid},
    CatBoostLoss{"Poisson", TreeLink::Exponential},  CatBoostLoss{"Tweedie", TreeLink::Exponential},
};

/// Losses whose predictions are the raw scores.
inline constexpr std::array<std::string_view, 28> catboost_raw_losses{"RMSE",
                                                                      "MAE",
                                                                      "Quantile",
                                                                      "MultiQuantile",
                                                                      "MAPE",
                                                                      "Huber",
                                                                      "Lq",
                                                                      "LogLinQuantile",
                                                                      "Expectile",
                                                                      "LogCosh",
                                                                      "MultiRMSE",
                                                                      "MultiRMSEWithMissingValues",
                                                                      "Focal",
                                                                      "Cox",
                                                                      "SurvivalAft",
                                                                      "QueryRMSE",
                                                                      "QuerySoftMax",
                                                                      "QueryCrossEntropy",
                                                                      "PairLogit",
                                                                      "PairLogitPairwise",
                                                                      "YetiRank",
                                                                      "YetiRankPairwise",
                                                                      "LambdaMart",
                                                                      "StochasticRank",
                                                                      "StochasticFilter",
                                                                      "GroupQuantile",
                                                                      "PythonUserDefinedPerObject",
                                                                      "PythonUserDefinedMultiTarget"};

/// Translates a parsed CatBoost model to a TreeEnsemble. x > border goes to the right.
class CatBoostReader {
public:
    explicit CatBoostReader(const io::JSONValue& root) : root_(root) {}

    [[nodiscard]] TreeEnsemble read() {
        read_features();
        read_scale_and_bias();
        read_loss();
        const auto oblivious = root_.find("oblivious_trees");
        const io::JSONValue trees = oblivious ? *oblivious : root_["trees"];
        if (trees.size() > max_trees) {
            trees.fail("at most " + std::to_string(max_trees) + " trees", std::to_string(trees.size()));
        }
        for (const io::JSONValue& value : trees.elements()) {
            Tree tree = oblivious ? oblivious_tree(value) : nested_tree(value);
            if (const std::string problem = problem_of(forest_, tree); !problem.empty()) {
                value.fail("a valid tree", problem);
            }
            forest_.trees.push_back(std::move(tree));
        }
        if (const std::string problem = problem_of_head(forest_); !problem.empty()) {
            root_.fail("a valid model", problem);
        }
        return std::move(forest_);
    }

private:
    struct FloatFeature {
        std::uint32_t column;
        bool missing_is_largest;
    };

    void read_features() {
        const io::JSONValue info = root_["features_info"];
        std::vector<std::string> names;
        const auto place = [&](const io::JSONValue& feature) {
            const auto column = feature["flat_feature_index"].number<std::uint32_t>();
            if (column >= 1'000'000) {
                feature.fail("a column below 1000000", std::to_string(column));
            }
            names.resize(std::max<std::size_t>(names.size(), column + 1));
            const std::optional<io::JSONValue> name = feature.find("feature_id");
            names[column] = name ? name->string() : "";
            return column;
        };
        if (const auto features = info.find("float_features")) {
            for (const io::JSONValue& feature : features->elements()) {
                const io::JSONValue treatment = feature["nan_value_treatment"];
                const std::string text = treatment.string();
                if (text != "AsIs" && text != "AsFalse" && text != "AsTrue") {
                    treatment.fail("AsIs, AsFalse or AsTrue");
                }
                const bool has_missing = feature["has_nans"].boolean();
                float_features_.push_back({place(feature), text == "AsTrue" && has_missing});
            }
        }
        for (const std::string_view kind : {"categorical_features", "text_features", "embedding_features"}) {
            if (const auto features = info.find(kind)) {
                for (const io::JSONValue& feature : features->elements()) {
                    const std::uint32_t column = place(feature);
                    const std::string name = names[column].empty() ? "" : " \"" + names[column] + '"';
                    other_features_.append(other_features_.empty() ? "" : ", ");
                    other_features_.append(std::to_string(column)).append(name);
                }
            }
        }
        forest_.features = names.size();
        if (std::none_of(names.begin(), names.end(), [](const std::string& name) { return name.empty(); })) {
            forest_.feature_names = std::move(names);
        }
    }

    // [scale, [bias of each output]], in old models [scale, bias]
    void read_scale_and_bias() {
        const io::JSONValue value = root_["scale_and_bias"];
        if (value.size() != 2) {
            value.fail("scale and bias", std::to_string(value.size()) + " values");
        }
        if (value.kind() == io::JSONKind::Numbers) {
            const auto numbers = value.numbers<double>();
            forest_.scale = numbers[0];
            forest_.bias = {numbers[1]};
        } else {
            const std::vector<io::JSONValue> parts = value.elements();
            forest_.scale = parts[0].number<double>();
            forest_.bias = parts[1].numbers<double>();
        }
        forest_.outputs = forest_.bias.size();
        if (forest_.outputs == 0 || forest_.outputs > 65'536) {
            value.fail("1 to 65536 outputs", std::to_string(forest_.outputs));
        }
    }

    void read_loss() {
        const io::JSONValue name = root_["model_info"]["params"]["loss_function"]["type"];
        const std::string text = name.string();
        const auto* const loss = std::find_if(catboost_links.begin(), catboost_links.end(),
                                              [&](const CatBoostLoss& known) { return known.name == text; });
        if (loss != catboost_links.end()) {
            forest_.link = loss->link;
        } else if (std::find(catboost_raw_losses.begin(), catboost_raw_losses.end(), text) ==
                   catboost_raw_losses.end()) {
            name.fail("a known loss");
        }
    }

    [[nodiscard]] TreeSplit split_of(const io::JSONValue& value) const {
        const std::string type = value["split_type"].string();
        if (type != "FloatFeature") {
            value.fail("splits on numeric features (the categorical, text and embedding features of this model are " +
                           other_features_ + ")",
                       type);
        }
        const io::JSONValue index = value["float_feature_index"];
        const auto feature = index.number<std::uint32_t>();
        if (feature >= float_features_.size()) {
            index.fail("one of " + std::to_string(float_features_.size()) + " float features");
        }
        TreeSplit split;
        split.feature = float_features_[feature].column;
        split.threshold = static_cast<double>(value["border"].number<float>());
        split.missing_goes_left = !float_features_[feature].missing_is_largest;
        return split;
    }

    // All nodes of a level share a split; bit i of the number of a leaf says whether split i holds. The root is the
    // last split, so leaves are in order.
    [[nodiscard]] Tree oblivious_tree(const io::JSONValue& value) const {
        const io::JSONValue levels = value["splits"];
        if (levels.size() > 16) {
            levels.fail("at most 16 splits", std::to_string(levels.size()));
        }
        std::vector<TreeSplit> splits;
        for (const io::JSONValue& level : levels.elements()) {
            splits.push_back(split_of(level));
        }
        const std::size_t leaves = std::size_t{1} << splits.size();
        const io::JSONValue values = value["leaf_values"];
        Tree tree;
        tree.leaf_values = values.numbers<double>();
        if (tree.leaf_values.size() != leaves * forest_.outputs) {
            values.fail(std::to_string(leaves * forest_.outputs) + " leaf values", std::to_string(values.size()));
        }
        for (std::size_t level = 0; level < splits.size(); ++level) {
            for (std::size_t i = 0; i < std::size_t{1} << level; ++i) {
                TreeSplit split = splits[splits.size() - 1 - level];
                const std::size_t next = 2 * tree.splits.size() + 1;
                split.left = child(next, leaves - 1);
                split.right = child(next + 1, leaves - 1);
                tree.splits.push_back(split);
            }
        }
        if (const auto weights = value.find("leaf_weights"); weights && weights->size() != 0) {
            tree.leaf_covers = weights->numbers<double>();
            if (tree.leaf_covers.size() != leaves) {
                weights->fail(std::to_string(leaves) + " leaf weights", std::to_string(weights->size()));
            }
            add_split_covers(tree);
        }
        return tree;
    }

    // Node number in level order, splits first.
    [[nodiscard]] static std::int32_t child(std::size_t node, std::size_t splits) {
        return static_cast<std::int32_t>(node < splits ? node : ~(node - splits));
    }

    static void add_split_covers(Tree& tree) {
        tree.split_covers.resize(tree.splits.size());
        for (std::size_t i = tree.splits.size(); i-- > 0;) {  // children follow their parents
            for (const std::int32_t child : {tree.splits[i].left, tree.splits[i].right}) {
                tree.split_covers[i] += child < 0 ? tree.leaf_covers[leaf_number(child)]
                                                  : tree.split_covers[static_cast<std::size_t>(child)];
            }
        }
    }

    [[nodiscard]] Tree nested_tree(const io::JSONValue& value) const {
        Tree tree;
        bool has_weights = true;
        static_cast<void>(add_node(value, tree, has_weights));
        if (has_weights) {
            add_split_covers(tree);
        } else {
            tree.leaf_covers.clear();
        }
        return tree;
    }

    // Adds a node and all below it, and returns its number. Files are at most 64 levels deep.
    [[nodiscard]] std::int32_t add_node(const io::JSONValue& value, Tree& tree, bool& has_weights) const {
        const auto split = value.find("split");
        if (!split) {
            const io::JSONValue leaf = value["value"];
            const std::size_t number = tree.leaf_values.size() / forest_.outputs;
            const bool is_scalar = leaf.kind() == io::JSONKind::Number;
            const auto values = is_scalar ? std::vector<double>{leaf.number<double>()} : leaf.numbers<double>();
            if (values.size() != forest_.outputs) {
                leaf.fail(std::to_string(forest_.outputs) + " values of a leaf", std::to_string(values.size()));
            }
            tree.leaf_values.insert(tree.leaf_values.end(), values.begin(), values.end());
            const auto weight = value.find("weight");
            has_weights = has_weights && weight;
            tree.leaf_covers.push_back(weight ? weight->number<double>() : 0.0);
            return static_cast<std::int32_t>(~number);
        }
        const std::size_t at = tree.splits.size();
        tree.splits.push_back(split_of(*split));
        const std::int32_t left = add_node(value["left"], tree, has_weights);
        const std::int32_t right = add_node(value["right"], tree, has_weights);
        tree.splits[at].left = left;
        tree.splits[at].right = right;
        return static_cast<std::int32_t>(at);
    }

    io::JSONValue root_;
    TreeEnsemble forest_;
    std::vector<FloatFeature> float_features_;
    std::string other_features_;  // for messages
};

}  // namespace detail

/// Reads a model that CatBoost saved as JSON (save_model(path, format="json")): symmetric and other trees, one or
/// several outputs, splits on numeric features. A missing value is NaN.
///
/// A symmetric tree of d levels becomes 2^d - 1 splits. A forest takes about 120 bytes per leaf, and a forged file may
/// have two for one: reading it may need 60 times its size.
///
/// Errors    IOError if the file cannot be read;  CorruptData with the position and the field if it is not such a
///           model, or if it splits on categorical, text or embedding features
[[nodiscard]] inline TreeEnsemble read_catboost(const std::string& path) {
    const io::JSON json = io::JSON::read(path);
    return detail::CatBoostReader(json.root()).read();
}

/// A forest that scores as CatBoost does: score() gives its RawFormulaVal, with the same bits.
///
/// Errors    as read_catboost()
[[nodiscard]] inline Forest load_catboost(const std::string& path) {
    return Forest(read_catboost(path));
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

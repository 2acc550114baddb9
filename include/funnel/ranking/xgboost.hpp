// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#pragma once

#include <funnel/core/error.hpp>
#include <funnel/core/math.hpp>
#include <funnel/io/file.hpp>
#include <funnel/io/json.hpp>
#include <funnel/io/recognise.hpp>
#include <funnel/ranking/forest.hpp>
#include <funnel/ranking/tree_ensemble.hpp>
#include <funnel/ranking/tree_validation.hpp>
#include <funnel/ranking/xgboost_tree.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace funnel {
inline namespace FUNNEL_ABI {
namespace ranking {

namespace detail {

/// What XGBoost calls a base score, seen from the sums of the trees.
enum class XGBoostBase : std::uint8_t { Margin, Probability, Positive };

struct XGBoostObjective {
    std::string_view name;
    TreeLink link;
    XGBoostBase base;
};

inline constexpr std::array xgboost_objectives{
    XGBoostObjective{"reg:squarederror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:linear", TreeLink::Identity, XGBoostBase::Margin},  // its old name
    XGBoostObjective{"reg:squaredlogerror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:pseudohubererror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:absoluteerror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:quantileerror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:expectileerror", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"reg:logistic", TreeLink::Sigmoid, XGBoostBase::Probability},
    XGBoostObjective{"binary:logistic", TreeLink::Sigmoid, XGBoostBase::Probability},
    XGBoostObjective{"binary:logitraw", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"binary:hinge", TreeLink::Hinge, XGBoostBase::Margin},
    XGBoostObjective{"multi:softmax", TreeLink::Softmax, XGBoostBase::Margin},
    XGBoostObjective{"multi:softprob", TreeLink::Softmax, XGBoostBase::Margin},
    XGBoostObjective{"count:poisson", TreeLink::Exponential, XGBoostBase::Positive},
    XGBoostObjective{"reg:gamma", TreeLink::Exponential, XGBoostBase::Positive},
    XGBoostObjective{"reg:tweedie", TreeLink::Exponential, XGBoostBase::Positive},
    XGBoostObjective{"survival:cox", TreeLink::Exponential, XGBoostBase::Positive},
    XGBoostObjective{"survival:aft", TreeLink::Exponential, XGBoostBase::Positive},
    XGBoostObjective{"rank:pairwise", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"rank:ndcg", TreeLink::Identity, XGBoostBase::Margin},
    XGBoostObjective{"rank:map", TreeLink::Identity, XGBoostBase::Margin},
};

inline constexpr std::array<std::string_view, 6> xgboost_model_keys{"gbtree_model_param", "trees",       "tree_info",
                                                                    "iteration_indptr",   "weight_drop", "cats"};

/// Translates a parsed XGBoost model to a TreeEnsemble.
class XGBoostReader {
public:
    explicit XGBoostReader(const io::JSONValue& root) : root_(root) {}

    [[nodiscard]] TreeEnsemble read() {
        const io::JSONValue version = root_["version"];
        const auto numbers = version.numbers<std::uint32_t>();
        if (numbers.size() != 3 || numbers[0] < 1 || numbers[0] > 3) {
            version.fail("XGBoost 1.x to 3.x");
        }
        const io::JSONValue learner = root_["learner"];
        const XGBoostBase base = read_head(learner);
        io::JSONValue booster = learner["gradient_booster"];
        std::optional<io::JSONValue> weights;
        const io::JSONValue name = booster["name"];
        if (name.string() == "dart") {  // before 3.3
            weights = booster["weight_drop"];
            booster = booster["gbtree"];
        } else if (name.string() != "gbtree") {
            name.fail("the booster gbtree or dart");
        }
        const io::JSONValue model = booster["model"];
        for (const auto& [key, value] : model.members()) {  // an unknown one may change scores, as weight_drop does
            if (std::find(xgboost_model_keys.begin(), xgboost_model_keys.end(), key) == xgboost_model_keys.end()) {
                value.fail("a known part of a model", '"' + key + '"');
            }
        }
        if (const auto dropped = model.find("weight_drop"); dropped && !weights) {
            weights = dropped;
        }
        read_trees(model, weights);
        read_base_score(learner["learner_model_param"], base);
        if (const std::string problem = problem_of_head(forest_); !problem.empty()) {
            learner.fail("a valid model", problem);
        }
        return std::move(forest_);
    }

private:
    [[nodiscard]] XGBoostBase read_head(const io::JSONValue& learner) {
        const io::JSONValue parameters = learner["learner_model_param"];
        forest_.sums_in_float = true;
        forest_.features = xgboost_parameter<std::uint32_t>(parameters, "num_feature");
        const auto classes = xgboost_parameter<std::uint32_t>(parameters, "num_class", 0);
        const auto targets = xgboost_parameter<std::uint32_t>(parameters, "num_target", 1);
        forest_.outputs = std::max({classes, targets, std::uint32_t{1}});
        if (classes > 1 && targets > 1) {
            parameters.fail("several classes or several targets", "both");
        }
        if (forest_.outputs > 65'536) {
            parameters.fail("at most 65536 outputs", std::to_string(forest_.outputs));
        }

        const io::JSONValue name = learner["objective"]["name"];
        const std::string text = name.string();
        const auto* const objective = std::find_if(xgboost_objectives.begin(), xgboost_objectives.end(),
                                                   [&](const XGBoostObjective& known) { return known.name == text; });
        if (objective == xgboost_objectives.end()) {
            name.fail("a known objective");
        }
        forest_.link = objective->link;
        if (const auto names = learner.find("feature_names"); names && names->size() != 0) {
            for (const io::JSONValue& feature : names->elements()) {
                forest_.feature_names.push_back(feature.string());
            }
        }
        return objective->base;
    }

    // A number, or since 3.1 a vector of one number per output. Without trees, a score that was to be estimated from
    // the labels never was: XGBoost takes it as a margin.
    void read_base_score(const io::JSONValue& parameters, XGBoostBase base) {
        if (forest_.trees.empty() && xgboost_parameter<std::uint32_t>(parameters, "boost_from_average", 1) != 0) {
            base = XGBoostBase::Margin;
        }
        const io::JSONValue base_score = parameters["base_score"];
        const std::vector<float> scores = in_xgboost_string(base_score, [](const io::JSONValue& value) {
            return value.kind() == io::JSONKind::Number ? std::vector<float>{value.number<float>()}
                                                        : value.numbers<float>();
        });
        if (scores.size() != 1 && scores.size() != forest_.outputs) {
            base_score.fail("one base score, or one per output");
        }
        forest_.start.resize(forest_.outputs);
        for (std::size_t o = 0; o < forest_.outputs; ++o) {
            const float score = scores[scores.size() == 1 ? 0 : o];
            switch (base) {
                case XGBoostBase::Margin:
                    forest_.start[o] = static_cast<double>(score);
                    break;
                case XGBoostBase::Probability:
                    if (!(score > 0.0F && score < 1.0F)) {
                        base_score.fail("a probability between 0 and 1");
                    }
                    forest_.start[o] = static_cast<double>(-std::log(1.0F / score - 1.0F));
                    break;
                case XGBoostBase::Positive:
                    if (!(score > 0.0F)) {
                        base_score.fail("a base score > 0");
                    }
                    forest_.start[o] = static_cast<double>(std::log(score));
                    break;
            }
        }
    }

    void read_trees(const io::JSONValue& model, const std::optional<io::JSONValue>& weight_drop) {
        const io::JSONValue trees = model["trees"];
        const std::vector<io::JSONValue> all = trees.elements();
        const io::JSONValue tree_info = model["tree_info"];
        const auto outputs = tree_info.numbers<std::uint32_t>();
        const auto weights = weight_drop ? weight_drop->numbers<float>() : std::vector<float>(all.size(), 1.0F);
        if (all.size() > max_trees) {
            trees.fail("at most " + std::to_string(max_trees) + " trees", std::to_string(all.size()));
        }
        if (outputs.size() != all.size()) {
            tree_info.fail(std::to_string(all.size()) + " numbers, one per tree", std::to_string(outputs.size()));
        }
        if (weights.size() != all.size()) {
            weight_drop->fail(std::to_string(all.size()) + " numbers, one per tree", std::to_string(weights.size()));
        }
        if (xgboost_parameter<std::uint64_t>(model["gbtree_model_param"], "num_trees") != all.size()) {
            trees.fail("as many trees as num_trees says", std::to_string(all.size()));
        }
        XGBoostTreeReader reader(forest_);
        for (std::size_t t = 0; t < all.size(); ++t) {
            Tree tree = reader.read(all[t], weights[t]);
            tree.output = outputs[t];
            if (const std::string problem = problem_of(forest_, tree); !problem.empty()) {
                all[t].fail("a valid tree", problem);
            }
            forest_.trees.push_back(std::move(tree));
        }
    }

    io::JSONValue root_;
    TreeEnsemble forest_;
};

}  // namespace detail

/// Reads a model that XGBoost 1.x to 3.x saved as JSON or UBJSON (Booster.save_model). Either is recognized by its
/// content.
///
/// All tree boosters are supported, DART included; all objectives of XGBoost; one or several outputs; categorical
/// splits. A missing value is NaN. Categories are truncated towards zero.
///
/// A set of categories takes a bit for each category up to its largest: all sets together at most 128 MiB, so a file of
/// 100 KB may need as much. A model that needs more is rejected.
///
/// For binary:hinge, predict() gives classes; for multi:softmax, probabilities: the largest is that of the class.
///
/// Errors    IOError if the file cannot be read;  CorruptData with the position and the field if it is not such a model
[[nodiscard]] inline TreeEnsemble read_xgboost(const std::string& path) {
    std::vector<std::byte> bytes = io::read_file(path);
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 64));
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos || text[first] != '{') {
        raise<CorruptData>(path + ": byte 0: expected an XGBoost model in JSON or UBJSON, found " +
                           io::recognise(bytes) +
                           " (models in the old binary format: load them with XGBoost 3.0 or earlier and save them "
                           "with save_model(\"model.json\"))");
    }
    const io::JSON json = io::JSON::parse(std::move(bytes), path);
    return detail::XGBoostReader(json.root()).read();
}

/// A forest that scores as XGBoost does: score() gives the margins, with the same bits as Booster.predict(DMatrix,
/// output_margin=True). predict() transforms them in double precision, XGBoost in float.
///
/// Errors    as read_xgboost()
[[nodiscard]] inline Forest load_xgboost(const std::string& path) {
    return Forest(read_xgboost(path));
}

}  // namespace ranking
}  // namespace FUNNEL_ABI
}  // namespace funnel

// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/xgboost.hpp>

#include "ranking/model_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::Matrix;
using funnel::ranking::Forest;
using funnel::ranking::load_xgboost;
using funnel::ranking::read_xgboost;
using funnel::ranking::Tree;
using funnel::ranking::TreeEnsemble;
using namespace funnel::testing;

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::string error_of(const std::string& content) {
    return model_error(content, read_xgboost);
}

// One split at `condition`: -0 to the left, 0.15 to the right; missing values to the left.
std::string stump(const std::string& condition, const std::string& objective = "reg:squarederror",
                  const std::string& base_score = "0E0") {
    return R"({"learner":{"gradient_booster":{"model":{"gbtree_model_param":{"num_trees":"1"},"tree_info":[0],"trees":[{
        "default_left":[1,0,0],"left_children":[1,-1,-1],"right_children":[2,-1,-1],"parents":[2147483647,0,0],
        "split_conditions":[)" +
           condition + R"(,-0.0,1.5E-1],"split_indices":[0,0,0],
        "tree_param":{"num_deleted":"0","num_nodes":"3","size_leaf_vector":"0"}}]},"name":"gbtree"},
        "learner_model_param":{"base_score":")" +
           base_score + R"(","num_class":"0","num_feature":"1"},"objective":{"name":")" + objective +
           R"("}},"version":[1,7,6]})";
}

// The scores of a model with one feature and one output.
std::vector<double> scores(const std::string& content, const std::vector<float>& xs) {
    const TempDir dir;
    const std::string path = dir / "model";
    put_bytes(path, std::as_bytes(std::span(content)));
    const Forest forest = load_xgboost(path);
    Matrix<float> rows(xs.size(), 1);
    for (std::size_t i = 0; i < xs.size(); ++i) {
        rows(i, 0) = xs[i];
    }
    return forest.score(rows.view());
}

}  // namespace

TEST_CASE("xgboost: margins of all models have the bits of XGBoost, NaN included") {
    const Matrix<float> rows = funnel::io::read_npy<float>(model_path("xgboost", "rows.npy"));
    std::size_t models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(model_path("xgboost"))) {
        if (entry.path().extension() == ".npy") {
            continue;
        }
        ++models;
        CAPTURE(entry.path().string());
        std::filesystem::path expected_path = entry.path();
        expected_path.replace_extension(".npy");
        const Matrix<float> expected = funnel::io::read_npy<float>(expected_path);
        const Forest forest = load_xgboost(entry.path());
        const std::size_t outputs = forest.outputs();
        REQUIRE(expected.cols() == 2 * outputs);
        REQUIRE(expected.rows() == rows.rows());
        const std::vector<double> margins = forest.score(rows.view());
        const std::vector<double> predictions = forest.predict(rows.view());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (std::size_t o = 0; o < outputs; ++o) {
                CHECK(margins[i * outputs + o] == static_cast<double>(expected(i, o)));
                const auto prediction = static_cast<float>(predictions[i * outputs + o]);
                CHECK(ulps<std::uint32_t>(prediction, expected(i, outputs + o)) <= 2);
            }
        }
    }
    CHECK(models == 38);
}

TEST_CASE("xgboost: x < condition in float, and missing values to the default side") {
    const float before = std::nextafter(0.5F, 0.0F);
    const std::vector<double> found = scores(stump("0.5"), {0.5F, before, missing, -0.0F, infinity, -infinity});
    const auto right = static_cast<double>(0.15F);
    CHECK(found == std::vector<double>{right, 0.0, 0.0, 0.0, right, 0.0});

    CHECK(scores(stump("0"), {0.0F, -0.0F, -1e-45F, 1e-45F}) == std::vector<double>{right, right, 0.0, right});
    CHECK(scores(stump("-Infinity"), {-infinity, 0.0F, missing}) == std::vector<double>{right, right, 0.0});
    CHECK(scores(stump("Infinity"), {-infinity, 3e38F, infinity, missing}) ==
          std::vector<double>{0.0, 0.0, right, 0.0});
    CHECK(error_of(stump("NaN")).find("threshold NaN") != std::string::npos);
}

TEST_CASE(
    "xgboost: listed categories go right; negative, unknown and huge ones left; missing ones to the default side") {
    // categories 1, 3 and 95
    std::string text = replaced(stump("NaN"), "\"split_indices\"",
                                R"("split_type":[1,0,0],"categories":[1,3,95],"categories_nodes":[0],)"
                                R"("categories_segments":[0],"categories_sizes":[3],"split_indices")");
    const auto right = static_cast<double>(0.15F);
    for (const float x : {1.0F, 1.9F, 3.0F, 95.0F}) {
        CHECK_MESSAGE(scores(text, {x}).front() == right, x);
    }
    for (const float x : {-1.0F, -0.5F, 0.0F, 0.9F, 2.0F, 96.0F, 1e9F, 3e9F, infinity, -infinity, missing}) {
        CHECK_MESSAGE(scores(text, {x}).front() == 0.0, x);
    }
    CHECK(scores(replaced(text, "\"default_left\":[1", "\"default_left\":[0"), {missing}).front() == right);

    CHECK(error_of(replaced(text, "[1,3,95]", "[1,3]")).find("segment 0 outside") != std::string::npos);
    CHECK(error_of(replaced(text, "\"categories_sizes\":[3]", "\"categories_sizes\":[0]")) != "no error");
    CHECK(error_of(replaced(text, "\"categories_sizes\":[3]", "\"categories_sizes\":[18446744073709551615]")) !=
          "no error");
    CHECK(error_of(replaced(text, "\"categories_nodes\":[0]", "\"categories_nodes\":[3]")) != "no error");
    CHECK(error_of(replaced(text, "\"categories_nodes\":[0]", "\"categories_nodes\":[1]"))
              .find("categories for node 0") != std::string::npos);
    CHECK(error_of(replaced(text, "95]", "16777216]")).find("below 2^24") != std::string::npos);
    CHECK(error_of(replaced(text, "95]", "-1]")) != "no error");
}

TEST_CASE("xgboost: base scores in the space of the objective, as a number or a vector") {
    const auto start = [](const std::string& objective, const std::string& base_score) {
        return scores(stump("0.5", objective, base_score), {0.0F}).front();
    };
    CHECK(start("binary:logistic", "3E-1") == static_cast<double>(-std::log(1.0F / 0.3F - 1.0F)));
    CHECK(start("binary:logistic", "[3E-1]") == start("binary:logistic", "3E-1"));
    CHECK(start("binary:logitraw", "3E-1") == static_cast<double>(0.3F));
    CHECK(start("count:poisson", "2") == static_cast<double>(std::log(2.0F)));
    CHECK(start("rank:ndcg", "-1.5") == -1.5);
    for (const auto& [objective, base_score] :
         std::vector<std::pair<std::string, std::string>>{{"binary:logistic", "0"},
                                                          {"binary:logistic", "1"},
                                                          {"reg:logistic", "-1"},
                                                          {"count:poisson", "0"},
                                                          {"reg:squarederror", "NaN"},
                                                          {"reg:squarederror", "[1,2]"},
                                                          {"reg:squarederror", "[]"},
                                                          {"reg:squarederror", ""},
                                                          {"reg:squarederror", "1e99"},
                                                          {"reg:squarederror", "0.5 "},
                                                          {"reg:magic", "0"}}) {
        const std::string error = error_of(stump("0.5", objective, base_score));
        const std::string what = objective + " " + base_score;
        CHECK_MESSAGE((error == "no error") == (base_score == "0.5 "), what);
    }
}

TEST_CASE("xgboost: without trees, a base score that was not estimated yet is the margin") {
    // As XGBoost 3.2 predicts with such files: a base score that the user sets switches boost_from_average off.
    const auto margin = [](const std::string& objective, const std::string& base_score, const std::string& parameter) {
        std::string text = stump("0.5", objective, base_score);
        text = replaced(text, R"("tree_info":[0])", R"("tree_info":[])");
        text = replaced(text, R"("num_trees":"1")", R"("num_trees":"0")");
        text = replaced(text, R"("num_class":"0")", R"("num_class":"0")" + parameter);
        const std::size_t begin = text.find("\"trees\":[") + 9;
        text.erase(begin, text.find("}}]}") + 2 - begin);
        return scores(text, {0.0F}).front();
    };
    const std::string estimated = R"(,"boost_from_average":"1")";
    const std::string given = R"(,"boost_from_average":"0")";
    CHECK(margin("binary:logistic", "[5E-1]", estimated) == 0.5);
    CHECK(margin("binary:logistic", "[5E-1]", "") == 0.5);
    CHECK(margin("binary:logistic", "[5E-1]", given) == 0.0);
    CHECK(margin("binary:logistic", "[3E-1]", estimated) == static_cast<double>(0.3F));
    CHECK(margin("binary:logistic", "[3E-1]", given) == static_cast<double>(-0.84729785F));
    CHECK(margin("count:poisson", "5E-1", estimated) == 0.5);
    CHECK(margin("count:poisson", "[1.5E0]", given) == static_cast<double>(0.4054651F));
    CHECK(margin("reg:squarederror", "[1.5E0]", estimated) == 1.5);
    CHECK(margin("reg:squarederror", "[1.5E0]", given) == 1.5);
    CHECK_THROWS_AS(static_cast<void>(margin("binary:logistic", "[1.5E0]", given)), CorruptData);
    // With trees, it has been estimated, as a probability.
    const std::string trained =
        replaced(stump("0.5", "binary:logistic", "3E-1"), R"("num_class":"0")", R"("num_class":"0")" + estimated);
    CHECK(scores(trained, {0.0F}).front() == static_cast<double>(-0.84729785F));
}

TEST_CASE("xgboost: the default sides of old models are true and false") {
    const std::string old = replaced(stump("0.5"), "\"default_left\":[1,0,0]", "\"default_left\":[true,false,false]");
    CHECK(scores(old, {missing}).front() == 0.0);
    CHECK(scores(replaced(old, "[true,", "[false,"), {missing}).front() == static_cast<double>(0.15F));
}

TEST_CASE("xgboost: dropped trees have weights, in the layout before 3.3 and the one since") {
    const std::string old =
        replaced(replaced(stump("0.5"), "\"gradient_booster\":{", "\"gradient_booster\":{\"gbtree\":{"),
                 "\"name\":\"gbtree\"}", "\"name\":\"gbtree\"},\"name\":\"dart\",\"weight_drop\":[0.3]}");
    const std::string now = replaced(stump("0.5"), "\"tree_info\"", "\"weight_drop\":[0.3],\"tree_info\"");
    const auto weighted = static_cast<double>(0.15F * 0.3F);
    CHECK(scores(old, {1.0F}).front() == weighted);
    CHECK(scores(now, {1.0F}).front() == weighted);
    CHECK(error_of(replaced(now, "[0.3]", "[0.3,1]")) != "no error");
    CHECK(error_of(replaced(now, "[0.3]", "[NaN]")).find("leaf value is not finite") != std::string::npos);
}

TEST_CASE("xgboost: each defect of a model is rejected with the field that has it") {
    const std::string good = stump("0.5");
    REQUIRE(error_of(good) == "no error");
    struct Defect {
        std::string old;
        std::string by;
        std::string message;
    };
    for (const auto& [old, by, message] : std::vector<Defect>{
             {"\"left_children\":[1", "\"left_children\":[0", "children from 1 to 2, found 0"},
             {"\"left_children\":[1", "\"left_children\":[3", "children from 1 to 2, found 3"},
             {"\"left_children\":[1", "\"left_children\":[-2", "children from 1 to 2, found -2"},
             {"\"left_children\":[1", "\"left_children\":[2", "as the child of two nodes"},
             {"\"right_children\":[2", "\"right_children\":[1", "as the child of two nodes"},
             {"\"left_children\":[1", "\"left_children\":[-1", "a leaf without children"},
             {"\"left_children\":[1,-1,-1]", "\"left_children\":[1,-1]", "left_children): expected 3 numbers"},
             {"\"left_children\":[1,", "\"left_children\":[1.5,", "left_children): expected a whole number"},
             {"\"left_children\":[1,", "\"left_children\":[4294967297,", "left_children): expected a whole number"},
             {"\"left_children\"", "\"left\"", "the key \"left_children\", found none"},
             {"\"right_children\":[2,-1", "\"right_children\":[2,2", "a leaf without children"},
             {"[2147483647,0,0]", "[2147483647,0,1]", "the parent 0 of node 2, found 1"},
             {"\"split_indices\":[0", "\"split_indices\":[1", "feature 1 of 1"},
             {"\"default_left\":[1", "\"default_left\":[2", "0 or 1 for each node"},
             {"-0.0", "Infinity", "leaf value is not finite"},
             {"\"num_nodes\":\"3\"", "\"num_nodes\":\"4\"", "expected 4 numbers"},
             {"\"num_nodes\":\"3\"", "\"num_nodes\":\"4294967295\"", "nodes, found 4294967295"},
             {"\"num_nodes\":\"3\"", "\"num_nodes\":\"0\"", "nodes, found 0"},
             {"\"num_nodes\":\"3\"", "\"num_nodes\":\"-3\"", "a number in a string"},
             {"\"num_nodes\":\"3\"", "\"num_nodes\":3", "num_nodes): expected a string"},
             {"\"num_deleted\":\"0\"", "\"num_deleted\":\"1\"", "expected 1 deleted nodes, found 0 unreachable ones"},
             {"\"num_trees\":\"1\"", "\"num_trees\":\"2\"", "as many trees as num_trees says"},
             {"\"tree_info\":[0]", "\"tree_info\":[1]", "output 1 of 1"},
             {"\"tree_info\":[0]", "\"tree_info\":[0,0]", "tree_info): expected 1 numbers, one per tree, found 2"},
             {"\"name\":\"gbtree\"", "\"name\":\"gblinear\"", "the booster gbtree or dart, found \"gblinear\""},
             {"\"version\":[1,7,6]", "\"version\":[4,0,0]", "XGBoost 1.x to 3.x"},
             {"\"num_class\":\"0\"", "\"num_class\":\"4000000000\"", "at most 65536 outputs"},
             {"\"num_class\":\"0\"", "\"num_class\":\"2\",\"num_target\":\"2\"", "several classes or several targets"},
             {"\"num_feature\":\"1\"", "\"num_feature\":\"1\",\"num_feature\":\"1\"", "once, found it twice"},
             {"\"size_leaf_vector\":\"0\"", "\"size_leaf_vector\":\"2\"", "one value or one per output"},
             {"\"size_leaf_vector\":\"0\"", "\"size_leaf\":\"0\"", "the key \"size_leaf_vector\", found none"},
             {"\"tree_info\"", "\"weight_trop\":[1],\"tree_info\"", "a known part of a model, found \"weight_trop\""},
             {"\"split_indices\"",
              "\"categories\":[1],\"categories_nodes\":[0],\"categories_segments\":[0],"
              "\"categories_sizes\":[1],\"split_indices\"",
              "sets for the 0 categorical nodes"},
             {"\"objective\"", "\"feature_names\":[\"a\",\"b\"],\"objective\"", "2 feature names for 1 features"},
             {"\"objective\":{", "\"objective\":{\"x\":", "byte "}}) {
        const std::string error = error_of(replaced(good, old, by));
        const std::string what = by + ": " + error;
        CHECK_MESSAGE(error.find(message) != std::string::npos, what);
    }
    CHECK(error_of(good.substr(0, good.size() - 1)) != "no error");
    CHECK(error_of(replaced(good, "\"left_children\":[1", "\"left_children\":[3"))
              .find("(learner.gradient_booster.model.trees[0])") != std::string::npos);
}

TEST_CASE("xgboost: probabilities are bounded where XGBoost bounds them") {
    const TempDir dir;
    const std::string path = dir / "model";
    const std::string text = replaced(stump("0.5", "binary:logistic", "5E-1"), "-0.0,1.5E-1", "-100,100");
    put_bytes(path, std::as_bytes(std::span(text)));
    const Matrix<float> rows(1, 1);
    const std::vector<double> prediction = load_xgboost(path).predict(rows.view());
#ifndef __FAST_MATH__
    CHECK(static_cast<float>(prediction[0]) == 1.0F / (std::exp(88.7F) + 1.0F));  // not exp(-100), 1e-44
#endif
    CHECK(prediction[0] < 1e-38);
}

#ifndef __FAST_MATH__
TEST_CASE("xgboost: differences of margins are rounded to float before the exponential of softmax, as in XGBoost") {
    const TempDir dir;
    const std::string path = dir / "model";
    const std::string text = replaced(replaced(stump("0.5", "multi:softprob", "1E-1"), "-0.0,1.5E-1", "-2.03E1,1"),
                                      "\"num_class\":\"0\"", "\"num_class\":\"2\"");
    put_bytes(path, std::as_bytes(std::span(text)));
    const Matrix<float> rows(1, 1);
    const std::vector<double> prediction = load_xgboost(path).predict(rows.view());
    const float margin = 0.1F + -20.3F;
    const float difference = margin - 0.1F;
    const double exponential = std::exp(static_cast<double>(difference));
    CHECK(prediction[0] == exponential / (exponential + 1.0));
    CHECK(static_cast<double>(difference) != static_cast<double>(margin) - static_cast<double>(0.1F));
}
#endif

TEST_CASE("xgboost: says what to do with the old binary format and with other files") {
    CHECK(error_of(std::string("binf\0\0\0\x3f", 8)).find("save_model(\"model.json\")") != std::string::npos);
    CHECK(error_of(std::string("\0\0\0\x3f\5\0\0\0", 8)).find("save_model(\"model.json\")") != std::string::npos);
    CHECK(error_of("").find("an XGBoost model in JSON or UBJSON") != std::string::npos);
    CHECK(error_of("{}").find("the key \"version\"") != std::string::npos);
}

TEST_CASE("xgboost: names and covers are kept; covers that are no weights are dropped") {
    const TreeEnsemble forest = read_xgboost(model_path("xgboost", "xgboost32_squared.json"));
    CHECK(forest.feature_names == std::vector<std::string>{"price", "age", "trend", "colour"});
    const Tree& tree = forest.trees.front();
    REQUIRE(tree.split_covers.size() == tree.splits.size());
    REQUIRE(tree.leaf_covers.size() == tree.leaves());
    double sum = 0.0;
    for (const double cover : tree.leaf_covers) {
        sum += cover;
    }
    CHECK(sum == tree.split_covers.front());  // whole numbers: the rows of squared error weigh 1
    CHECK(sum == 300.0);
    const std::string text = text_of(model_path("xgboost", "xgboost32_squared.json"));
    CHECK(error_of(replaced(text, "\"sum_hessian\":[", "\"sum_hessian\":[-")) == "no error");
}

TEST_CASE("xgboost: 10,000 damaged files are rejected, or are scored as they say") {
    std::size_t cases = 0;
    for (const std::string name :
         {"xgboost32_categorical.json", "xgboost32_vector_leaves_ubj.ubj", "xgboost17_dart.json"}) {
        cases += check_damaged_values(model_path("xgboost", name), load_xgboost,
                                      {.has_checksum = false, .head = 256, .bit_flips = 2600});
    }
    CHECK(cases > 10'000);
}

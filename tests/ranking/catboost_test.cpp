// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/catboost.hpp>

#include "ranking/model_files.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <vector>

using funnel::Matrix;
using funnel::ranking::Forest;
using funnel::ranking::load_catboost;
using funnel::ranking::read_catboost;
using funnel::ranking::Tree;
using funnel::ranking::TreeLink;
using namespace funnel::testing;

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::string error_of(const std::string& content) {
    return model_error(content, read_catboost);
}

// Two splits: feature 0 > 0.5 is bit 0 of the leaf, feature 2 > -1 is bit 1. Feature 1 is not used.
std::string oblivious() {
    return R"({"features_info": {"float_features": [
        {"flat_feature_index": 0, "has_nans": true, "nan_value_treatment": "AsFalse"},
        {"flat_feature_index": 2, "has_nans": true, "nan_value_treatment": "AsTrue"},
        {"flat_feature_index": 1, "has_nans": false, "nan_value_treatment": "AsIs"}]},
      "model_info": {"params": {"loss_function": {"type": "RMSE"}}},
      "oblivious_trees": [{"leaf_values": [1, 2, 3, 4], "leaf_weights": [10, 20, 30, 40], "splits": [
        {"border": 0.5, "float_feature_index": 0, "split_type": "FloatFeature"},
        {"border": -1.0, "float_feature_index": 1, "split_type": "FloatFeature"}]}],
      "scale_and_bias": [2, [100]]})";
}

std::vector<double> scores(const std::string& content, const std::vector<std::vector<float>>& xs) {
    const TempDir dir;
    const std::string path = dir / "model";
    put_bytes(path, std::as_bytes(std::span(content)));
    const Forest forest = load_catboost(path);
    Matrix<float> rows(xs.size(), forest.features());
    for (std::size_t i = 0; i < xs.size(); ++i) {
        for (std::size_t j = 0; j < forest.features(); ++j) {
            rows(i, j) = xs[i][j];
        }
    }
    return forest.score(rows.view());
}

}  // namespace

TEST_CASE("catboost: raw scores of all models have the bits of CatBoost, NaN included") {
    const Matrix<float> rows = funnel::io::read_npy<float>(model_path("catboost", "rows.npy"));
    std::size_t models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(model_path("catboost"))) {
        if (entry.path().extension() != ".json") {
            continue;
        }
        ++models;
        CAPTURE(entry.path().string());
        std::filesystem::path expected_path = entry.path();
        expected_path.replace_extension(".npy");
        const Matrix<double> expected = funnel::io::read_npy<double>(expected_path);
        const Forest forest = load_catboost(entry.path());
        const std::size_t outputs = forest.outputs();
        REQUIRE(expected.cols() == 2 * outputs);
        const std::vector<double> raw = forest.score(rows.view());
        const std::vector<double> predictions = forest.predict(rows.view());
        for (std::size_t i = 0; i < rows.rows(); ++i) {
            for (std::size_t o = 0; o < outputs; ++o) {
                CHECK(raw[i * outputs + o] == expected(i, o));
                // CatBoost's softmax and exp are up to 7 units away from the exact values.
                CHECK(ulps<std::uint64_t>(predictions[i * outputs + o], expected(i, outputs + o)) <= 8);
            }
            if (forest.trees().link == TreeLink::Softmax) {
                long double sum = 0.0L;
                for (std::size_t o = 0; o < outputs; ++o) {
                    sum += std::exp(static_cast<long double>(raw[i * outputs + o]));
                }
                for (std::size_t o = 0; o < outputs; ++o) {
                    const long double exact = std::exp(static_cast<long double>(raw[i * outputs + o])) / sum;
                    CHECK(ulps<std::uint64_t>(predictions[i * outputs + o], static_cast<double>(exact)) <= 2);
                }
            }
        }
    }
    CHECK(models == 9);
}

TEST_CASE("catboost: x > border sets the bit of the split, and missing values follow the treatment") {
    const float after = std::nextafter(0.5F, 1.0F);
    CHECK(scores(oblivious(), {{0.5F, 0.0F, -1.0F},
                               {after, 0.0F, -1.0F},
                               {0.5F, 0.0F, -0.5F},
                               {infinity, 0.0F, infinity},
                               {-infinity, 0.0F, -infinity}}) == std::vector<double>{102, 104, 106, 108, 102});
    CHECK(scores(oblivious(), {{missing, missing, missing}}).front() == 106);  // bit 0 unset, bit 1 set
    const std::string as_is = replaced(oblivious(), "AsTrue", "AsIs");
    CHECK(scores(as_is, {{missing, missing, missing}}).front() == 102);
    const std::string not_seen = replaced(oblivious(), "2, \"has_nans\": true", "2, \"has_nans\": false");
    CHECK(scores(not_seen, {{missing, missing, missing}}).front() == 102);
}

TEST_CASE("catboost: scale and bias in the old form, weights of splits") {
    CHECK(scores(replaced(oblivious(), "[2, [100]]", "[2, 100]"), {{0, 0, -1}}).front() == 102);
    const TempDir dir;
    const std::string content = oblivious();
    put_bytes(dir / "model", std::as_bytes(std::span(content)));
    const Tree tree = read_catboost(dir / "model").trees.front();
    CHECK(tree.split_covers == std::vector<double>{100, 30, 70});
    CHECK(tree.leaf_covers == std::vector<double>{10, 20, 30, 40});
}

TEST_CASE("catboost: an error names the feature that needs more than numbers") {
    const std::string error = error_of(text_of(model_path("catboost", "unsupported/one_hot.json")));
    CHECK(error.find("oblivious_trees[0].splits[0]") != std::string::npos);
    CHECK(error.find("0 \"colour\"") != std::string::npos);
    CHECK(error.find("found OneHotFeature") != std::string::npos);
}

TEST_CASE("catboost: each defect of a model is rejected with the field that has it") {
    REQUIRE(error_of(oblivious()) == "no error");
    CHECK(error_of("CBM1\b").find("save_model(path, format=\"json\")") != std::string::npos);
    struct Defect {
        std::string old;
        std::string by;
        std::string message;
    };
    for (const auto& [old, by, message] : std::vector<Defect>{
             {"[1, 2, 3, 4]", "[1, 2, 3]", "leaf_values): expected 4 leaf values, found 3"},
             {"[1, 2, 3, 4]", "[1, 2, 3, NaN]", "leaf value is not finite"},
             {"[10, 20, 30, 40]", "[10, 20, 30]", "leaf_weights): expected 4 leaf weights, found 3"},
             {"[10, 20, 30, 40]", "[10, 20, 30, -40]", "covers must be finite"},
             {"\"float_feature_index\": 1", "\"float_feature_index\": 3", "one of 3 float features"},
             {"\"float_feature_index\": 1", "\"float_feature_index\": -1", "a whole number"},
             {"\"flat_feature_index\": 2", "\"flat_feature_index\": 4294967295", "a column below 1000000"},
             {"\"border\": 0.5", "\"border\": NaN", "threshold NaN"},
             {"\"border\": 0.5", "\"edge\": 0.5", "the key \"border\""},
             {"AsTrue", "AsNothing", "AsIs, AsFalse or AsTrue"},
             {"\"RMSE\"", "\"Magic\"", "a known loss, found \"Magic\""},
             {"[2, [100]]", "[2, []]", "1 to 65536 outputs"},
             {"[2, [100]]", "[2]", "scale and bias, found 1 values"},
             {"[2, [100]]", "[2, [NaN]]", "start and bias must be finite"},
             {"[2, [100]]", "[2, [100, 0]]", "expected 8 leaf values, found 4"},
             {"\"oblivious_trees\"", "\"shrubs\"", "the key \"trees\""}}) {
        const std::string error = error_of(replaced(oblivious(), old, by));
        const std::string what = by + ": " + error;
        CHECK_MESSAGE(error.find(message) != std::string::npos, what);
    }
    std::string deep = oblivious();
    for (int i = 0; i < 20; ++i) {
        deep = replaced(deep, "\"splits\": [",
                        "\"splits\": [{\"border\": 1, \"float_feature_index\": 0, \"split_type\": "
                        "\"FloatFeature\"}, ");
    }
    CHECK(error_of(deep).find("at most 16 splits") != std::string::npos);
    const std::string nested = text_of(model_path("catboost", "depthwise_multiclass.json"));
    CHECK(error_of(replaced(nested, "\"left\"", "\"lift\"")).find("the key \"left\"") != std::string::npos);
    CHECK(error_of(replaced(nested, "\"value\": [", "\"value\": [1, ")).find("expected 3 values of a leaf, found 4") !=
          std::string::npos);
}

TEST_CASE("catboost: 10,000 damaged files are rejected, or are scored as they say") {
    std::size_t cases = 0;
    for (const std::string name : {"logloss.json", "depthwise_multiclass.json"}) {
        cases += check_damaged_values(model_path("catboost", name), load_catboost,
                                      {.has_checksum = false, .head = 256, .bit_flips = 4200});
    }
    CHECK(cases > 10'000);
}

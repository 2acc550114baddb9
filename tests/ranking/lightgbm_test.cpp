// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include <funnel/ranking/lightgbm.hpp>

#include "ranking/data/lightgbm_models.hpp"
#include "support/damage.hpp"
#include "support/temp_dir.hpp"

#include <funnel/core/matrix.hpp>
#include <funnel/core/matrix_view.hpp>

#include <doctest/doctest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <map>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using funnel::CorruptData;
using funnel::InvalidArgument;
using funnel::IOError;
using funnel::Matrix;
using funnel::ranking::Forest;
using funnel::ranking::load_lightgbm;
using funnel::ranking::read_lightgbm;
using funnel::ranking::save_lightgbm;
using funnel::ranking::Tree;
using funnel::ranking::TreeEnsemble;
using funnel::ranking::TreeLink;
using funnel::ranking::TreeSplit;
using funnel::testing::TempDir;
namespace lightgbm = funnel::testing::lightgbm;

namespace {

constexpr float missing = std::numeric_limits<float>::quiet_NaN();
constexpr float inf = std::numeric_limits<float>::infinity();

Forest forest_of(std::string_view text) {
    const TempDir dir;
    funnel::testing::put_bytes(dir / "model.txt", std::as_bytes(std::span(text)));
    return load_lightgbm(dir / "model.txt");
}

// Why a model is rejected, from its line on: "17: tree 0: left_child: ..."; or "accepted".
std::string problem_of(std::string_view text) {
    const TempDir dir;
    const std::string path = dir / "model.txt";
    funnel::testing::put_bytes(path, std::as_bytes(std::span(text)));
    try {
        static_cast<void>(read_lightgbm(path));
        return "accepted";
    } catch (const CorruptData& error) {
        const std::string message = error.what();
        REQUIRE(message.starts_with(path + ":"));
        return message.substr(path.size() + 1);
    }
}

std::string replaced(std::string_view text, std::string_view old, std::string_view by) {
    std::string result(text);
    const std::size_t at = result.find(old);
    REQUIRE(at != std::string::npos);
    return result.replace(at, old.size(), by);
}

std::vector<double> score(const Forest& forest, std::initializer_list<float> row) {
    Matrix<float> rows(1, row.size());
    std::copy(row.begin(), row.end(), rows.row(0).begin());
    return forest.score(rows);
}

std::vector<double> predict(const Forest& forest, std::initializer_list<float> row) {
    Matrix<float> rows(1, row.size());
    std::copy(row.begin(), row.end(), rows.row(0).begin());
    return forest.predict(rows);
}

std::string head(std::string_view objective = "objective=regression\n", std::size_t features = 1,
                 std::size_t classes = 1) {
    const std::string count = std::to_string(classes);
    std::string text = "tree\nversion=v4\nnum_class=" + count + "\nnum_tree_per_iteration=" + count +
                       "\nlabel_index=0\nmax_feature_idx=" + std::to_string(features - 1) + "\n";
    return text.append(objective) + "\n";
}

// A tree without splits.
std::string constant_tree(std::size_t t, std::string_view value) {
    return "Tree=" + std::to_string(t) + "\nnum_leaves=1\nnum_cat=0\nleaf_value=" + std::string(value) + "\n\n";
}

constexpr std::string_view tail = "end of trees\n";

// Line 1 is "tree", and "Tree=0" is line 11.
const std::string smallest =
    "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx=0\nobjective=regression\n"
    "feature_names=f0\nfeature_infos=[-10:10]\n\n"
    "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\ndecision_type=2\nleft_child=-1\nright_child=-2\n"
    "leaf_value=10 20\nshrinkage=1\n\nend of trees\n";

const std::string categorical = head() +
                                "Tree=0\nnum_leaves=2\nnum_cat=1\nsplit_feature=0\nthreshold=0\ndecision_type=1\n"
                                "left_child=-1\nright_child=-2\nleaf_value=10 20\ncat_boundaries=0 3\n"
                                "cat_threshold=10 0 2147483648\n\nend of trees\n";

const std::string linear = head("", 2) +
                           "Tree=0\nnum_leaves=2\nnum_cat=0\nsplit_feature=0\nthreshold=0.5\ndecision_type=2\n"
                           "left_child=-1\nright_child=-2\nleaf_value=10 20\nis_linear=1\nleaf_const=1.5 -2.25\n"
                           "num_features=2 1\nleaf_features=0 1  1 \nleaf_coeff=0.1 -3  7 \n\nend of trees\n";

// Why the smallest model is rejected after a replacement.
std::string damaged(std::string_view old, std::string_view by) {
    return problem_of(replaced(smallest, old, by));
}

Matrix<float> rows_of_models() {
    Matrix<float> rows(lightgbm::rows.size() / 4, 4);
    for (std::size_t i = 0; i < lightgbm::rows.size(); ++i) {
        rows(i / 4, i % 4) = static_cast<float>(lightgbm::rows[i]);
    }
    return rows;
}

// Bits of numbers. All NaN are equal: their sign depends on the order of the operands in the machine code.
std::vector<std::uint64_t> bits(const std::vector<double>& values) {
    std::vector<std::uint64_t> result;
    for (const double x : values) {
        result.push_back(std::isnan(x) ? 1 : std::bit_cast<std::uint64_t>(x));
    }
    return result;
}

std::string_view model_of(std::string_view name) {
    for (const lightgbm::Model& model : lightgbm::models) {
        if (model.name == name) {
            return model.text;
        }
    }
    FAIL("no such model");
    return {};
}

// Numbers between two doubles. All NaN are equal.
double ulps(double a, double b) {
    if ((std::isnan(a) && std::isnan(b)) || a == b) {
        return 0.0;
    }
    const double unit = std::nextafter(std::abs(b), INFINITY) - std::abs(b);
    return std::abs(a - b) / unit;
}

}  // namespace

TEST_CASE("lightgbm: the smallest model that LightGBM loads") {
    const Forest forest = forest_of(smallest);
    CHECK(forest.features() == 1);
    CHECK(forest.outputs() == 1);
    CHECK(forest.trees().feature_names == std::vector<std::string>{"f0"});
    CHECK(score(forest, {0.5F}) == std::vector{10.0});
    CHECK(score(forest, {0.6F}) == std::vector{20.0});
}

#ifndef __FAST_MATH__
TEST_CASE("lightgbm: numerical decisions are those of LightGBM, for all missing types") {
    const float next = std::nextafter(0.5F, 1.0F);
    const std::array<float, 13> values{missing, -inf,   -1,     -2e-35F, 0.0F, -0.0F, 1e-36F,
                                       -1e-36F, 1e-35F, 2e-35F, 0.5F,    next, inf};
    struct Row {
        std::string_view threshold;
        std::string_view decision_types;
        std::string_view sides;
    };
    // What LightGBM answers for these values, L or R. +/-0 and +/-1e-36 have two columns each.
    const std::array<Row, 13> table{{{"-0.5", "0", "RLLRRRRRRRRRR"},
                                     {"-0.5", "2", "RLLRRRRRRRRRR"},
                                     {"-0.5", "4", "RLLRRRRRRRRRR"},
                                     {"-0.5", "6", "LLLRLLLLLRRRR"},
                                     {"-0.5", "8", "RLLRRRRRRRRRR"},
                                     {"-0.5", "10", "LLLRRRRRRRRRR"},
                                     {"1.0000000180025095e-35", "0 2 6 10", "LLLLLLLLLRRRR"},
                                     {"1.0000000180025095e-35", "8", "RLLLLLLLLRRRR"},
                                     {"1.0000000180025095e-35", "4", "RLLLRRRRRRRRR"},
                                     {"0.5", "0 2 6 10", "LLLLLLLLLLLRR"},
                                     {"0.5", "4", "RLLLRRRRRLLRR"},
                                     {"0.5", "8", "RLLLLLLLLLLRR"},
                                     {"inf", "8", "RLLLLLLLLLLLL"}}};
    for (const Row& row : table) {
        std::istringstream types{std::string(row.decision_types)};
        for (std::string type; types >> type;) {
            const std::string text =
                replaced(replaced(smallest, "threshold=0.5", "threshold=" + std::string(row.threshold)),
                         "decision_type=2", "decision_type=" + type);
            const Forest forest = forest_of(text);
            std::string sides;
            for (const float x : values) {
                sides += score(forest, {x})[0] == 10.0 ? 'L' : 'R';
            }
            CHECK_MESSAGE(sides == row.sides, row.threshold, " ", type);
        }
    }
}

TEST_CASE("lightgbm: thresholds within 1e-35 of 0 see values within 1e-35 of 0 as 0") {
    for (const auto& [threshold, sides] : std::vector<std::pair<std::string, std::string>>{
             {"0", "LLLLLR"}, {"-0", "LLLLLR"}, {"1e-40", "LLLLLR"}, {"-1e-40", "LRRRRR"}, {"-1e-35", "LRRRRR"}}) {
        const std::string line = "threshold=" + threshold;
        const Forest forest = forest_of(replaced(smallest, "threshold=0.5", line));
        std::string found;
        for (const float x : {-1.1e-35F, -1e-35F, -1e-45F, 0.0F, 1e-35F, 1.1e-35F}) {
            found += score(forest, {x})[0] == 10.0 ? 'L' : 'R';
        }
        CHECK_MESSAGE(found == sides, line);
    }
}

TEST_CASE("lightgbm: categories are truncated, and NaN and unknown ones go right") {
    const Forest forest = forest_of(categorical);
    for (const float x : {1.0F, 1.9F, 3.0F, 95.0F}) {
        CHECK(score(forest, {x})[0] == 10.0);
    }
    for (const float x : {missing, -1.0F, -0.5F, 0.0F, 0.9F, 2.0F, 96.0F, 1e9F, 3e9F, inf, -inf}) {
        CHECK(score(forest, {x})[0] == 20.0);
    }
    const Forest with_0 = forest_of(replaced(categorical, "cat_threshold=10", "cat_threshold=11"));
    CHECK(score(with_0, {-0.5F})[0] == 10.0);
    CHECK(score(with_0, {-1.0F})[0] == 20.0);
}

TEST_CASE("lightgbm: linear leaves are summed from left to right, and NaN gives the plain leaf") {
    const Forest forest = forest_of(linear);
    CHECK(score(forest, {0.25F, 2.0F})[0] == -4.4749999999999996);
    CHECK(score(forest, {1.0F, 2.0F})[0] == 11.75);
    CHECK(score(forest, {0.25F, missing})[0] == 10.0);
    CHECK(score(forest, {missing, 2.0F})[0] == 10.0);
    CHECK(score(forest, {1.0F, missing})[0] == 20.0);
}
#endif

TEST_CASE("lightgbm: transformations of all objectives") {
    struct Row {
        std::string_view objective;
        double low;   // of the raw score -0.75
        double high;  // of 1.25
    };
    const std::array<Row, 9> table{{{"binary sigmoid:1", 0.32082130082460703, 0.77729986117469108},
                                    {"binary sigmoid:2", 0.18242552380635635, 0.92414181997875655},
                                    {"cross_entropy", 0.32082130082460703, 0.77729986117469108},
                                    {"cross_entropy_lambda", 0.38687100611489994, 1.501929081345373},
                                    {"poisson", 0.47236655274101469, 3.4903429574618414},
                                    {"gamma", 0.47236655274101469, 3.4903429574618414},
                                    {"tweedie", 0.47236655274101469, 3.4903429574618414},
                                    {"regression sqrt", -0.5625, 1.5625},
                                    {"lambdarank", -0.75, 1.25}}};
    for (const Row& row : table) {
        const std::string line = "objective=" + std::string(row.objective) + "\n";
        CHECK_MESSAGE(ulps(predict(forest_of(head(line) + constant_tree(0, "-0.75") + std::string(tail)), {0})[0],
                           row.low) <= 2.0,
                      row.objective);
        CHECK_MESSAGE(ulps(predict(forest_of(head(line) + constant_tree(0, "1.25") + std::string(tail)), {0})[0],
                           row.high) <= 2.0,
                      row.objective);
    }
    const std::string trees = constant_tree(0, "1.1") + constant_tree(1, "3.3") + constant_tree(2, "4.5");
    const std::vector<double> three =
        predict(forest_of(head("objective=multiclass num_class:3\n", 1, 3) + trees + std::string(tail)), {0});
    const std::vector<double> expected{0.025006805885529393, 0.22568676069463134, 0.74930643341983927};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(ulps(three[i], expected[i]) <= 2.0);
    }
    // One iteration more, of zeros, and the average of both.
    const std::string more = constant_tree(3, "0") + constant_tree(4, "0") + constant_tree(5, "0");
    const Forest average =
        forest_of(head("objective=multiclass num_class:3\naverage_output\n", 1, 3) + trees + more + std::string(tail));
    CHECK(score(average, {0}) == std::vector{1.1, 3.3, 4.5});  // a sum, as LightGBM's
    const std::vector<double> averaged{0.10550622852289721, 0.3169582270432158, 0.57753554443388699};
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(ulps(predict(average, {0})[i], averaged[i]) <= 2.0);
    }
}

TEST_CASE("lightgbm: trees are added in the order of the file") {
    const Forest forest = forest_of(head() + constant_tree(0, "0.1") + constant_tree(1, "0.2") +
                                    constant_tree(2, "0.3") + "end of trees\n");
    CHECK(score(forest, {0})[0] == 0.60000000000000009);  // 0.1 + (0.2 + 0.3) would be 0.6
}

#ifndef __FAST_MATH__
TEST_CASE("lightgbm: raw scores of models of LightGBM have its bits, predictions are within two units") {
    const Matrix<float> rows = rows_of_models();
    CHECK(lightgbm::models.size() > 30);
    for (const lightgbm::Model& model : lightgbm::models) {
        CAPTURE(model.name);
        const Forest forest = forest_of(model.text);
        CHECK(bits(forest.score(rows)) == bits(model.raw));
        const std::vector<double> predictions = forest.predict(rows);
        REQUIRE(predictions.size() == model.predictions.size());
        for (std::size_t i = 0; i < predictions.size(); ++i) {
            CHECK_MESSAGE(ulps(predictions[i], model.predictions[i]) <= 2.0, i, " ", predictions[i], " ",
                          model.predictions[i]);
        }
    }
}
#endif

#ifndef __FAST_MATH__
TEST_CASE("lightgbm: a saved model is read with the same bits, and saved as the same file") {
    const TempDir dir;
    const Matrix<float> rows = rows_of_models();
    for (const lightgbm::Model& model : lightgbm::models) {
        CAPTURE(model.name);
        const Forest forest = forest_of(model.text);
        save_lightgbm(forest, dir / "first.txt");
        const Forest again = load_lightgbm(dir / "first.txt");
        CHECK(bits(again.score(rows)) == bits(model.raw));
        CHECK(bits(again.predict(rows)) == bits(forest.predict(rows)));
        CHECK(again.trees().trees[0].leaf_covers == forest.trees().trees[0].leaf_covers);
        CHECK(again.trees().trees[0].split_covers == forest.trees().trees[0].split_covers);
        CHECK(again.trees().feature_names == forest.trees().feature_names);
        CHECK(again.trees().objective == forest.trees().objective);
        save_lightgbm(again.trees(), dir / "second.txt");
        CHECK(funnel::testing::bytes_of(dir / "first.txt") == funnel::testing::bytes_of(dir / "second.txt"));
    }
}
#endif

TEST_CASE("lightgbm: numbers of training rows are the covers") {
    const Tree tree = forest_of(model_of("regression")).trees().trees[0];
    CHECK(tree.split_covers[0] == 400.0);
    for (std::size_t i = 0; i < tree.splits.size(); ++i) {
        const auto cover = [&](std::int32_t child) {
            return child < 0 ? tree.leaf_covers[static_cast<std::size_t>(~child)]
                             : tree.split_covers[static_cast<std::size_t>(child)];
        };
        CHECK(tree.split_covers[i] == cover(tree.splits[i].left) + cover(tree.splits[i].right));
    }
    CHECK(forest_of(smallest).trees().trees[0].leaf_covers.empty());
}

TEST_CASE("lightgbm: whole numbers of any length are read, and others are rejected") {
    const auto with_counts = [](const std::string& counts) {
        return replaced(
            smallest, "shrinkage=1",
            "internal_count=" + counts.substr(0, counts.find(' ')) + "\nleaf_count=" + counts + "\nshrinkage=1");
    };
    const std::string digits = "9081726354998070605";
    for (std::size_t n = 1; n <= 19; ++n) {
        const std::string count = digits.substr(0, n);
        for (const std::string& counts : {count + " 123456789", count + " 5", "5 " + count, "0" + count + " 5"}) {
            CAPTURE(counts);
            if (counts.starts_with('0') && n == 19) {
                continue;
            }
            const Tree tree = forest_of(with_counts(counts)).trees().trees[0];
            const std::size_t space = counts.find(' ');
            CHECK(tree.leaf_covers[0] == static_cast<double>(std::stoll(counts.substr(0, space))));
            CHECK(tree.leaf_covers[1] == static_cast<double>(std::stoll(counts.substr(space + 1))));
        }
        for (const std::string wrong : {"-", "+", ".", "/", ":", ",", "a", "\t", "\x80", "\xff"}) {
            for (std::size_t at = 0; at <= n; ++at) {
                std::string bad = count;
                bad.insert(at, wrong);
                CHECK_MESSAGE(problem_of(with_counts(bad + " 123456789")).find("expected") != std::string::npos, bad);
            }
        }
    }
}

TEST_CASE("lightgbm: lines may end in CRLF") {
    const std::string_view text = model_of("linear");
    std::string windows;
    for (const char c : text) {
        windows += c == '\n' ? "\r\n" : std::string(1, c);
    }
    const Matrix<float> rows = rows_of_models();
    CHECK(bits(forest_of(windows).score(rows)) == bits(forest_of(text).score(rows)));
}

TEST_CASE("lightgbm: a model without trees scores 0") {
    CHECK(score(forest_of(head() + std::string(tail)), {1.0F}) == std::vector{0.0});
}

// The nine files that LightGBM does not reject cleanly, and what it does with them.
TEST_CASE("lightgbm: a child that is its own parent is rejected, which makes LightGBM hang") {
    CHECK(damaged("left_child=-1", "left_child=0") ==
          "17: tree 0: left_child, right_child: split 0 has the child split 0, which does not follow it");
}

TEST_CASE("lightgbm: a feature beyond the last is rejected, which makes LightGBM crash") {
    CHECK(damaged("split_feature=0", "split_feature=1000000") ==
          "14: tree 0: split_feature: expected a whole number from 0 to 0, found \"1000000\"");
}

TEST_CASE("lightgbm: a leaf that does not exist is rejected as a child, which makes LightGBM crash") {
    CHECK(damaged("left_child=-1", "left_child=-100000") ==
          "17: tree 0: left_child: expected a whole number from -2 to 0, found \"-100000\"");
}

TEST_CASE("lightgbm: a category set that does not exist is rejected, which makes LightGBM crash") {
    CHECK(problem_of(replaced(categorical, "threshold=0", "threshold=1000")) ==
          "13: tree 0: threshold: expected the position of one of 1 category sets at split 0, found 1000.000000");
}

TEST_CASE("lightgbm: a line without its equals sign is rejected, which makes LightGBM crash") {
    CHECK(damaged("threshold=0.5", "threshold") == "15: tree 0: threshold: expected 1 number, found 0");
}

TEST_CASE("lightgbm: a tree without leaves is rejected, which makes LightGBM crash") {
    CHECK(damaged("num_leaves=2", "num_leaves=0") ==
          "12: tree 0: num_leaves: expected a whole number from 1 to 65536, found \"0\"");
}

TEST_CASE("lightgbm: wrong sizes of trees are rejected, which make LightGBM abort") {
    CHECK(damaged("feature_infos=[-10:10]", "feature_infos=[-10:10]\ntree_sizes=1") ==
          "10: tree_sizes: expected 1 bytes in tree 0, found 135");
}

TEST_CASE("lightgbm: an array of another length than the tree is rejected, as by LightGBM") {
    CHECK(damaged("leaf_value=10 20", "leaf_value=10 20 30") ==
          "19: tree 0: leaf_value: expected 2 numbers, found more: \"30\"");
}

TEST_CASE("lightgbm: a leaf that is both children is rejected, which LightGBM accepts") {
    CHECK(damaged("right_child=-2", "right_child=-1") ==
          "17: tree 0: left_child, right_child: leaf 0 is the child of two splits");
}

TEST_CASE("lightgbm: a file that ends before `end of trees` is rejected, not a shorter model") {
    for (const std::string_view name : {"linear_categorical", "multiclass"}) {
        const std::string_view text = model_of(name);
        for (std::size_t size = 0; size + 1 < text.size(); ++size) {  // the last line end may be missing
            CHECK_MESSAGE(problem_of(text.substr(0, size)) != "accepted", size);
        }
        CHECK(problem_of(text) == "accepted");
    }
}

TEST_CASE("lightgbm: damaged headers are rejected, with the line and the field") {
    CHECK(problem_of("booster\n") == "1: expected a LightGBM model that begins with `tree`, found \"booster\"");
    CHECK(problem_of("{\"learner\":{}}\n").starts_with("1: expected a LightGBM model"));
    CHECK(damaged("version=v4", "version=v5") == "2: version: expected v3 or v4, found \"v5\"");
    CHECK(damaged("version=v4\n", "") == "1: version: missing");
    CHECK(damaged("num_class=1", "num_class=0") ==
          "3: num_class: expected a whole number from 1 to 65536, found \"0\"");
    CHECK(damaged("num_class=1", "num_class=18446744073709551617").starts_with("3: num_class: expected"));
    CHECK(damaged("num_class=1", "num_class=1.0").starts_with("3: num_class: expected"));
    CHECK(damaged("iteration=1", "iteration=2") ==
          "4: num_tree_per_iteration: expected a whole number from 1 to 1, found \"2\"");
    CHECK(damaged("max_feature_idx=0", "max_feature_idx=-1").starts_with("6: max_feature_idx: expected"));
    CHECK(damaged("max_feature_idx=0", "max_feature_idx=4294967296").starts_with("6: max_feature_idx: expected"));
    CHECK(damaged("feature_names=f0", "feature_names=f0 f1") == "8: feature_names: expected 1 names, found 2");
    CHECK(damaged("feature_names=f0", "feature_names=f\r0") ==
          "8: feature_names: expected names without line ends, found \"f?0\"");
    CHECK(damaged("label_index", "label_idx") == "5: expected a known key and its value, found \"label_idx=0\"");
    CHECK(damaged("label_index=0", "num_class=1") == "5: num_class: found twice");
    CHECK(damaged("=regression", "=magic") == "7: objective: expected an objective of LightGBM, found \"magic\"");
    CHECK(damaged("=regression", "=").starts_with("7: objective: expected"));
    CHECK(damaged("=regression", "=regression sqr").starts_with("7: objective: expected parameters"));
    CHECK(damaged("=regression", "=binary").starts_with("7: objective: expected"));
    CHECK(damaged("=regression", "=binary sigmoid:0").starts_with("7: objective: expected"));
    CHECK(damaged("=regression", "=binary sigmoid:inf").starts_with("7: objective: expected"));
    CHECK(damaged("=regression", "=binary sigmoid:1 sigmoid:1").starts_with("7: objective: expected"));
    CHECK(damaged("=regression", "=multiclass num_class:1").starts_with("7: objective: expected an objective for"));
    CHECK(
        problem_of(head("objective=multiclass num_class:3\n", 1, 2)).starts_with("7: objective: expected parameters"));
    CHECK(problem_of(head("objective=multiclass\n", 1, 2)).starts_with("7: objective: expected num_class"));
    CHECK(problem_of(head("objective=binary sigmoid:1\n", 1, 2) + std::string(tail))
              .starts_with("7: objective: expected an objective for num_class=2"));
    CHECK(problem_of(head("", 1, 2) + constant_tree(0, "1") + std::string(tail)) ==
          "13: expected trees for all of 2 outputs, found 1");
    CHECK(damaged("feature_infos", "tree_sizes=135 135\nfeature_infos").starts_with("9: tree_sizes: expected"));
}

TEST_CASE("lightgbm: damaged trees are rejected, with the line, the tree and the field") {
    CHECK(damaged("Tree=0", "Tree=1") == "11: tree 0: expected `Tree=0`, found \"Tree=1\"");
    CHECK(damaged("\nend of trees", "end of trees") ==
          "21: tree 0: expected a known key and its value, found \"end of trees\"");
    CHECK(damaged("end of trees", "end of tree") == "22: expected `Tree=` or `end of trees`, found \"end of tree\"");
    CHECK(damaged("num_leaves=2", "num_leaves=65537").starts_with("12: tree 0: num_leaves: expected"));
    CHECK(damaged("num_leaves=2", "num_leaves=3") == "19: tree 0: leaf_value: expected 3 numbers, found 2");
    CHECK(damaged("num_leaves=2\n", "") == "11: tree 0: num_leaves: missing");
    CHECK(damaged("num_cat=0\n", "") == "11: tree 0: num_cat: missing");
    CHECK(damaged("decision_type=2", "decision_typo=2").starts_with("16: tree 0: expected a known key"));
    CHECK(damaged("num_cat=0", "num_leaves=2") == "13: tree 0: num_leaves: found twice");
    CHECK(damaged("decision_type=2", "decision_type=12") ==
          "16: tree 0: decision_type: expected a whole number from 0 to 11, found \"12\"");
    CHECK(damaged("decision_type=2", "decision_type=1").starts_with("15: tree 0: threshold: expected the position"));
    CHECK(damaged("threshold=0.5", "threshold=nan") == "15: tree 0: threshold: expected a number, found \"nan\"");
    CHECK(damaged("threshold=0.5", "threshold=0.5x").starts_with("15: tree 0: threshold: expected a number"));
    CHECK(damaged("leaf_value=10 20", "leaf_value=10 inf") ==
          "19: tree 0: leaf_value: expected a finite number, found \"inf\"");
    CHECK(damaged("leaf_value=10 20", "leaf_value=10 1e999").starts_with("19: tree 0: leaf_value: expected a finite"));
    CHECK(damaged("right_child=-2", "right_child=-3").starts_with("18: tree 0: right_child: expected"));
    CHECK(damaged("right_child=-2", "right_child=1").starts_with("18: tree 0: right_child: expected"));
    CHECK(damaged("shrinkage=1", "leaf_count=1 1") == "11: tree 0: internal_count: missing");
    CHECK(damaged("shrinkage=1", "leaf_count=1 -1\ninternal_count=0").starts_with("20: tree 0: leaf_count: expected"));

    const auto damaged_categories = [](std::string_view old, std::string_view by) {
        return problem_of(replaced(categorical, old, by));
    };
    CHECK(
        damaged_categories("threshold=0", "threshold=0.5").starts_with("13: tree 0: threshold: expected the position"));
    CHECK(
        damaged_categories("threshold=0", "threshold=-1").starts_with("13: tree 0: threshold: expected the position"));
    CHECK(damaged_categories("cat_boundaries=0 3", "cat_boundaries=1 3") ==
          "18: tree 0: cat_boundaries: expected numbers that start with 0 and increase, found 1");
    CHECK(damaged_categories("cat_boundaries=0 3", "cat_boundaries=0 0").starts_with("18: tree 0: cat_boundaries"));
    CHECK(
        damaged_categories("cat_boundaries=0 3", "cat_boundaries=0 999999999999").starts_with("18: tree 0: cat_boun"));
    CHECK(damaged_categories("cat_boundaries=0 3", "cat_boundaries=0 2").starts_with("19: tree 0: cat_threshold: exp"));
    CHECK(damaged_categories("cat_threshold=10", "cat_threshold=4294967296").starts_with("19: tree 0: cat_threshold"));
    CHECK(damaged_categories("cat_boundaries=0 3\n", "") == "9: tree 0: cat_boundaries: missing");

    const auto damaged_leaves = [](std::string_view old, std::string_view by) {
        return problem_of(replaced(linear, old, by));
    };
    CHECK(damaged_leaves("is_linear=1", "is_linear=2").starts_with("17: tree 0: is_linear: expected"));
    CHECK(damaged_leaves("is_linear=1", "is_linear=0").starts_with("18: tree 0: leaf_const: expected none"));
    CHECK(damaged_leaves("num_features=2 1", "num_features=2 2").starts_with("20: tree 0: leaf_features: expected 4"));
    CHECK(damaged_leaves("num_features=2 1", "num_features=2147483647 1").starts_with("19: tree 0: num_features: exp"));
    CHECK(damaged_leaves("leaf_features=0 1", "leaf_features=0 2").starts_with("20: tree 0: leaf_features: expected"));
    CHECK(damaged_leaves("leaf_coeff=0.1 -3", "leaf_coeff=0.1").starts_with("21: tree 0: leaf_coeff: expected 3"));
    CHECK(damaged_leaves("leaf_const=1.5", "leaf_const=inf").starts_with("18: tree 0: leaf_const: expected"));
}

TEST_CASE("lightgbm: without decision_type all splits are numerical, as in LightGBM") {
    const std::string without = replaced(smallest, "decision_type=2\n", "");
    const Forest forest = forest_of(without);
    const Forest with_0 = forest_of(replaced(smallest, "decision_type=2", "decision_type=0"));
    for (const float x : {0.5F, 0.6F, -1.0F}) {
        CHECK(score(forest, {x}) == score(with_0, {x}));
    }
#ifndef __FAST_MATH__
    CHECK(score(forest, {missing}) == std::vector{10.0});
#endif
    // A line that was lost is no old model.
    const std::string tree =
        smallest.substr(smallest.find("Tree=0"), smallest.find("end of trees") - smallest.find("Tree=0"));
    const std::string two = smallest.substr(0, smallest.find("end of trees")) + replaced(tree, "Tree=0", "Tree=1");
    CHECK(problem_of(two + std::string(tail)) == "accepted");
    CHECK(problem_of(replaced(two, "decision_type=2\n", "") + std::string(tail)) ==
          "26: tree 1: decision_type: expected none, since an earlier tree has none, found one");
    const std::string second =
        two.substr(0, two.find("Tree=1")) + replaced(two.substr(two.find("Tree=1")), "decision_type=2\n", "");
    CHECK(problem_of(second + std::string(tail)) == "22: tree 1: decision_type: missing");
    CHECK(problem_of(replaced(categorical, "decision_type=1\n", "")) == "9: tree 0: decision_type: missing");
}

TEST_CASE("lightgbm: files that cannot be read are rejected") {
    const TempDir dir;
    CHECK_THROWS_AS((void)load_lightgbm(dir / "none.txt"), IOError);
}

namespace {

// What the lines of a model say, read as plainly as possible: the numbers of each key of each tree.
std::vector<std::map<std::string, std::vector<double>>> numbers_of(const std::string& text) {
    std::vector<std::map<std::string, std::vector<double>>> trees;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line) && line != "end of trees";) {
        if (line.starts_with("Tree=")) {
            trees.emplace_back();
        } else if (const std::size_t stop = line.find('='); !trees.empty() && stop != std::string::npos) {
            std::istringstream words(line.substr(stop + 1));
            for (std::string word; words >> word;) {
                trees.back()[line.substr(0, stop)].push_back(std::strtod(word.c_str(), nullptr));
            }
        }
    }
    return trees;
}

// Whether a forest is what its file says.
bool is_faithful(const TreeEnsemble& forest, const std::string& text) {
    const auto trees = numbers_of(text);
    bool holds = trees.size() == forest.trees.size();
    for (std::size_t t = 0; holds && t < trees.size(); ++t) {
        auto numbers = trees[t];
        const Tree& tree = forest.trees[t];
        holds = numbers["leaf_value"] == tree.leaf_values && numbers["leaf_const"] == tree.linear.constants &&
                numbers["leaf_coeff"] == tree.linear.coefficients &&
                numbers["split_feature"].size() == tree.splits.size();
        for (std::size_t i = 0; holds && i < tree.splits.size(); ++i) {
            const TreeSplit& split = tree.splits[i];
            const bool is_categorical = std::fmod(numbers["decision_type"][i], 2.0) == 1.0;
            const double threshold = numbers["threshold"][i];
            holds = split.feature == numbers["split_feature"][i] && split.left == numbers["left_child"][i] &&
                    split.right == numbers["right_child"][i] &&
                    (split.categories != TreeSplit::no_categories) == is_categorical &&
                    (is_categorical || split.threshold == threshold || std::abs(threshold) <= 1.1e-35);
        }
    }
    return holds;
}

}  // namespace

// A damaged file is rejected, or scores as the whole one, or all numbers that scores depend on are those of the file.
TEST_CASE("lightgbm: 10,000 damaged files are rejected, or are scored as they say") {
    const Matrix<float> rows = rows_of_models();
    std::size_t cases = 0;
    for (const std::string_view name : {"linear_categorical", "multiclass", "zero_as_missing"}) {
        const std::string text(model_of(name));
        const auto bytes = std::as_bytes(std::span(text));
        const std::vector<std::uint64_t> expected = bits(forest_of(text).score(rows));
        const auto report = funnel::testing::check_damage(
            {bytes.begin(), bytes.end()},
            [&](const std::string& path) {
                const Forest forest = load_lightgbm(path);
                auto scores = forest.features() == 4 ? bits(forest.score(rows)) : std::vector<std::uint64_t>{};
                if (scores != expected) {
                    const auto file = funnel::testing::bytes_of(path);
                    const bool holds =
                        is_faithful(forest.trees(), {reinterpret_cast<const char*>(file.data()), file.size()});
                    CHECK_MESSAGE(holds, "a forest that is not what the file says");
                }
                return scores;
            },
            {.has_checksum = false, .bit_flips = 1800, .truncations = 50});
        cases += report.cases;
    }
    CHECK(cases > 10'000);
}

TEST_CASE("lightgbm: lines and numbers that are lost, doubled or exchanged are rejected or change no score") {
    const Matrix<float> rows = rows_of_models();
    const std::string text(model_of("linear_categorical"));
    const std::vector<std::uint64_t> expected = bits(forest_of(text).score(rows));
    const auto is_safe = [&](const std::string& damaged) {
        return problem_of(damaged) != "accepted" || bits(forest_of(damaged).score(rows)) == expected;
    };
    for (const bool has_sizes : {true, false}) {  // without tree_sizes there is less to compare
        const std::size_t sizes = text.find("tree_sizes");
        const std::string whole = has_sizes ? text : text.substr(0, sizes) + text.substr(text.find('\n', sizes) + 1);
        for (const char separator : {'\n', ' '}) {
            std::vector<std::string> pieces;
            std::istringstream in(whole);
            for (std::string piece; std::getline(in, piece, separator);) {
                pieces.push_back(piece + separator);
            }
            for (std::size_t i = 0; i < pieces.size(); ++i) {
                std::string lost;
                std::string doubled;
                for (std::size_t j = 0; j < pieces.size(); ++j) {
                    lost += j == i ? "" : pieces[j];
                    doubled += j == i ? pieces[j] + pieces[j] : pieces[j];
                }
                CHECK_MESSAGE(is_safe(lost), "lost: ", pieces[i]);
                CHECK_MESSAGE(is_safe(doubled), "doubled: ", pieces[i]);
                if (separator == '\n' && i + 1 < pieces.size()) {
                    std::string exchanged;
                    for (std::size_t j = 0; j < pieces.size(); ++j) {
                        exchanged += pieces[j == i ? i + 1 : j == i + 1 ? i : j];
                    }
                    CHECK_MESSAGE(is_safe(exchanged), "exchanged: ", pieces[i]);
                }
            }
        }
    }
}

TEST_CASE("save_lightgbm: rejects forests that LightGBM would score differently") {
    const TempDir dir;
    const auto problem = [&](const auto& change, std::string_view name = "categorical") {
        TreeEnsemble forest = forest_of(model_of(name)).trees();
        change(forest);
        try {
            save_lightgbm(forest, dir / "model.txt");
            return std::string("saved");
        } catch (const InvalidArgument& error) {
            return std::string(error.what());
        }
    };
    using Change = TreeEnsemble&;
    CHECK(problem([](Change) {}) == "saved");
    CHECK(problem([](Change f) { f.sums_in_float = true; }) ==
          "save_lightgbm: LightGBM has no sums in single precision");
    CHECK(problem([](Change f) { f.start = {0.0}; }) == "saved");
    CHECK(problem([](Change f) { f.start = {0.5}; }) == "save_lightgbm: LightGBM has no start, scale or bias");
    CHECK(problem([](Change f) { f.bias = {0.5}; }) == "save_lightgbm: LightGBM has no start, scale or bias");
    CHECK(problem([](Change f) { f.scale = 2.0; }) == "save_lightgbm: LightGBM has no start, scale or bias");
    CHECK(problem([](Change f) { f.averages_over = 3.0; }) != "saved");
    CHECK(problem([](Change f) { f.averages_over = 4.0; }) == "saved");
    CHECK(problem([](Change f) { f.link = TreeLink::Hinge; }) == "save_lightgbm: LightGBM has no hinge");
    CHECK(problem([](Change f) { f.link = TreeLink::Softmax; }) != "saved");
    CHECK(problem([](Change f) { f.objective = "lambdarank"; }) == "saved");
    CHECK(problem([](Change f) { f.objective = "magic"; }) ==
          "save_lightgbm: LightGBM has no objective magic with this transformation of the scores");
    CHECK(problem([](Change f) { f.objective = "poisson"; }) != "saved");
    CHECK(problem([](Change f) { f.objective = "multiclassova"; }) != "saved");
    CHECK(problem([](Change f) { f.link_scale = 2.0; }, "cross_entropy") ==
          "save_lightgbm: LightGBM has no objective cross_entropy with a factor");
    CHECK(problem([](Change f) { f.feature_names[1] = "a\rb"; }) != "saved");
    CHECK(problem([](Change f) { f.feature_names[1] = ""; }) != "saved");
    CHECK(problem([](Change f) { f.trees[1].splits[0].threshold = 1e-36; }, "nan") ==
          "save_lightgbm: LightGBM has no thresholds within 1e-35 of 0 (tree 1)");
    const auto first_categorical = [](TreeEnsemble& forest) -> TreeSplit& {
        for (Tree& tree : forest.trees) {
            for (TreeSplit& split : tree.splits) {
                if (split.categories != TreeSplit::no_categories) {
                    return split;
                }
            }
        }
        FAIL("no categorical split");
        return forest.trees[0].splits[0];
    };
    CHECK(problem([&](Change f) { first_categorical(f).missing_goes_left = true; }) != "saved");
    CHECK(problem([&](Change f) { f.category_sets[first_categorical(f).categories] = {}; }) == "saved");
    CHECK(problem([&](Change f) {
              f.category_sets[first_categorical(f).categories] = {1};
              f.negative_fractions_are_category_0 = false;
          }) != "saved");
    CHECK(problem([](Change f) { f.trees.pop_back(); }, "multiclass") != "saved");
    CHECK(problem([](Change f) { std::swap(f.trees[0], f.trees[1]); }, "multiclass") != "saved");
    CHECK(problem([](Change f) { f.trees[0].leaf_values.pop_back(); }) ==
          "save_lightgbm: tree 0: 8 leaf values for 9 leaves");
}

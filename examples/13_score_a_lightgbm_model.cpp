// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// A ranker that was trained with LightGBM: load its file, score the candidates of a request, and explain the scores.
// load_xgboost, load_catboost and load_hist_gradient_boosting read the models of other libraries.
//
//     g++ -std=c++20 -O2 -I include examples/13_score_a_lightgbm_model.cpp -o /tmp/example
//     /tmp/example
#include <funnel/core/matrix.hpp>
#include <funnel/ranking/lightgbm.hpp>
#include <funnel/ranking/tree_shap.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <stdlib.h>
#include <unistd.h>

namespace {

// What booster.save_model("model.txt") wrote after three trees of four leaves, without the lines that only training needs.
constexpr const char* model = R"(tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=3
objective=lambdarank
feature_names=plays days_since_release genre_match is_followed
feature_infos=[0:4025] [0:565] [0:1] [0:1]

Tree=0
num_leaves=4
num_cat=0
split_feature=2 1 1
threshold=0.54500000000000015 109.50000000000001 45.500000000000007
decision_type=10 2 2
left_child=2 -2 -1
right_child=1 -3 -4
leaf_value=-0.14000418395360575 0.35920500444430981 -0.35456652311020237 -0.44337127954157973
leaf_count=1372 1161 249 1218
internal_count=4000 1410 2590
is_linear=0
shrinkage=0.3

Tree=1
num_leaves=4
num_cat=0
split_feature=0 2 1
threshold=278.50000000000006 0.7350000000000001 21.500000000000004
decision_type=2 10 2
left_child=2 -2 -1
right_child=1 -3 -4
leaf_value=-0.05840697970906715 0.025496021830803416 0.27365345353478965 -0.35029703864747053
leaf_count=519 1798 460 1223
internal_count=4000 2258 1742
is_linear=0
shrinkage=0.3

Tree=2
num_leaves=4
num_cat=0
split_feature=1 2 0
threshold=65.500000000000014 0.29500000000000004 77.500000000000014
decision_type=2 8 2
left_child=1 -1 -3
right_child=-2 2 -4
leaf_value=-0.31140502172955525 -0.22343347885438927 -0.28057471918388793 0.12009999158658459
leaf_count=651 1344 306 1699
internal_count=4000 2656 2005
is_linear=0
shrinkage=0.3

end of trees
)";

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

struct Candidate {
    const char* title;
    float features[4];  // as in the line feature_names
};

constexpr Candidate candidates[] = {{"an old hit", {2000.0F, 400.0F, 0.1F, 0.0F}},
                                    {"new, of a followed artist", {150.0F, 3.0F, 0.9F, 1.0F}},
                                    {"of unknown genre", {900.0F, 20.0F, missing, 0.0F}},
                                    {"new and unplayed", {0.0F, 1.0F, 0.6F, 0.0F}}};

}  // namespace

int main() {
    std::string path = "/tmp/funnel_example_XXXXXX";
    ::close(::mkstemp(path.data()));
    std::ofstream(path) << model;

    // Errors name the line and the field of a damaged file. The scores have the same bits as those of LightGBM.
    const auto forest = funnel::ranking::load_lightgbm(path);
    ::unlink(path.c_str());
    const std::vector<std::string>& names = forest.trees().feature_names;
    std::printf("%zu trees, %zu features\n", forest.trees().trees.size(), forest.features());

    funnel::Matrix<float> rows(std::size(candidates), forest.features());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        std::copy(std::begin(candidates[i].features), std::end(candidates[i].features), rows.row(i).begin());
    }
    const std::vector<double> scores = forest.score(rows);

    // How much each feature added to the score or took from it; the last number is the mean score of the training.
    const std::vector<double> contributions = funnel::ranking::tree_shap(forest.trees(), rows);

    std::vector<std::size_t> order(scores.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return scores[a] != scores[b] ? scores[a] > scores[b] : a < b; });
    for (const std::size_t i : order) {
        const auto of_row = std::span(contributions).subspan(i * (names.size() + 1), names.size());
        std::printf("%6.2f  %-26s", scores[i], candidates[i].title);
        for (std::size_t j = 0; j < names.size(); ++j) {
            std::printf("  %s %+.2f", names[j].c_str(), of_row[j]);
        }
        std::printf("\n");
    }
}

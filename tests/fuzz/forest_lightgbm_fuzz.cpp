// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/fuzz.hpp"
#include "ranking/data/lightgbm_models.hpp"

#include <funnel/ranking/lightgbm.hpp>

#include <algorithm>

namespace funnel::fuzz::forest_lightgbm_target {
namespace {

// Rows that hold NaN, zeros, huge and tiny numbers.
Matrix<float> rows_of(std::size_t features) {
    Matrix<float> rows(testing::lightgbm::rows.size() / 4, features);
    for (std::size_t i = 0; i < rows.rows(); ++i) {
        for (std::size_t j = 0; j < features; ++j) {
            rows(i, j) = static_cast<float>(testing::lightgbm::rows[4 * i + j % 4]);
        }
    }
    return rows;
}

bool is_same(const std::vector<double>& a, const std::vector<double>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const double& x, const double& y) { return x == y || (math::is_nan(x) && math::is_nan(y)); });
}

const Registered lightgbm({
    .name = "forest_lightgbm",
    .run =
        [](const Input& input) {
            attempt([&] {
                const ranking::Forest forest = ranking::load_lightgbm(input.path);
                constexpr std::size_t most = 64;
                if (forest.features() > most || forest.outputs() > most) {
                    return;
                }
                const Matrix<float> rows = rows_of(forest.features());
                const std::vector<double> scores = forest.score(rows);
                static_cast<void>(forest.predict(rows));
                const std::string path = scratch_path(1);
                ranking::save_lightgbm(forest, path);
                check(is_same(ranking::load_lightgbm(path).score(rows), scores), "a saved forest scores the same");
                std::filesystem::remove(path);
            });
            // Mutations rarely keep the sizes of trees right, so the file is also read without them.
            const std::string_view text = input.bytes;
            if (const std::size_t at = text.find("\ntree_sizes="); at != std::string_view::npos) {
                const std::string path = scratch_path(2);
                const std::size_t stop = std::min(text.find('\n', at + 1), text.size());
                std::ofstream(path, std::ios::binary) << text.substr(0, at) << text.substr(stop);
                attempt([&] {
                    const ranking::TreeEnsemble forest = ranking::read_lightgbm(path);
                    check(ranking::detail::problem_of(forest).empty(), "what is read is valid");
                });
                std::filesystem::remove(path);
            }
        },
    .seeds =
        [] {
            std::vector<std::string> seeds;
            for (const testing::lightgbm::Model& model : testing::lightgbm::models) {
                const std::string_view text = model.text;
                const std::size_t sizes = text.find("tree_sizes=");
                seeds.emplace_back(text);
                seeds.emplace_back(std::string(text.substr(0, sizes)) +
                                   std::string(text.substr(text.find('\n', sizes) + 1)));
            }
            return seeds;
        },
    .words = {"Tree=",
              "end of trees",
              "num_leaves=",
              "num_cat=",
              "split_feature=",
              "threshold=",
              "decision_type=",
              "left_child=",
              "right_child=",
              "leaf_value=",
              "cat_boundaries=",
              "cat_threshold=",
              "is_linear=1",
              "leaf_const=",
              "num_features=",
              "leaf_features=",
              "leaf_coeff=",
              "average_output",
              "tree_sizes=",
              "objective=binary sigmoid:1",
              "multiclass num_class:3",
              " sqrt",
              "inf",
              "-inf",
              "1e-36",
              "-1",
              "4294967296"},
});

}  // namespace
}  // namespace funnel::fuzz::forest_lightgbm_target

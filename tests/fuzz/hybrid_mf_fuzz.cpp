// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/hybrid_mf.hpp>
#include <funnel/core/sparse.hpp>

#include <array>

namespace funnel::fuzz::hybrid_mf_target {
namespace {

void load_and_describe(const Input& input) {
    load_and_recommend<cf::HybridBPR>(input);
    load_and_use<cf::HybridBPR>(input, [](const cf::HybridBPR& model) {
        constexpr std::array<std::uint32_t, 1> column{0};
        constexpr std::array<float, 1> value{1.0F};
        const SparseRow<float> features{column, value};
        const std::vector<std::uint32_t> history(model.items() > 0 ? 1 : 0, 0);
        if (model.user_feature_factors().rows() > 0) {
            check_list(model.fold_in_features(features, history).recommend(), model.items());
        }
        if (model.item_feature_factors().rows() > 0) {
            check_finite(model.item_vector(features));
        }
    });
}

std::vector<std::string> hybrid_mf_seeds() {
    const auto log = data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 1}, {1, 2}, {2, 0}, {2, 3}}, 3, 5);
    const CSRMatrix<float> of_items(std::vector<Triplet<float>>{{0, 0, 1.0F}, {1, 1, 1.0F}, {2, 0, 0.5F}, {4, 1, 1.0F}},
                                    5, 2);
    const CSRMatrix<float> of_users(std::vector<Triplet<float>>{{0, 0, 1.0F}, {2, 0, -1.0F}}, 3, 1);
    std::vector<std::string> seeds = model_seeds<cf::HybridBPR>({.descent = {.factors = 2, .epochs = 2}});
    seeds.push_back(saved([&](const std::string& path) {
        cf::HybridBPR::fit(
            log, {.item_features = of_items, .user_features = of_users, .descent = {.factors = 2, .epochs = 2}})
            .save(path);
    }));
    return seeds;
}

const Registered hybrid_mf({
    .name = "hybrid_mf",
    .run = load_and_describe,
    .seeds = hybrid_mf_seeds,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::hybrid_mf_target

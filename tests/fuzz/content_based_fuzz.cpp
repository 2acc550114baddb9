// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/content/content_based.hpp>

namespace funnel::fuzz::content_based_target {
namespace {

std::vector<std::string> content_based_seeds() {
    const CSRMatrix<float> features(
        std::vector<Triplet<float>>{{0, 0, 1.0F}, {0, 2, 2.0F}, {1, 0, 1.0F}, {2, 1, -1.0F}, {4, 2, 1.0F}}, 5, 3);
    const auto log = data::Interactions::from_ids({{0, 0}, {0, 1}, {1, 2}}, 2, 5);
    return {
        saved([&](const std::string& path) { content::ContentBased::fit(log, {.features = features}).save(path); })};
}

const Registered content_based({
    .name = "content_based",
    .run = load_and_recommend<content::ContentBased>,
    .seeds = content_based_seeds,
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::content_based_target

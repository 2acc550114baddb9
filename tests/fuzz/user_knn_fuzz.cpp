// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/model_target.hpp"

#include <funnel/cf/user_knn.hpp>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

namespace funnel::fuzz::user_knn_target {
namespace {

const Registered user_knn({
    .name = "user_knn",
    .run = load_and_recommend<cf::UserKNN>,
    .seeds =
        [] {
            std::vector<std::string> seeds = model_seeds<cf::UserKNN>();
            std::ranges::copy(model_seeds<cf::UserKNN>({.weighting = cf::Weighting::BM25}), std::back_inserter(seeds));
            return seeds;
        },
    .is_container = true,
});

}  // namespace
}  // namespace funnel::fuzz::user_knn_target

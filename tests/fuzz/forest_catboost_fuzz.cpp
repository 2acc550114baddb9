// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#include "fuzz/forest_target.hpp"

#include <funnel/ranking/catboost.hpp>

namespace funnel::fuzz::forest_catboost_target {
namespace {

const Registered forest_catboost({
    .name = "forest_catboost",
    .run = [](const Input& input) { load_and_score(input, ranking::load_catboost); },
    .seeds = [] { return model_seeds("catboost"); },
    .words = {"AsIs", "AsTrue", "AsFalse", "FloatFeature", "OneHotFeature", "\"trees\":[", "\"split\":{", "\"value\":[",
              "\"weight\":", "MultiClass", "1e38", "-1", "true"},
});

}  // namespace
}  // namespace funnel::fuzz::forest_catboost_target
